package serve

import (
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"mptgo/mpt"
)

// TestSameOnHost asks two models of one host, each with a draft model, many requests at about the
// same time, with much memory and with little: every answer has the bits that it has alone.
func TestSameOnHost(t *testing.T) {
	n := 32
	if testing.Short() {
		n = 12
	}
	r := rand.New(rand.NewPCG(5, 6))
	requests, want := make([]Request, n), make([]string, n)
	m := open(t)
	for i := range requests {
		requests[i] = randomRequest(r)
		e := start(t, m, Options{CacheBytes: -1})
		want[i] = ask(t, e, requests[i])
		e.Close()
	}
	page := m.CacheBytes(1)
	for name, x := range map[string]struct {
		pages, cache int64 // of all
	}{"plenty": {1000, 50}, "tight": {26, 6}, "tight, no cache": {24, 0}, "tight, much cache": {30, 1000}} {
		t.Run(name, func(t *testing.T) {
			budget := limit(t, 4, x.pages)
			host := mpt.NewHost(2)
			cache := x.cache * page
			if cache == 0 {
				cache = -1
			}
			caches := NewCaches(CacheOptions{CacheBytes: cache})
			t.Cleanup(func() {
				if err := host.Close(); err != nil {
					t.Error(err)
				}
			})
			var engines []*Engine
			for range 2 {
				m := open(t, mpt.OnHost(host), budget)
				d, err := mpt.NewDrafter(m, open(t, mpt.OnHost(host), budget), mpt.DrafterOptions{Sequences: 8})
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(d.Close)
				spec := &mpt.Speculation{Always: true, Drafter: d}
				engines = append(engines, start(t, m, Options{Parallel: 8, MaxQueue: 2 * n, Speculate: spec, Caches: caches}))
			}
			var wg sync.WaitGroup
			for i, q := range requests {
				for k, e := range engines {
					wg.Go(func() {
						time.Sleep(time.Duration((7*i+3*k)%20) * time.Millisecond)
						if got := ask(t, e, q); got != want[i] {
							t.Errorf("request %d of model %d: another answer\n%s", i, k, difference(want[i], got))
						}
					})
				}
			}
			wg.Wait()
			for _, e := range engines {
				s := e.Stats()
				t.Logf("%d steps, %d preemptions, %d of %d guesses", s.Steps, s.Preemptions, s.Accepted, s.Drafted)
			}
		})
	}
}
