package mpt

import (
	"context"
	"errors"
	"runtime"
	"sync"
	"testing"
	"time"
)

// An evaluation of no token is nothing, as without a Batcher. It would crash the process: the
// batcher's goroutine would cut one token from an empty slice, or take what lies behind it.
func TestBatcherNoTokenBehind(t *testing.T) {
	m := mini().open(t)
	s, err := NewBatcher(m).NewSession(ContextSize(50))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	ids := []int32{1, 2, 3}
	if err := s.Eval(context.Background(), ids[:0]); err != nil {
		t.Error(err)
	}
	if s.Len() != 0 {
		t.Errorf("%v after an evaluation of no token", s.Tokens())
	}
}

// A step that fails for lack of pages keeps none of those that it got on the way: others need them.
func TestMemoryFailureKeepsPages(t *testing.T) {
	probe := mini().open(t)
	page := probe.CacheBytes(1)
	m := mini().open(t, BatchSize(512))
	if err := m.budget(); err != nil {
		t.Fatal(err)
	}
	m.pages.limit(4 * page) // as an account of four pages does
	a, b := m.session(t), newSessionOf(t, m, 500)
	defer b.Close()
	ctx := context.Background()
	if err := a.Eval(ctx, make([]int32, 32)); err != nil {
		t.Fatal(err)
	}
	var full *MemoryError
	if err := b.Eval(ctx, make([]int32, 200)); !errors.As(err, &full) {
		t.Fatal(err)
	}
	t.Logf("b has %d tokens and %d pages: %v", b.Len(), len(b.cache.pages), full)
	if n := m.pages.inUse(); n != page {
		t.Errorf("%d pages in use, want 1", n/page)
	}
	if err := b.Reset(); err != nil {
		t.Fatal(err)
	}
	if n := m.pages.inUse(); n != page {
		t.Errorf("%d pages in use after Reset, want 1", n/page)
	}
	if err := a.Eval(ctx, []int32{1}); err != nil {
		t.Errorf("another session: %v", err)
	}
}

// A cancelled evaluation leaves no page behind that Reset would not release.
func TestCancelledKeepsPages(t *testing.T) {
	m := mini().open(t, BatchSize(512))
	s := m.session(t, ContextSize(600))
	ctx, cancel := context.WithCancel(context.Background())
	err := s.EvalAll(ctx, make([]int32, 500), func(i int, _ []float32) error { cancel(); return nil })
	if !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	if err := s.Reset(); err != nil {
		t.Fatal(err)
	}
	if n := m.pages.inUse(); n != 0 || s.Len() != 0 {
		t.Errorf("%d tokens, %d pages", s.Len(), n/m.CacheBytes(1))
	}
}

// Single tokens must not keep a text from ever being read.
func TestBatcherStarves(t *testing.T) {
	m := mini().open(t, BatchSize(4))
	b := NewBatcher(m)
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Second)
	defer cancel()
	stop := make(chan struct{})
	var wg sync.WaitGroup
	for range 8 {
		s, err := b.NewSession(ContextSize(64))
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		wg.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				if s.Len() == 64 {
					s.Reset()
				}
				// As slow as a larger model: the others come back meanwhile.
				slow := func(int, []float32) error { time.Sleep(time.Millisecond); return nil }
				if err := s.EvalAll(context.Background(), []int32{1}, slow); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	time.Sleep(20 * time.Millisecond)
	s, err := b.NewSession(ContextSize(64))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if err := s.Eval(ctx, []int32{1, 2, 3, 4, 5}); err != nil {
		t.Errorf("%d of 5 tokens in 3 s: %v", s.Len(), err)
	}
	close(stop)
	wg.Wait()
}

// Progress may use the batcher.
func TestProgressHoldsBatcher(t *testing.T) {
	m := mini().open(t)
	b := NewBatcher(m)
	s, err := b.NewSession(ContextSize(64))
	if err != nil {
		t.Fatal(err)
	}
	o, err := b.NewSession(ContextSize(64))
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() {
		done <- s.EvalWith(context.Background(), []int32{1, 2}, EvalOptions{Progress: func(int) {
			ctx, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
			defer cancel()
			o.Eval(ctx, []int32{1})
		}})
	}()
	select {
	case err := <-done:
		t.Log(err)
	case <-time.After(2 * time.Second):
		buf := make([]byte, 1<<16)
		t.Fatalf("deadlock, deaf to the context as well:\n%s", buf[:runtime.Stack(buf, true)])
	}
	s.Close()
	o.Close()
}

// With nothing in the batcher's context, an Eval of nil crashes the process. Last: it ends the run.
func TestBatcherNoToken(t *testing.T) {
	m := mini().open(t)
	s, err := NewBatcher(m).NewSession(ContextSize(50))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if err := s.Eval(context.Background(), nil); err != nil {
		t.Error(err)
	}
}
