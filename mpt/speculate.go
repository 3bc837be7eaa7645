package mpt

import "context"

// Speculation has a generation guess tokens that come and evaluate them with the one before: a
// step of a few rows takes hardly longer than one of a single row, which reads the weights as
// well. Every token is still chosen by the logits after those before it, with the same random
// numbers and constraint, so it changes no token, no text and no bit of any logits. How many
// guesses are made depends on how often they come true and on what they cost, both measured; where
// they do not pay there are none.
type Speculation struct {
	// Max is how many tokens are guessed at the most for a step; 0 means DefaultDraftMax.
	Max int
	// Min is how many have to be guessed, else none of them is evaluated.
	Min int
	// Always has all guesses evaluated, whatever they cost and however often they come true.
	Always bool
	// Drafter, if set, guesses what the text does not say. It is asked by [Generation.Next];
	// who evaluates several sessions together asks it by [Drafter.Draft].
	Drafter *Drafter
	// NoLookup has nothing guessed by what the text says.
	NoLookup bool
}

// DefaultDraftMax is llama.cpp's. MostDraft is the most that makes sense: each guess has a row of
// logits.
const (
	DefaultDraftMax = 16
	MostDraft       = costRows - 1
)

// guesser guesses how a text goes on.
type guesser interface {
	// follow tells of the text: the tokens of a session and one more, which has been chosen.
	follow(tokens []int32, id int32)
	// guess appends at most n tokens with the odds of each to come true with all before it.
	guess(ids []int32, odds []float64, n int) ([]int32, []float64)
}

// speculator makes the guesses of a generation.
type speculator struct {
	opt    Speculation
	source guesser
	model  modelGuess // by the draft model
	ids    []int32
	odds   []float64

	modelOdds         []float64
	drafted, accepted int // of the session when the generation began
}

func newSpeculator(opt *Speculation, s *Session) *speculator {
	if opt == nil {
		return nil
	}
	x := &speculator{opt: *opt, source: newLookup(&s.m.matches), drafted: s.ahead.drafted, accepted: s.ahead.accepted}
	if x.opt.Max <= 0 {
		x.opt.Max = DefaultDraftMax
	}
	x.opt.Max = min(x.opt.Max, MostDraft)
	return x
}

// follow tells of a token that was chosen behind some.
func (x *speculator) follow(tokens []int32, id int32) {
	if !x.opt.NoLookup {
		x.source.follow(tokens, id)
	}
	if x.opt.Drafter != nil {
		x.opt.Drafter.follow(&x.model, id)
	}
}

// mostGuesses returns how many tokens may be guessed behind the pending one.
func (g *Generation) mostGuesses() int {
	n := min(g.spec.opt.Max, g.s.context-len(g.s.tokens)-1)
	if g.opt.MaxTokens > 0 {
		n = min(n, g.opt.MaxTokens-g.n-1)
	}
	return max(n, 0)
}

// Guess returns guesses of the tokens that follow the pending one, with the odds of each to come
// true together with all before it. There are none without [GenerateOptions.Speculate], and none if
// the pending token is evaluated already. Both are valid until the next call. See
// [Model.WorthGuessing] for how many of them a [Step] should have as its Draft.
func (g *Generation) Guess() (ids []int32, odds []float64) {
	x := g.spec
	if x == nil || !g.pending || g.s.ahead.knows(g.next[0]) {
		return nil, nil
	}
	n := g.mostGuesses()
	if !x.opt.NoLookup {
		x.ids, x.odds = x.source.guess(x.ids[:0], x.odds[:0], n)
	}
	if x.opt.Drafter != nil {
		drafted, odds := x.model.rest(x.modelOdds)
		n, x.modelOdds = min(n, len(drafted)), odds
		if total(odds[:n]) > total(x.odds) {
			return drafted[:n], odds[:n]
		}
	}
	return x.ids, x.odds
}

// total returns how many guesses are expected to come true.
func total(odds []float64) (sum float64) {
	for _, p := range odds {
		sum += p
	}
	return sum
}

// DraftMin returns how many guesses have to be evaluated at least, if there are any.
func (g *Generation) DraftMin() int {
	if g.spec == nil {
		return 0
	}
	return g.spec.opt.Min
}

// WorthGuessing returns how many guesses are worth their time in a step of some other rows, each of
// which brings a token: odds are the probabilities that they come true, the best first.
func (m *Model) WorthGuessing(rows int, odds []float64) int { return m.costs.worth(rows, odds, 0) }

// draft returns the guesses that are worth to be evaluated with the pending token alone.
func (g *Generation) draft(ctx context.Context) []int32 {
	if g.spec != nil && g.spec.opt.Drafter != nil {
		g.spec.opt.Drafter.Draft(ctx, []*Generation{g})
	}
	ids, odds := g.Guess()
	if len(ids) == 0 {
		return nil
	}
	n := len(ids)
	if !g.spec.opt.Always {
		n = g.s.m.WorthGuessing(1, odds)
	}
	if n < g.spec.opt.Min {
		return nil
	}
	return ids[:n]
}

// Advance makes the pending token a part of the session if it was guessed and is evaluated already.
// Then the next one may be chosen at once.
func (g *Generation) Advance() bool {
	if !g.pending || !g.s.ahead.knows(g.next[0]) || g.s.enter() != nil {
		return false
	}
	defer g.s.leave()
	if !g.s.advance(g.next[0]) {
		return false
	}
	g.pending = false
	return true
}

// Drafted returns how many guesses were evaluated so far, and how many of them came true.
func (g *Generation) Drafted() (drafted, accepted int) {
	if g.spec == nil {
		return 0, 0
	}
	return g.s.ahead.drafted - g.spec.drafted, g.s.ahead.accepted - g.spec.accepted
}
