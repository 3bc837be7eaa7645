package serve

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"mptgo/mpt"
	"mptgo/sampling"
)

// The engine's answer is that of a session and a generation of the model itself.
func TestAnswerIsTheModels(t *testing.T) {
	m := open(t)
	e := start(t, m, Options{})
	prompt := tokens(1, 40)
	params := sampling.DefaultParams()
	params.Seed = 7
	s, err := m.NewSession(mpt.ContextSize(300))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if err := s.Eval(context.Background(), prompt); err != nil {
		t.Fatal(err)
	}
	chain, _ := sampling.New(params, nil)
	var want []int32
	for tok, err := range s.Generate(context.Background(), mpt.GenerateOptions{Sampler: chain, MaxTokens: 25, IgnoreEOS: true}) {
		if err != nil {
			t.Fatal(err)
		}
		want = append(want, tok.ID)
	}
	r := greedy(prompt, 25)
	r.Params = params
	x, err := e.Submit(context.Background(), r)
	if err != nil {
		t.Fatal(err)
	}
	var got []int32
	for ev, ok := x.Next(); ok; ev, ok = x.Next() {
		if ev.Token.ID >= 0 || ev.Token.Text != "" {
			got = append(got, ev.Token.ID)
		}
	}
	if !slices.Equal(got, want) || len(got) < 25 {
		t.Errorf("%v, want %v", got, want)
	}
}

// Choice k of a request is what a request with that seed gives.
func TestChoicesAreRequests(t *testing.T) {
	e := start(t, open(t), Options{Parallel: 8})
	r := greedy(tokens(2, 50), 20)
	r.Params = sampling.DefaultParams()
	r.N, r.Logprobs = 4, 2
	all := ask(t, e, r)
	for k := range 4 {
		one := r
		one.N = 1
		one.Params.Seed += uint64(k)
		body, _, _ := strings.Cut(strings.TrimPrefix(ask(t, e, one), "choice 0\n"), "50 prompt")
		if !strings.Contains(all, fmt.Sprintf("choice %d\n%s", k, body)) {
			t.Errorf("choice %d is another answer than that of its request", k)
		}
	}
}

func TestSubmitRefuses(t *testing.T) {
	e := start(t, open(t), Options{Parallel: 4, ContextSize: 100})
	ok := greedy(tokens(1, 10), 5)
	for name, x := range map[string]struct {
		change func(*Request)
		field  string
	}{
		"no prompt":     {func(r *Request) { r.Prompt = nil }, "Prompt"},
		"negative":      {func(r *Request) { r.Prompt = []int32{1, -1} }, "Prompt"},
		"no such token": {func(r *Request) { r.Prompt = []int32{1 << 20} }, "Prompt"},
		"choices":       {func(r *Request) { r.N = 5 }, "N"},
		"none":          {func(r *Request) { r.N = -1 }, "N"},
		"logprobs":      {func(r *Request) { r.Logprobs = 1 << 20 }, "Logprobs"},
		"priority":      {func(r *Request) { r.Priority = 2 }, "Priority"},
		"params":        {func(r *Request) { r.Params.TopP = -3 }, "Params"},
	} {
		r := ok
		x.change(&r)
		var bad *RequestError
		if _, err := e.Submit(context.Background(), r); !errors.As(err, &bad) || bad.Field != x.field {
			t.Errorf("%s: %v, want a fault of %s", name, err, x.field)
		}
	}
	for _, n := range []int{100, 101, 5000} {
		var long *ContextError
		if _, err := e.Submit(context.Background(), greedy(tokens(1, n), 1)); !errors.As(err, &long) || long.Tokens != n || long.Context != 100 {
			t.Errorf("%d tokens: %v", n, err)
		}
	}
	if got := ask(t, e, greedy(tokens(1, 99), -1)); !strings.Contains(got, "full") && !strings.Contains(got, "end") {
		t.Errorf("99 tokens of 100: %s", got)
	}
	scored := greedy(tokens(1, 100), 0)
	scored.Echo, scored.Logprobs = true, 1
	if got := ask(t, e, scored); strings.Count(got, "\n") < 100 {
		t.Errorf("a text as long as the context cannot be scored: %s", got)
	}
}

// A request is cancelled in every state: before it is submitted, in the queue, while its
// prompt is read, while it is answered, and while its reader is too slow.
func TestCancel(t *testing.T) {
	m := open(t, mpt.BatchSize(16))
	e := start(t, m, Options{Parallel: 1, ContextSize: 30_000, CacheBytes: -1})
	slots := func() int { return len(e.Stats().Slots) }
	done, stop := context.WithCancel(context.Background())
	stop()
	if s, err := e.Submit(done, greedy(tokens(1, 10), 5)); err == nil {
		answer(s)
		if !errors.Is(s.Err(), context.Canceled) {
			t.Errorf("cancelled before: %v", s.Err())
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	long, err := e.Submit(ctx, greedy(tokens(1, 25_000), 90)) // is read, then answered
	if err != nil {
		t.Fatal(err)
	}
	waitFor(t, "no prompt is read", func() bool { return slots() == 1 })
	queued, err := e.Submit(context.Background(), greedy(tokens(2, 10), 5))
	if err != nil {
		t.Fatal(err)
	}
	queued.Close()
	answer(queued)
	if queued.Err() == nil || slots() != 1 {
		t.Errorf("in the queue: %v, %d slots", queued.Err(), slots())
	}
	cancel()
	answer(long)
	if !errors.Is(long.Err(), context.Canceled) {
		t.Errorf("while read: %v", long.Err())
	}
	answered, err := e.Submit(context.Background(), greedy(tokens(1, 10), -1))
	if err != nil {
		t.Fatal(err)
	}
	answered.Next()
	answered.Close()
	answered.Close()
	answer(answered)
	waitFor(t, "sequences are left", func() bool { return slots() == 0 })
	if n := e.Stats().Requests[mpt.EndedCancelled]; n < 3 {
		t.Errorf("%d cancelled requests are counted", n)
	}
}

// Who reads slowly pauses, holds nobody up, and gets all in the end.
func TestSlowReader(t *testing.T) {
	e := start(t, open(t), Options{Parallel: 4, ContextSize: 3000})
	r := greedy(tokens(1, 10), 2500)
	r.Logprobs = 100 // large events
	slow, err := e.Submit(context.Background(), r)
	if err != nil {
		t.Fatal(err)
	}
	waitFor(t, "the slow request does not pause", func() bool { return slow.full() })
	steps := e.Stats().Steps
	ask(t, e, greedy(tokens(2, 10), 50))
	if n := e.Stats().Steps - steps; n < 50 {
		t.Errorf("%d steps", n)
	}
	if got := answer(slow); strings.Count(got, "\n") < 2500 {
		t.Errorf("%d lines came", strings.Count(got, "\n"))
	}
}

func TestQueueIsBounded(t *testing.T) {
	e := start(t, open(t), Options{Parallel: 1, MaxQueue: 2, ContextSize: 30_000})
	var all []*Stream
	for range 3 { // one runs, two wait
		s, err := e.Submit(context.Background(), greedy(tokens(1, 10), -1))
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, s)
		waitFor(t, "nothing runs", func() bool { return len(e.Stats().Slots) == 1 })
	}
	var full *QueueFullError
	if _, err := e.Submit(context.Background(), greedy(tokens(1, 10), 5)); !errors.As(err, &full) {
		t.Fatalf("a third may wait: %v", err)
	}
	if full.Waiting != 2 || full.RetryAfter < time.Second || full.RetryAfter > time.Minute {
		t.Errorf("%+v", full)
	}
	all[1].Close()
	answer(all[1])
	waitFor(t, "the queue is still full", func() bool {
		s, err := e.Submit(context.Background(), greedy(tokens(1, 10), 5))
		if err == nil {
			s.Close()
		}
		return err == nil
	})
}

// Where nobody may wait, who cannot begin at once is refused.
func TestNoQueue(t *testing.T) {
	e := start(t, open(t), Options{Parallel: 2, MaxQueue: -1, ContextSize: 30_000})
	var all []*Stream
	for range 2 {
		s, err := e.Submit(context.Background(), greedy(tokens(1, 10), -1))
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, s)
	}
	refused := func() bool {
		s, err := e.Submit(context.Background(), greedy(tokens(1, 10), 1))
		if err == nil {
			s.Close()
			answer(s)
		}
		var full *QueueFullError
		return errors.As(err, &full)
	}
	if !refused() {
		t.Error("a third waits")
	}
	waitFor(t, "two do not run", func() bool { return len(e.Stats().Slots) == 2 })
	if !refused() {
		t.Error("a third waits for two that run")
	}
	all[0].Close()
	waitFor(t, "the place stays taken", func() bool { return !refused() })
}

func TestDrain(t *testing.T) {
	e := start(t, open(t), Options{Parallel: 2})
	var all []*Stream
	for range 5 {
		s, err := e.Submit(context.Background(), greedy(tokens(1, 10), 30))
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, s)
	}
	if err := e.Drain(context.Background()); err != nil {
		t.Error(err)
	}
	for _, s := range all {
		if got := answer(s); !strings.Contains(got, "limit") || s.Err() != nil {
			t.Errorf("a request that was there did not come to its end: %s", got)
		}
	}
	if _, err := e.Submit(context.Background(), greedy(tokens(1, 10), 5)); !errors.Is(err, ErrDraining) {
		t.Errorf("a new request: %v", err)
	}
}

// When the time to drain is over what is left ends with an error.
func TestDrainIsBounded(t *testing.T) {
	e := start(t, open(t), Options{Parallel: 2, ContextSize: 3000})
	s, err := e.Submit(context.Background(), greedy(tokens(1, 10), -1))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Millisecond)
	defer cancel()
	if err := e.Drain(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Error(err)
	}
	answer(s)
	if s.Err() == nil {
		t.Error("no error of the request")
	}
}

// A panic or an error in a request's rules ends that request alone.
func TestBrokenRules(t *testing.T) {
	e := start(t, open(t), Options{})
	var wg sync.WaitGroup
	for k, rules := range []mpt.Constraint{&evens{n: 1}, broken{}, broken{panics: true}, broken{nothing: true}} {
		wg.Go(func() {
			r := greedy(tokens(1, 20), 10)
			r.NewConstraint = func() mpt.Constraint { return rules }
			if got := ask(t, e, r); (k > 0) != strings.Contains(got, "error") {
				t.Errorf("rules %d: %s", k, got)
			}
		})
	}
	wg.Wait()
	ask(t, e, greedy(tokens(1, 10), 5))
}

type broken struct{ panics, nothing bool }

func (b broken) Allow(allowed []uint64) error {
	if b.nothing {
		clear(allowed)
	}
	return nil
}

func (b broken) Accept(int32) error {
	if b.panics {
		panic("ouch")
	}
	return errors.New("broken")
}

// Nothing is left of an engine that is closed while it works.
func TestCloseLeavesNothing(t *testing.T) {
	before := runtime.NumGoroutine()
	m := open(t)
	for range 5 {
		e, err := New(m, Options{ContextSize: 3000})
		if err != nil {
			t.Fatal(err)
		}
		for range 20 {
			s, err := e.Submit(context.Background(), greedy(tokens(1, 10), -1))
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
		}
		e.Close()
		e.Close()
		if _, err := e.Submit(context.Background(), greedy(tokens(1, 10), 5)); !errors.Is(err, ErrClosed) {
			t.Errorf("closed: %v", err)
		}
	}
	waitFor(t, "goroutines are left", func() bool { return runtime.NumGoroutine() <= before+m.Threads() })
}

// Who has read a whole answer finds it counted, for what it was.
func TestCountedAtTheEnd(t *testing.T) {
	e := start(t, open(t), Options{Parallel: 8})
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for range 50 {
				s, err := e.Submit(context.Background(), greedy(tokens(uint64(i), 3), 1))
				if err != nil {
					t.Error(err)
					return
				}
				answer(s)
				s.Close()
			}
		})
	}
	wg.Wait()
	if n := e.Stats().Requests; n[mpt.EndedLimit] != 400 {
		t.Errorf("400 answers are counted as %v", n)
	}
}
