package serve

import (
	"context"
	"slices"
	"testing"
	"time"

	"mptgo/mpt"
)

// Half of the room in a step is for the oldest text, half for the one with the least left,
// and the rest for whoever comes next; beside answers there is less room.
func TestPlanTexts(t *testing.T) {
	m := open(t) // of 64 rows a batch
	for name, x := range map[string]struct {
		left    []int // of each text
		answers int
		want    []int
	}{
		"one":             {[]int{200}, 0, []int{64}},
		"the end of one":  {[]int{10}, 0, []int{10}},
		"a long, a short": {[]int{200, 10}, 0, []int{54, 10}},
		"two long":        {[]int{200, 150}, 0, []int{32, 32}},
		"three":           {[]int{200, 150, 20}, 0, []int{44, 0, 20}},
		"beside answers":  {[]int{200, 150}, 2, []int{8, 8}},
		"short ones":      {[]int{5, 6, 7}, 1, []int{5, 6, 5}},
	} {
		s := scheduler{e: &Engine{m: m, opt: Options{StepTime: time.Nanosecond, ContextSize: 300}}, cache: prefixes{m: m}}
		for range x.answers {
			s.steps, s.parts = append(s.steps, mpt.Step{}), append(s.parts, part{c: &choice{}})
		}
		var sessions []*mpt.Session
		for _, n := range x.left {
			session := evaluated(t, m, 1)
			sessions = append(sessions, session)
			s.reading = append(s.reading, &reading{q: &request{}, session: session, ids: tokens(1, n+1), done: 1})
		}
		s.planTexts()
		got := make([]int, len(x.left))
		for i, p := range s.parts[x.answers:] {
			got[slices.Index(s.reading, p.t)] = len(s.steps[x.answers+i].IDs)
		}
		if !slices.Equal(got, x.want) {
			t.Errorf("%s: %v rows, want %v", name, got, x.want)
		}
		for _, x := range sessions {
			x.Close()
		}
	}
}

// evaluated returns a session with n tokens.
func evaluated(t *testing.T, m *mpt.Model, n int) *mpt.Session {
	t.Helper()
	s, err := m.NewSession(mpt.ContextSize(300))
	if err == nil {
		err = s.Eval(context.Background(), tokens(1, n))
	}
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// A step is cut off if nobody waits for any of it.
func TestInterrupt(t *testing.T) {
	cut := false
	s := scheduler{cancel: func() { cut = true }, in: []*request{{}, {}}}
	s.in[0].cancelled.Store(true)
	if s.interrupt(); cut {
		t.Error("a step is cut off that somebody waits for")
	}
	s.in[1].cancelled.Store(true)
	if s.interrupt(); !cut {
		t.Error("a step goes on that nobody waits for")
	}
}

// Keys take turns, however many requests one has.
func TestTurns(t *testing.T) {
	e := start(t, open(t), Options{Parallel: 1, ContextSize: 30_000})
	submit := func(key string, n int) *Stream {
		r := greedy(tokens(1, 10), n)
		r.Key = key
		s, err := e.Submit(context.Background(), r)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	all := []*Stream{submit("a", -1)}
	waitFor(t, "nothing runs", func() bool { return len(e.Stats().Slots) == 1 })
	for _, key := range []string{"a", "a", "b", "a", "b"} {
		all = append(all, submit(key, 1))
	}
	all[0].Close()
	var order []int
	for _, s := range all {
		answer(s)
		order = append(order, s.q.order)
	}
	if want := []int{1, 3, 5, 2, 6, 4}; !slices.Equal(order, want) {
		t.Errorf("begun in the order %v, want %v", order, want)
	}
}

// The token that ends an answer was computed, too.
func TestEndTokenCounts(t *testing.T) {
	e := start(t, open(t), Options{})
	s, err := e.Submit(context.Background(), greedy(tokens(1, 10), 1))
	if err != nil {
		t.Fatal(err)
	}
	ev, _ := s.Next()
	answer(s)
	r := greedy(tokens(1, 10), 5)
	r.IgnoreEOS, r.StopTokens = false, []int32{ev.Token.ID}
	if u := run(t, e, r); u.CompletionTokens != 1 {
		t.Errorf("%d tokens, want the one that ended it", u.CompletionTokens)
	}
}

// Only the newest entries keep their logits.
func TestLogitsAreFew(t *testing.T) {
	m := open(t)
	p := prefixes{m: m, groups: map[string][]*prefix{}, budget: 1000 * m.CacheBytes(1)}
	defer p.clear()
	for i := range logitRows + 10 {
		s, err := m.NewSession(mpt.ContextSize(300))
		if err == nil {
			err = s.Eval(context.Background(), tokens(uint64(100+i), 5))
		}
		if err == nil {
			err = p.add("", s, trail{})
		}
		if err != nil {
			t.Fatal(err)
		}
		s.Close()
		checkPrefixes(t, &p)
	}
	if p.logits != logitRows || len(p.groups[""]) != logitRows+10 {
		t.Errorf("%d entries, %d with logits", len(p.groups[""]), p.logits)
	}
}
