package mpt

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"mptgo/mpt/tokenizer"
	"mptgo/sampling"
)

// Drafter guesses how sequences of a model go on by a smaller model with the same vocabulary, the
// draft model. It draws its guesses as the sequence draws its tokens: by the same samplers with
// the same random numbers, so that two models that think alike choose alike, at any temperature.
// How often they do is measured; a model that agrees too seldom for what it costs is left alone.
type Drafter struct {
	target, m *Model
	opt       DrafterOptions

	mu      sync.Mutex // of one Draft
	slots   []*draftSlot
	uses    int
	rest    int                         // calls in which nothing is guessed
	agree   guessRate                   // of any guess, if all before it came true
	rates   [draftClasses + 1]guessRate // of those with some probability
	working []*drafting
	steps   []Step
	odds    []float64
}

// DrafterOptions are the choices of [NewDrafter]. The zero value of each means its default.
type DrafterOptions struct {
	// Sequences is how many generations the draft model remembers the texts of; 1.
	Sequences int
	// MinP ends a guess before a token that the draft model gives less than this probability.
	MinP float64
}

// draftSlot is a session of the draft model with the text of a generation.
type draftSlot struct {
	s     *Session
	owner *Generation
	used  int // when it was the last time
}

// drafting is a generation in a call of Draft.
type drafting struct {
	g     *Generation
	slot  *draftSlot
	text  []int32 // with the pending token
	chain *sampling.Chain
	most  int
	odds  float64
	done  bool
}

// modelGuess is what the draft model thinks of how a generation goes on.
type modelGuess struct {
	ids   []int32
	rates []float64 // of each to come true if all before it do
	class []int     // of probabilities
	next  int       // of ids: those before it have come true; all of them after one that has not
	idle  int       // tokens since the draft model was asked
}

// rest returns the guesses that may still come true, with the odds of each together with all before
// it.
func (m *modelGuess) rest(odds []float64) ([]int32, []float64) {
	odds = odds[:0]
	p := 1.0
	for _, r := range m.rates[m.next:] {
		p *= r
		odds = append(odds, p)
	}
	return m.ids[m.next:], odds
}

const (
	// draftClasses are those of probabilities of the draft model.
	draftClasses = 10
	// agreeMemory and classMemory are of how many guesses about a rate is.
	agreeMemory, classMemory = 64, 64
	// probeEvery is after how many tokens a draft model that does not pay is asked again, for
	// probeLength tokens: texts change.
	probeEvery, probeLength = 96, 3
	// catchUp is how many tokens of texts the draft model reads, at the most, in a call for
	// several sequences: they wait for it.
	catchUp = 64
	// restCalls is for how many calls nothing is guessed after the draft model had to give its
	// memory back.
	restCalls = 64
)

// NewDrafter returns a drafter of draft for sequences of target. The models must have the same
// vocabulary. Memory that draft takes from now on counts in the account of target, in which no
// session may be open. The drafter has to be closed before both models; it closes neither.
func NewDrafter(target, draft *Model, opt DrafterOptions) (*Drafter, error) {
	if target == draft {
		return nil, errors.New("mpt: a model cannot draft for itself")
	}
	if err := sameVocabulary(target.tok, draft.tok); err != nil {
		return nil, fmt.Errorf("mpt: the draft model %s: %w", draft.file.Name(), err)
	}
	opt.Sequences = max(opt.Sequences, 1)
	d := &Drafter{target: target, m: draft, opt: opt, agree: newGuessRate(2./3, 6)}
	for i := range d.rates {
		p := (float64(i) + 0.5) / draftClasses
		d.rates[i] = newGuessRate(0.2+0.75*p, firstTries)
	}
	if err := draft.joinAccount(target); err != nil {
		return nil, err
	}
	target.pages.reclaimBy(d.reclaim)
	return d, nil
}

// sameVocabulary says which token is the first that two vocabularies differ in.
func sameVocabulary(a, b *tokenizer.Tokenizer) error {
	const advice = "a draft model needs the same vocabulary"
	if a.Size() != b.Size() {
		return fmt.Errorf("its vocabulary has %d tokens, the model's %d: %s", b.Size(), a.Size(), advice)
	}
	for id := range int32(a.Size()) {
		x, xt := a.Token(id)
		if y, yt := b.Token(id); x != y || xt != yt {
			return fmt.Errorf("its token %d is %q, the model's %q: %s", id, y, x, advice)
		}
		if a.IsEOG(id) != b.IsEOG(id) {
			return fmt.Errorf("token %d, %q, ends the text in only one of the two models: %s", id, x, advice)
		}
	}
	return nil
}

// Shrink gives all keys and values of the draft model back. They are computed again when they are
// needed. It reports whether there were any.
func (d *Drafter) Shrink() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.shrink()
}

// shrink is Shrink for who holds mu.
func (d *Drafter) shrink() bool {
	had := d.m.pages.inUse() > 0
	for _, x := range d.slots {
		x.s.Reset()
	}
	if had {
		d.rest = restCalls
	}
	return had
}

// reclaim is Shrink for who may hold what the draft model waits for: it does not wait.
func (d *Drafter) reclaim() bool {
	if !d.mu.TryLock() {
		return false
	}
	defer d.mu.Unlock()
	return d.shrink()
}

// Close releases the drafter's memory.
func (d *Drafter) Close() {
	d.target.pages.reclaimBy(nil)
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, x := range d.slots {
		x.s.Close()
	}
	d.slots = nil
}

// Draft has the draft model guess how some generations, in which a token is pending, go on, all at
// the same time, where that is worth its time. [Generation.Guess] returns the guesses. Nothing
// that fails here does any harm but to the time.
func (d *Drafter) Draft(ctx context.Context, gs []*Generation) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.working = d.working[:0]; d.rest > 0 {
		d.rest--
		return
	}
	if len(gs) == 0 {
		return
	}
	worth := d.worth(len(gs))
	for _, g := range gs {
		if x := d.begin(g, worth); x != nil {
			d.working = append(d.working, x)
		}
	}
	if len(d.working) == 0 || !d.read(ctx) {
		return
	}
	for {
		d.steps = d.steps[:0]
		for _, x := range d.working {
			if id, ok := d.next(x); ok {
				d.steps = append(d.steps, Step{Session: x.slot.s, IDs: []int32{id}})
			}
		}
		if len(d.steps) == 0 || !d.run(ctx) {
			return
		}
	}
}

// worth returns how many tokens of each of n sequences are worth being guessed.
func (d *Drafter) worth(n int) int {
	extra := d.m.costs.seconds(n) / float64(n)
	d.odds = d.odds[:0]
	p, most := 1.0, MostDraft/n
	for range most {
		if p *= d.agree.odds(); p < leastOdds {
			break
		}
		for range n {
			d.odds = append(d.odds, p)
		}
	}
	return (d.target.costs.worth(n, d.odds, extra) + n - 1) / n
}

// begin returns what there is to do for a generation, nil for nothing.
func (d *Drafter) begin(g *Generation, worth int) *drafting {
	x := g.spec
	if x == nil || x.opt.Drafter != d || !g.pending || g.s.ahead.knows(g.next[0]) {
		return nil
	}
	most := g.mostGuesses()
	switch {
	case x.opt.Always:
	case x.model.next < len(x.model.ids): // there are guesses left
		return nil
	case worth > 0:
		most = min(most, worth)
	case x.model.idle < probeEvery:
		return nil
	default:
		most = min(most, probeLength)
	}
	if most <= 0 {
		return nil
	}
	x.model = modelGuess{ids: x.model.ids[:0], rates: x.model.rates[:0], class: x.model.class[:0]}
	text := append(append(make([]int32, 0, len(g.s.tokens)+1), g.s.tokens...), g.next[0])
	slot, err := d.slot(g, text)
	if err != nil || len(text)+most > slot.s.context {
		return nil
	}
	return &drafting{g: g, slot: slot, text: text, chain: g.opt.Sampler.Clone(), most: most, odds: 1}
}

// slot returns the session for a generation: its own, or that which was not used for longest, with
// as much of the text as any has.
func (d *Drafter) slot(g *Generation, text []int32) (*draftSlot, error) {
	d.uses++
	var oldest, best *draftSlot
	common := 0
	for _, x := range d.slots {
		if x.owner == g {
			x.used = d.uses
			return x, nil
		}
		if oldest == nil || x.used < oldest.used {
			oldest = x
		}
		if n := CommonPrefix(x.s.tokens, text); n > common {
			best, common = x, n
		}
	}
	if len(d.slots) < d.opt.Sequences {
		s, err := d.newSession()
		if err != nil {
			return nil, err
		}
		oldest = &draftSlot{s: s}
		d.slots = append(d.slots, oldest)
	}
	if best != nil && best != oldest {
		if err := oldest.s.CopyFrom(best.s, common); err != nil {
			return nil, err
		}
	}
	oldest.owner, oldest.used = g, d.uses
	return oldest, nil
}

// newSession returns a session of the draft model, which serves generations of any context: memory is
// taken as tokens come.
func (d *Drafter) newSession() (*Session, error) {
	context := maxContext
	if d.m.w.wpe != nil {
		context = d.m.config.Context
	}
	return d.m.NewSession(ContextSize(context), NoReserve())
}

// read has the draft model read what is new of the texts. Of several sequences, long ones are read
// in pieces, and not guessed for as long.
func (d *Drafter) read(ctx context.Context) bool {
	d.steps = d.steps[:0]
	room := len(d.working[0].text)
	if len(d.working) > 1 || d.opt.Sequences > 1 {
		room = max(catchUp, 4*len(d.working))
	}
	for _, x := range d.working {
		n := min(CommonPrefix(x.slot.s.tokens, x.text), len(x.text)-1)
		if x.slot.s.Truncate(n) != nil {
			x.done = true
			continue
		}
		ids := x.text[n:]
		step := Step{Session: x.slot.s, IDs: ids}
		if len(ids) > max(room, 1) {
			x.done, step.IDs, step.Logits = true, ids[:max(room, 0)], NoLogits
		}
		room -= len(step.IDs)
		if len(step.IDs) > 0 {
			d.steps = append(d.steps, step)
		}
	}
	return d.run(ctx)
}

// run evaluates the steps. What fails for one, for want of memory for instance, ends its guess.
func (d *Drafter) run(ctx context.Context) bool {
	if err := d.m.Run(ctx, d.steps); err != nil {
		return false
	}
	for _, s := range d.steps {
		for _, x := range d.working {
			x.done = x.done || x.slot.s == s.Session && s.Err != nil
		}
	}
	return true
}

// next draws the next guess for a generation. It returns false if that was the last.
func (d *Drafter) next(x *drafting) (int32, bool) {
	logits := x.slot.s.Logits()
	if x.done || logits == nil {
		return 0, false
	}
	x.done = true
	logits = logits[:min(len(logits), d.target.config.Vocab)]
	id, err := x.chain.Sample(logits)
	if err != nil || d.target.tok.IsEOG(id) && !x.g.opt.IgnoreEOS {
		return 0, false
	}
	x.chain.Accept(id)
	p := probability(x.chain.Candidates(), logits, id)
	class := int(p * draftClasses)
	rate := d.rates[class].odds()
	if x.odds *= rate; p < d.opt.MinP || x.odds < leastOdds && !x.g.spec.opt.Always {
		return 0, false
	}
	to := &x.g.spec.model
	to.ids, to.rates, to.class = append(to.ids, id), append(to.rates, rate), append(to.class, class)
	x.most--
	x.done = x.most == 0
	return id, !x.done
}

// probability returns how likely the draft model thought the token that was drawn.
func probability(from []sampling.Candidate, logits []float32, id int32) float64 {
	for _, c := range from {
		if c.ID == id && c.P > 0 {
			return min(float64(c.P), 1)
		}
	}
	return sampling.Share(logits, id)
}

// follow learns from a token that was chosen what the guesses were worth.
func (d *Drafter) follow(m *modelGuess, id int32) {
	m.idle++
	if m.next == len(m.ids) {
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	hit := m.ids[m.next] == id
	d.agree.learn(hit, agreeMemory)
	d.rates[m.class[m.next]].learn(hit, classMemory)
	if m.next++; !hit {
		m.next = len(m.ids)
	}
}

// Agreement returns which part of the draft model's guesses come true at present, of those before
// which all did.
func (d *Drafter) Agreement() float64 {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.agree.odds()
}
