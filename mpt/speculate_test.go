package mpt

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"mptgo/ggml"
	"mptgo/sampling"
)

// prophet guesses the tokens of a text that is known, some of them wrong.
type prophet struct {
	r     *rand.Rand
	text  []int32 // all tokens that were chosen without guesses
	n     int     // those of them that were chosen
	wrong int     // in a hundred
	vocab int
}

func (p *prophet) follow([]int32, int32) { p.n++ }

func (p *prophet) guess(ids []int32, odds []float64, n int) ([]int32, []float64) {
	for i := range min(n, p.r.IntN(12)) {
		id := int32(p.r.IntN(p.vocab))
		if p.n+i < len(p.text) && p.r.IntN(100) >= p.wrong {
			id = p.text[p.n+i]
		}
		if p.r.IntN(50) == 0 {
			id = []int32{-1, int32(p.vocab), 1 << 30}[p.r.IntN(3)] // no token at all
		}
		ids, odds = append(ids, id), append(odds, 1)
	}
	return ids, odds
}

// specCase is a generation of which nothing may change with guesses.
type specCase struct {
	opt     GenerateOptions
	params  sampling.Params
	context int
	prompt  []int32
	bounds  func() Constraint
	leave   int // drop the last tokens and go on after so many; 0: not
}

// told is all that a generation tells, the bits of its logits, and what its session is good for
// afterwards.
func (x *specCase) told(t *testing.T, m *Model, spec *Speculation, source guesser) (string, []int32, *Generation) {
	t.Helper()
	s, err := m.NewSession(ContextSize(x.context))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if err := s.Eval(context.Background(), x.prompt); err != nil {
		t.Fatal(err)
	}
	opt := x.opt
	if opt.Sampler, err = sampling.New(x.params, m.tok); err != nil {
		t.Fatal(err)
	}
	if x.bounds != nil {
		opt.Constraint = x.bounds()
	}
	opt.Speculate = spec
	g, err := s.NewGeneration(opt)
	if err != nil {
		t.Fatal(err)
	}
	if source != nil {
		g.spec.source = source
	}
	var b strings.Builder
	var ids []int32
	for len(ids) < 120 {
		tok, ok := g.Next(context.Background())
		if !ok {
			break
		}
		fmt.Fprintf(&b, "%d %q %d %x %v\n", tok.ID, tok.Text, tok.At, s.Logits(), s.Tokens())
		if tok.ID >= 0 {
			ids = append(ids, tok.ID)
		}
		if x.leave > 0 && len(ids)%x.leave == 0 && s.Len() > 6 {
			if err := s.Drop(2, 5); err != nil {
				t.Fatal(err)
			}
		}
	}
	fmt.Fprintln(&b, g.Tokens(), g.Why(), g.StoppedBy(), g.Err(), s.Tokens())
	f, err := s.Fork()
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for _, s := range []*Session{s, f, s} {
		if s.Len()+3 <= s.ContextSize() {
			if err := s.Eval(context.Background(), []int32{5, 6, 7}); err != nil {
				t.Fatal(err)
			}
		} else if err := s.Truncate(s.Len() - 1); err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&b, "%x\n", s.Logits())
	}
	return b.String(), ids, g
}

// specParams are samplers of all kinds: those that draw, look back, remember.
func specParams() map[string]sampling.Params {
	all := map[string]sampling.Params{"greedy": {}, "default": sampling.DefaultParams()}
	change := func(name string, f func(p *sampling.Params)) {
		p := sampling.DefaultParams()
		f(&p)
		all[name] = p
	}
	change("mirostat", func(p *sampling.Params) { p.Mirostat, p.MirostatTau, p.MirostatEta = 2, 5, 0.3 })
	change("dry", func(p *sampling.Params) { p.DRYMultiplier, p.DRYAllowedLength = 2, 1 })
	change("xtc", func(p *sampling.Params) { p.XTCProbability, p.XTCThreshold = 0.5, 0.01 })
	change("typical", func(p *sampling.Params) { p.Typical = 0.7 })
	change("top_n_sigma", func(p *sampling.Params) { p.TopNSigma = 1 })
	change("penalties", func(p *sampling.Params) {
		p.RepeatPenalty, p.FrequencyPenalty, p.PresencePenalty = 1.3, 0.2, 0.1
	})
	change("hot", func(p *sampling.Params) { p.Temp, p.TopK, p.TopP, p.MinP = 3, 0, 1, 0 })
	change("bias", func(p *sampling.Params) { p.LogitBias = []sampling.Bias{{ID: 65, Value: 3}, {ID: 66, Value: -3}} })
	return all
}

// evenOdd lets even and odd tokens take turns.
type evenOdd struct{ n int32 }

func (c *evenOdd) Allow(allowed []uint64) error {
	for i := range allowed {
		allowed[i] &= uint64(0x5555555555555555) << (c.n % 2)
	}
	return nil
}

func (c *evenOdd) Accept(id int32) error {
	if id%2 != c.n%2 {
		return fmt.Errorf("token %d", id)
	}
	c.n++
	return nil
}

// Guesses, right or wrong, change nothing that anybody could see but the time.
func TestSpeculationChangesNothing(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	for name, m := range map[string]*Model{
		"batch of 8": mini().open(t), "batch of 1": mini().open(t, BatchSize(1)),
		"batch of 64": mini().open(t, BatchSize(64), Threads(2)), "exact": mini().open(t, Exact(), BatchSize(32)),
	} {
		var drafted, accepted int
		for sampler, p := range specParams() {
			for round := range 4 {
				x := specCase{params: p, context: 20 + r.IntN(60)}
				x.params.Seed = r.Uint64()
				for range 1 + r.IntN(15) {
					x.prompt = append(x.prompt, int32(r.IntN(m.Config().Vocab)))
				}
				x.opt = GenerateOptions{
					MaxTokens: r.IntN(50), IgnoreEOS: r.IntN(2) == 0, Shift: r.IntN(2) == 0, Keep: r.IntN(4), Special: r.IntN(2) == 0,
				}
				if r.IntN(2) == 0 {
					x.opt.Stop = []string{"ab", string(rune('a' + r.IntN(26)))}
				}
				if r.IntN(3) == 0 {
					x.bounds = func() Constraint { return &evenOdd{} }
				}
				if r.IntN(4) == 0 {
					x.leave = 1 + r.IntN(9)
				}
				want, ids, _ := x.told(t, m, nil, nil)
				for _, wrong := range []int{0, 20, 100} {
					got, _, g := x.told(t, m, &Speculation{Always: true}, &prophet{r, ids, 0, wrong, m.Config().Vocab})
					if got != want {
						t.Fatalf("%s, %s, round %d, %d%% wrong: it changed: %s", name, sampler, round, wrong, firstDifference(want, got))
					}
					d, a := g.Drafted()
					drafted, accepted = drafted+d, accepted+a
				}
				for _, spec := range []Speculation{{Always: true}, {Always: true, Max: 3, Min: 2}, {}} {
					if got, _, _ := x.told(t, m, &spec, nil); got != want {
						t.Fatalf("%s, %s, round %d, lookup %v: it changed: %s", name, sampler, round, spec, firstDifference(want, got))
					}
				}
			}
		}
		if name != "batch of 1" && (accepted < 500 || drafted < accepted+500) || name == "batch of 1" && drafted > 0 {
			t.Errorf("%s: %d guesses, %d came true: that proves little", name, drafted, accepted)
		}
	}
}

func firstDifference(a, b string) string {
	x, y := strings.Split(a, "\n"), strings.Split(b, "\n")
	for i := range min(len(x), len(y)) {
		if x[i] != y[i] {
			return fmt.Sprintf("line %d:\n%.300s\n%.300s", i, x[i], y[i])
		}
	}
	return fmt.Sprint(len(x), " and ", len(y), " lines")
}

// A guess that is evaluated takes nothing from others: neither a page nor a place in the batch.
func TestDraftsComeLast(t *testing.T) {
	m := mini().open(t)
	a, b := m.session(t), m.session(t)
	ctx := context.Background()
	steps := []Step{
		{Session: a, IDs: []int32{1}, Draft: []int32{2, 3, 4, 5, 6, 7, 8, 9, 10}},
		{Session: b, IDs: []int32{1, 2, 3, 4, 5}, Draft: []int32{6}},
	}
	if err := m.Run(ctx, steps); err != nil {
		t.Fatal(err)
	}
	if steps[0].Drafted != 2 || steps[1].Drafted != 0 || a.Len() != 1 || b.Len() != 5 {
		t.Error(steps[0].Drafted, steps[1].Drafted, a.Len(), b.Len())
	}
	m.pages.limit(int64(m.pages.used) * m.pages.pageBytes()) // a has room for 31 more, no page more
	long := make([]int32, 30)
	if err := a.EvalWith(ctx, long, EvalOptions{Draft: []int32{1, 2, 3}}); err != nil {
		t.Fatal(err)
	}
	if len(a.ahead.ids) != 0 { // two would not fit into the page
		t.Error(a.ahead.ids)
	}
	m.pages.limit(-1)
	before := m.pages.used
	if err := a.EvalWith(ctx, long[:1], EvalOptions{Draft: []int32{1, 2, 3}}); err != nil {
		t.Fatal(err)
	}
	if m.pages.used != before+1 || !a.ForgetDraft() || m.pages.used != before || a.ForgetDraft() {
		t.Error(before, m.pages.used)
	}
}

// What was evaluated ahead is gone once something else was begun, however that ends.
func TestDraftsEndWithAPanic(t *testing.T) {
	m := mini().open(t)
	s, fresh := m.session(t), m.session(t)
	ctx := context.Background()
	if err := s.EvalWith(ctx, []int32{1}, EvalOptions{Draft: []int32{2}}); err != nil {
		t.Fatal(err)
	}
	func() {
		defer func() { recover() }()
		s.EvalAll(ctx, []int32{9}, func(int, []float32) error { panic("visit") })
	}()
	if s.Len() != 1 {
		t.Fatal(s.Tokens())
	}
	for _, x := range []struct {
		s   *Session
		ids []int32
	}{{s, []int32{2}}, {fresh, []int32{1, 2}}} {
		if err := x.s.Eval(ctx, x.ids); err != nil {
			t.Fatal(err)
		}
		if err := x.s.Eval(ctx, []int32{3}); err != nil {
			t.Fatal(err)
		}
	}
	if !slices.Equal(s.Logits(), fresh.Logits()) {
		t.Error("the keys of something else are there")
	}
}

// Batches that do something else than sequences that go on do say nothing of what guesses cost: those of
// which only states are wanted, and those whose inputs are summed up.
func TestMeasuredSteps(t *testing.T) {
	m := mini().open(t)
	ctx := context.Background()
	for _, c := range []struct {
		what    string
		opt     EvalOptions
		sums    bool
		measure bool
	}{
		{"goes on", EvalOptions{}, false, true},
		{"states", EvalOptions{Logits: AllStates}, false, false},
		{"sums", EvalOptions{}, true, false},
		{"a prompt", EvalOptions{Logits: NoLogits}, false, false},
	} {
		s, before := m.session(t), m.costs.count
		if c.sums {
			s.SumInputs(func(*ggml.Matrix, int) ggml.Sums { return ggml.Sums{} })
		}
		if err := s.EvalWith(ctx, []int32{3}, c.opt); err != nil {
			t.Fatal(err)
		}
		if got := m.costs.count > before; got != c.measure {
			t.Errorf("%s: measured is %v", c.what, got)
		}
	}
}

// A token that was guessed is evaluated again for who sums up inputs.
func TestSumsMissNoGuess(t *testing.T) {
	m := mini().open(t)
	s := m.session(t)
	ctx := context.Background()
	if err := s.EvalWith(ctx, []int32{1}, EvalOptions{Draft: []int32{2, 3}}); err != nil {
		t.Fatal(err)
	}
	rows := map[string]int{}
	s.SumInputs(func(w *ggml.Matrix, n int) ggml.Sums { rows[w.Name] += n; return ggml.Sums{} })
	if err := s.Eval(ctx, []int32{2, 3, 4}); err != nil {
		t.Fatal(err)
	}
	if n := rows["blk.0.attn_qkv.weight"]; n != 3 {
		t.Errorf("the inputs of %d tokens were seen, of 3: %v", n, rows)
	}
}

// What is chosen is learned from, guessed or not; a step that was interrupted is not believed.
func TestStepCosts(t *testing.T) {
	odds := []float64{0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2, 0.1}
	machine := func(free int) *stepCosts { // reads as long as it computes so many rows
		c := &stepCosts{}
		for range 5 {
			for n := 1; n <= 10; n++ {
				c.observe(n, 0.1*max(1, float64(n)/float64(free)))
			}
		}
		return c
	}
	for free, want := range map[int]int{1: 0, 2: 1, 4: 5, 8: 7, 20: 9} {
		if got := machine(free).worth(1, odds, 0); got != want && free != 4 || free == 4 && (got < 3 || got > 5) {
			t.Errorf("%d rows are free: %d guesses, not %d", free, got, want)
		}
	}
	c := &stepCosts{}
	if n := c.worth(1, odds, 0); n != 0 {
		t.Error(n, "before anything is known")
	}
	c.observe(1, 0.1)
	if n := c.worth(1, odds, 0); n < 2 {
		t.Error(n, "guesses to learn from")
	}
	if n := c.worth(1, odds, 1); n != 0 {
		t.Error(n, "guesses that take ten steps each")
	}
	if n := c.worth(costRows+1, odds, 0) + c.worth(0, odds, 0); n != 0 {
		t.Error(n)
	}
	c.observe(5, 99)
	if e := c.expect(5); e > 0.5 {
		t.Error(e, "for five rows, of 0.1 each")
	}
	for range baseFor + 1 {
		c.observe(5, 0.12)
	}
	if n := c.worth(1, odds, 0); n != 0 {
		t.Error(n, "though nobody has seen a single row for long")
	}
	if e := c.expect(3); e < 0.1 || e > 0.12 {
		t.Error(e)
	}
}

// A text that repeats itself is guessed, over its end too; one that does not is not.
func TestLookup(t *testing.T) {
	l := newLookup(nil)
	text := []int32{1, 2, 3, 4, 5, 9, 8, 1, 2, 3}
	l.follow(text[:9], text[9])
	ids, odds := l.guess(nil, nil, 4)
	falling := slices.IsSortedFunc(odds, func(a, b float64) int { return int(1e6 * (b - a)) })
	if !slices.Equal(ids, []int32{4, 5, 9, 8}) || len(odds) != 4 || !falling {
		t.Error(ids, odds)
	}
	l = newLookup(nil)
	text = []int32{7, 1, 2, 1, 2, 1, 2}
	for i, id := range text {
		l.follow(text[:i], id)
	}
	if ids, _ := l.guess(nil, nil, 5); !slices.Equal(ids, []int32{1, 2, 1, 2, 1}) {
		t.Error(ids)
	}
	l = newLookup(nil)
	r := rand.New(rand.NewPCG(1, 2))
	text = nil
	for range 2000 { // pairs come again, what follows them does not
		id := int32(r.IntN(40))
		l.follow(text, id)
		text = append(text, id)
	}
	if ids, odds := l.guess(nil, nil, 9); len(odds) > 0 && odds[0] > 0.15 {
		t.Error("noise:", ids, odds)
	}
	if l.follow(text[:50], 3); len(l.text) != 51 {
		t.Error("a session that was cut:", len(l.text))
	}
}
