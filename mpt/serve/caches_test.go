package serve

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"

	"mptgo/mpt"
)

// TestSharedBudget asks two engines at the same time: their caches never hold more together than
// their budget, an engine that comes later gets its part, and every answer is that of an engine
// alone.
func TestSharedBudget(t *testing.T) {
	first, second := open(t), open(t)
	page := first.CacheBytes(1)
	caches := NewCaches(CacheOptions{CacheBytes: 12 * page})
	a := start(t, first, Options{Caches: caches})
	r := rand.New(rand.NewPCG(1, 9))
	var requests []Request
	var want []string
	for range 24 {
		q := randomRequest(r)
		requests = append(requests, q)
		alone := start(t, first, Options{CacheBytes: -1})
		want = append(want, ask(t, alone, q))
		alone.Close()
	}
	for i := range 8 {
		ask(t, a, greedy(tokens(uint64(i), 100), 3))
	}
	if got := a.Stats(); got.CacheBytes <= 6*page || got.CacheLimit != 12*page {
		t.Errorf("an engine alone holds %d of %d bytes", got.CacheBytes, got.CacheLimit)
	}
	b := start(t, second, Options{Caches: caches})
	var wg sync.WaitGroup
	for i, q := range requests {
		e := a
		if i%2 == 1 {
			e = b
		}
		wg.Go(func() {
			if got := ask(t, e, q); got != want[i] {
				t.Errorf("request %d: another answer\n%s", i, difference(want[i], got))
			}
			if n := held(caches); n > 12*page {
				t.Errorf("the caches hold %d bytes of %d", n, 12*page)
			}
		})
	}
	wg.Wait()
	// The first engine gives its pages up between two of its steps, so a busy machine may see
	// several requests of the second end before there is room for them.
	asked := 0
	waitFor(t, "the second engine does not get its part", func() bool {
		ask(t, b, greedy(tokens(uint64(asked%8), 100), 3))
		asked++
		return asked >= 8 && b.Stats().CacheBytes >= 4*page
	})
	if n := held(caches); n > 12*page || a.Stats().CacheBytes+b.Stats().CacheBytes > 12*page {
		t.Errorf("the caches hold %d bytes of %d", n, 12*page)
	}
	b.Close()
	for i := range 8 {
		ask(t, a, greedy(tokens(uint64(i+20), 100), 3))
	}
	if got := a.Stats().CacheBytes; got <= 6*page {
		t.Errorf("what the other engine had is not there: %d pages", got/page)
	}
}

func held(c *Caches) int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.used()
}

// TestSharedFolder: engines of one folder count its files once, and find their own alone.
func TestSharedFolder(t *testing.T) {
	paths := forgeAdapters(t)
	dir := t.TempDir()
	caches := NewCaches(CacheOptions{CacheDir: dir, DiskBytes: 1 << 30})
	models := []*mpt.Model{open(t), open(t, mpt.LoRA(paths[0], 1))}
	answers := map[string]bool{}
	for range 2 {
		for i, m := range models {
			e := start(t, m, Options{Caches: caches})
			q := greedy(tokens(1, 150), 4)
			s, err := e.Submit(t.Context(), q)
			if err != nil {
				t.Fatal(err)
			}
			answers[fmt.Sprint(i, answer(s))] = true
			if err := e.Drain(t.Context()); err != nil {
				t.Error(err)
			}
			e.Close()
			if n := e.Stats().Disk.Bytes; n != caches.blocks.size.Load() || n == 0 {
				t.Errorf("%d bytes of %d", n, caches.blocks.size.Load())
			}
		}
	}
	if len(answers) != len(models) {
		t.Errorf("%d answers of %d models", len(answers), len(models))
	}
	b, err := openBlocks(dir, 1<<30)
	if err != nil || b.size.Load() != caches.blocks.size.Load() {
		t.Errorf("%d bytes are counted, %d there, %v", caches.blocks.size.Load(), b.size.Load(), err)
	}
}
