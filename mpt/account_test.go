package mpt

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"testing"
)

// A full account under a Batcher: sessions that find it empty give theirs up, and in the end all is given back.
func TestFullAccount(t *testing.T) {
	m := mini().open(t, BatchSize(32), Threads(2))
	if err := m.budget(); err != nil {
		t.Fatal(err)
	}
	m.pages.limit(9 * m.CacheBytes(1))
	b := NewBatcher(m)
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			r := rand.New(rand.NewPCG(uint64(i), 3))
			for range 30 {
				s := newSessionOf(t, m, 300)
				s.batcher = b
				var full *MemoryError
				for range 6 {
					n := s.Len()
					ids := make([]int32, 1+r.IntN(70))
					if n+len(ids) > 300 {
						break
					}
					if err := s.Eval(context.Background(), ids); err != nil && !errors.As(err, &full) {
						t.Error(err)
					} else if err == nil && s.Len() != n+len(ids) {
						t.Error("length")
					}
					if f, err := s.Fork(); err == nil {
						f.Truncate(r.IntN(f.Len() + 1))
						if err := f.Eval(context.Background(), []int32{1}); err != nil && !errors.As(err, &full) {
							t.Error(err)
						}
						f.Close()
					}
					if s.Len() > 2 {
						if err := s.Drop(0, 1); err != nil {
							t.Error(err)
						}
					}
				}
				s.Close()
			}
		})
	}
	wg.Wait()
	if m.pages.used != 0 || len(m.pages.free) != 0 || m.pages.spare != 0 {
		t.Errorf("%d used, %d free, %d spare", m.pages.used, len(m.pages.free), m.pages.spare)
	}
}
