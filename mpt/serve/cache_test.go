package serve

import (
	"context"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"mptgo/ggml"
	"mptgo/mpt"
)

// run asks for an answer and returns what it took.
func run(t *testing.T, e *Engine, r Request) Usage {
	t.Helper()
	s, err := e.Submit(context.Background(), r)
	if err != nil {
		t.Fatal(err)
	}
	answer(s)
	return s.Usage()
}

// An equal prompt needs no evaluation, a longer one that of what is new, to the token; the
// next turn of a conversation goes on behind the answer; other salts share nothing.
func TestCachedTokens(t *testing.T) {
	e := start(t, open(t), Options{})
	prompt := tokens(1, 90)
	ask(t, e, greedy(prompt, 10))
	evaluated := func() int64 { return e.Stats().PromptTokens }
	for _, x := range []struct {
		name   string
		r      Request
		cached int
	}{
		{"the same", greedy(prompt, 10), 90},
		{"a beginning", greedy(prompt[:70], 1), 69}, // the last token brings the logits
		{"a longer one", greedy(append(slices.Clone(prompt), 250, 251), 1), 90},
		{"another end", greedy(append(slices.Clone(prompt[:47]), 250, 251), 1), 47},
		{"other tokens", greedy(tokens(9, 50), 1), 0},
		{"another salt", func() Request { r := greedy(prompt, 1); r.Salt = "s"; return r }(), 0},
		{"no cache", func() Request { r := greedy(prompt, 1); r.NoCache = true; return r }(), 0},
		{"echo", func() Request { r := greedy(prompt, 0); r.Echo, r.Logprobs = true, 0; return r }(), 0},
	} {
		before := evaluated()
		u := run(t, e, x.r)
		waitFor(t, "steps are not counted", func() bool { return len(e.Stats().Slots) == 0 })
		if n := int(evaluated() - before); u.CachedTokens != x.cached || n != len(x.r.Prompt)-x.cached {
			t.Errorf("%s: %d of %d tokens cached, %d evaluated, want %d cached", x.name, u.CachedTokens, len(x.r.Prompt), n, x.cached)
		}
	}
}

// The next turn of a conversation finds the prompt and the answer.
func TestNextTurn(t *testing.T) {
	e := start(t, open(t), Options{})
	ids := tokens(1, 40)
	for turn := range 3 {
		s, err := e.Submit(context.Background(), greedy(ids, 20))
		if err != nil {
			t.Fatal(err)
		}
		had := len(ids)
		for ev, ok := s.Next(); ok; ev, ok = s.Next() {
			if ev.Token.ID >= 0 {
				ids = append(ids, ev.Token.ID)
			}
		}
		if u := s.Usage(); turn > 0 && u.CachedTokens != had-4 { // the last token was not evaluated
			t.Errorf("turn %d: %d of %d tokens cached", turn, u.CachedTokens, had)
		}
		ids = append(ids, 1, 2, 3)
	}
}

// Many requests with one new prompt at the same time have it evaluated once.
func TestOnePrefill(t *testing.T) {
	e := start(t, open(t), Options{Parallel: 8, MaxQueue: 100})
	system := tokens(1, 200)
	var wg sync.WaitGroup
	for i := range 50 {
		wg.Go(func() { ask(t, e, greedy(append(slices.Clone(system), int32(i), int32(i+1)), 3)) })
	}
	wg.Wait()
	if n := e.Stats().PromptTokens; n > 200+50*2 {
		t.Errorf("%d tokens of prompts were evaluated, 200 and twice 50 are distinct", n)
	}
}

// What the cache counts is what its sessions hold, it never holds more than its budget, and
// it finds what a search of all entries finds.
func TestPrefixes(t *testing.T) {
	m := open(t)
	rounds := 20
	if testing.Short() {
		rounds = 3
	}
	for round := range rounds {
		r := rand.New(rand.NewPCG(uint64(round), 1))
		p := prefixes{m: m, groups: map[string][]*prefix{}, budget: int64(1+r.IntN(25)) * m.CacheBytes(1)}
		for range 40 {
			group := []string{"a", "b"}[r.IntN(2)]
			ids := append(tokens(uint64(r.IntN(2)), r.IntN(120)), tokens(uint64(r.IntN(4)), 1+r.IntN(60))...)
			checkFind(t, &p, group, ids)
			s, err := m.NewSession(mpt.ContextSize(300))
			if err != nil {
				t.Fatal(err)
			}
			if r.IntN(2) == 0 {
				err = s.Eval(context.Background(), ids)
			} else {
				err = s.EvalWith(context.Background(), ids, mpt.EvalOptions{Logits: mpt.NoLogits})
			}
			if err == nil {
				err = p.add(group, s, trail{})
			}
			if err != nil {
				t.Fatal(err)
			}
			s.Close()
			if r.IntN(10) == 0 && p.pages > 0 {
				p.evict()
			}
			checkPrefixes(t, &p)
		}
		p.clear()
	}
}

func checkFind(t *testing.T, p *prefixes, group string, ids []int32) {
	t.Helper()
	most := 0
	for _, x := range p.groups[group] {
		most = max(most, mpt.CommonPrefix(x.ids, ids))
	}
	x, n := p.find(group, ids)
	if n != most || (x == nil) != (len(p.groups[group]) == 0) || x != nil && mpt.CommonPrefix(x.ids, ids) != n {
		t.Fatalf("found %d tokens, there are %d", n, most)
	}
	if x != nil {
		p.use(x, n)
	}
}

func checkPrefixes(t *testing.T, p *prefixes) {
	t.Helper()
	mem, err := p.m.Memory()
	if err != nil || mem.Cache != p.bytes() || mem.Cache > p.budget || p.tokens < 0 || p.tokens > p.pages*ggml.PageSize {
		t.Fatalf("%d bytes are counted, %d held, of %d: %v", p.bytes(), mem.Cache, p.budget, err)
	}
	logits := 0
	for _, list := range p.groups {
		for i, x := range list {
			if !slices.Equal(x.ids, x.session.Tokens()) {
				t.Fatal("an entry's session has other tokens")
			}
			if x.session.Logits() != nil {
				logits++
			}
			if i > 0 && (slices.Compare(list[i-1].ids, x.ids) >= 0 || x.common != mpt.CommonPrefix(list[i-1].ids, x.ids)) {
				t.Fatal("the entries are out of order")
			}
		}
	}
	if logits != p.logits || logits > logitRows {
		t.Fatalf("%d entries have logits, %d are counted", logits, p.logits)
	}
}

// What is found again and again outlives what comes once, and of it the part that is found.
func TestProvenPrefixesStay(t *testing.T) {
	m := open(t)
	e := start(t, m, Options{CacheBytes: 12 * m.CacheBytes(1)})
	system := tokens(1, 3*ggml.PageSize)
	for i := range 3 {
		ask(t, e, greedy(append(slices.Clone(system), tokens(uint64(50+i), 20)...), 2))
	}
	for i := range 40 {
		ask(t, e, greedy(tokens(uint64(100+i), 100), 2))
	}
	if u := run(t, e, greedy(append(slices.Clone(system), 9, 9), 2)); u.CachedTokens < len(system) {
		t.Errorf("%d tokens of the system prompt are left after 40 other prompts", u.CachedTokens)
	}
}

// Priorities come first and rise with time; keys take turns; else the oldest is next.
func TestBefore(t *testing.T) {
	var s scheduler
	s.turns.begun = map[string]int{}
	now := time.Now()
	q := func(priority int, key string, age time.Duration) *request {
		return &request{Request: Request{Priority: priority, Key: key}, arrived: now.Add(-age)}
	}
	s.turns.take("a")
	for name, x := range map[string]struct{ first, then *request }{
		"older":       {q(0, "b", 2*time.Second), q(0, "b", time.Second)},
		"priority":    {q(1, "a", 0), q(0, "b", 9*time.Second)},
		"turn":        {q(0, "b", 0), q(0, "a", 9*time.Second)},
		"aged":        {q(-1, "a", 20*time.Second), q(0, "b", 0)},
		"aged enough": {q(-1, "b", 10*time.Second), q(0, "a", 0)},
	} {
		if !s.before(x.first, x.then, now) || s.before(x.then, x.first, now) {
			t.Errorf("%s: the wrong one is next", name)
		}
	}
	for i := range 3000 {
		s.turns.take(string(rune(i)))
	}
	if len(s.turns.begun) > 1100 {
		t.Errorf("%d keys are remembered", len(s.turns.begun))
	}
}
