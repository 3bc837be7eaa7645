package serve

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"mptgo/mpt"
)

// TestSameAnswers asks many random requests at about the same time, some of which are left in
// the middle, of engines with much and little memory and cache: every answer has the bits
// that it has alone.
func TestSameAnswers(t *testing.T) {
	n := 40
	if testing.Short() {
		n = 16
	}
	r := rand.New(rand.NewPCG(3, 4))
	requests := make([]Request, n)
	want := make([]string, n)
	m := open(t)
	for i := range requests {
		requests[i] = randomRequest(r)
		e := start(t, m, Options{CacheBytes: -1})
		want[i] = ask(t, e, requests[i])
		e.Close()
	}
	page, always := m.CacheBytes(1), &mpt.Speculation{Always: true}
	for name, x := range map[string]struct {
		opt    Options
		budget int64 // pages of all sequences
	}{
		"plenty":       {Options{Parallel: 16}, 0},
		"no cache":     {Options{Parallel: 16, CacheBytes: -1}, 0},
		"small cache":  {Options{Parallel: 16, CacheBytes: 12 * page}, 0},
		"short steps":  {Options{Parallel: 8, StepTime: time.Nanosecond}, 0},
		"one by one":   {Options{Parallel: 2}, 0},
		"guesses":      {Options{Parallel: 16, Speculate: always}, 0},
		"few guesses":  {Options{Parallel: 3, Speculate: &mpt.Speculation{Always: true, Max: 3, Min: 2}, CacheBytes: -1}, 0},
		"measured":     {Options{Parallel: 4, Speculate: &mpt.Speculation{}}, 0},
		"guess little": {Options{Parallel: 16, CacheBytes: -1, Speculate: always}, 14},
		"guess, cache": {Options{Parallel: 16, CacheBytes: 6 * page, Speculate: always}, 16},
		"draft model":  {Options{Parallel: 8, Speculate: &mpt.Speculation{Always: true, NoLookup: true, Max: 6}}, 0},
		"draft, tight": {Options{Parallel: 16, CacheBytes: 6 * page, Speculate: &mpt.Speculation{Always: true}}, 20},
		"draft, free":  {Options{Parallel: 3, Speculate: &mpt.Speculation{}}, 0},
		"little":       {Options{Parallel: 16, CacheBytes: -1}, 14},
		"little, both": {Options{Parallel: 16, CacheBytes: 6 * page}, 16},
	} {
		t.Run(name, func(t *testing.T) {
			m := m
			if x.budget > 0 {
				models := int64(1)
				if strings.Contains(name, "draft") {
					models = 2
				}
				m = open(t, limit(t, models, x.budget))
			}
			if x.opt.Speculate != nil && strings.Contains(name, "draft") {
				d := drafter(t, m, x.opt.Parallel)
				x.opt.Speculate.Drafter = d
				defer d.Close()
			}
			x.opt.MaxQueue = 2 * n
			testSame(t, start(t, m, x.opt), requests, want)
		})
	}
}

// limit leaves so many pages to all sequences of one model or two.
func limit(t *testing.T, models, pages int64, opts ...mpt.Option) mpt.Option {
	t.Helper()
	m := open(t, append(opts, mpt.MemoryBudget(1<<40))...)
	mem, err := m.Memory()
	if err != nil {
		t.Fatal(err)
	}
	return mpt.MemoryBudget(models*(mem.Weights+mem.Activations) + pages*m.CacheBytes(1))
}

// drafter is a draft model that is the model itself, opened again.
func drafter(t *testing.T, m *mpt.Model, sequences int) *mpt.Drafter {
	t.Helper()
	d, err := mpt.NewDrafter(m, open(t), mpt.DrafterOptions{Sequences: sequences})
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func testSame(t *testing.T, e *Engine, requests []Request, want []string) {
	var wg sync.WaitGroup
	for i, q := range requests {
		wg.Go(func() {
			r := rand.New(rand.NewPCG(uint64(i), 9))
			time.Sleep(time.Duration(r.IntN(20)) * time.Millisecond)
			if r.IntN(4) == 0 { // somebody asks the same and leaves
				ctx, cancel := context.WithTimeout(context.Background(), time.Duration(r.IntN(10_000))*time.Microsecond)
				defer cancel()
				if s, err := e.Submit(ctx, q); err == nil {
					for range r.IntN(5) {
						s.Next()
					}
					s.Close()
				}
			}
			if got := ask(t, e, q); got != want[i] {
				t.Errorf("request %d (%d tokens, %d choices): another answer\n%s", i, len(q.Prompt), q.N, difference(want[i], got))
			}
		})
	}
	wg.Wait()
	waitFor(t, "sequences are left", func() bool { return len(e.Stats().Slots) == 0 })
	if x := e.Options().Speculate; x != nil && x.Always {
		for i, q := range requests { // one by one: beside prompts, of which slow machines have more, nothing is guessed
			if got := ask(t, e, q); got != want[i] {
				t.Errorf("request %d alone: another answer\n%s", i, difference(want[i], got))
			}
		}
	}
	if x := e.Options().Speculate; x != nil && x.Drafter != nil {
		x.Drafter.Shrink()
		ask(t, e, greedy(tokens(1, 3), 1)) // has the engine count again
		x.Drafter.Shrink()
	}
	waitFor(t, "other bytes are held than are counted", func() bool { s := e.Stats(); return s.PageBytes == s.CacheBytes })
	s := e.Stats()
	t.Logf("%d steps, %d of %d tokens cached, %d preemptions, %d bytes, %d of %d guesses",
		s.Steps, s.CacheHits, s.CacheQueries, s.Preemptions, s.CacheBytes, s.Accepted, s.Drafted)
	if x := e.Options().Speculate; x != nil && x.Always && (s.Accepted == 0 || s.Accepted >= s.Drafted) {
		t.Errorf("%d of %d guesses came true: that proves little", s.Accepted, s.Drafted)
	}
	if s.CacheLimit > 0 && s.CacheBytes > s.CacheLimit {
		t.Errorf("the cache holds %d bytes of %d", s.CacheBytes, s.CacheLimit)
	}
}

// difference shows the first line that two answers differ in.
func difference(a, b string) string {
	x, y := strings.Split(a, "\n"), strings.Split(b, "\n")
	for i := range min(len(x), len(y)) {
		if x[i] != y[i] {
			return fmt.Sprintf("line %d:\n%s\n%s", i, x[i], y[i])
		}
	}
	return fmt.Sprintf("%d and %d lines", len(x), len(y))
}
