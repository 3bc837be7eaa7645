package mpt

import (
	"context"
	"errors"
	"math/rand/v2"
	"runtime"
	"sync"
	"testing"
	"time"

	"mptgo/ggml"
	"mptgo/sampling"
)

// Drop without a page for a shared one is a lack of memory as everywhere else.
func TestDropMemoryError(t *testing.T) {
	m := mini().open(t)
	s := m.session(t, ContextSize(400))
	if err := s.Eval(context.Background(), make([]int32, 100)); err != nil {
		t.Fatal(err)
	}
	f, err := s.Fork()
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := m.budget(); err != nil {
		t.Fatal(err)
	}
	m.pages.limit(4 * m.CacheBytes(1))
	var full *MemoryError
	if err := f.Drop(10, 90); !errors.As(err, &full) {
		t.Errorf("%v: want a MemoryError", err)
	}
	if f.Len() != 100 || m.pages.inUse() != 4*m.CacheBytes(1) {
		t.Errorf("%d tokens, %d pages", f.Len(), m.pages.inUse()/m.CacheBytes(1))
	}
}

// Drop needs pages for what stays alone: 20 tokens in one page, here.
func TestDropNeedsFewPages(t *testing.T) {
	m := mini().open(t, BatchSize(512))
	s := m.session(t, ContextSize(400))
	if err := s.Eval(context.Background(), make([]int32, 320)); err != nil {
		t.Fatal(err)
	}
	f, err := s.Fork()
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	m.pages.limit(11 * m.CacheBytes(1))
	if err := f.Drop(10, 310); err != nil {
		t.Errorf("one page is free, one is needed: %v", err)
	}
}

// A token that is chosen and not evaluated is not chosen again.
func TestChooseTwice(t *testing.T) {
	m := mini().open(t)
	s := evaluated(t, m, 1, 2, 3)
	g, err := s.NewGeneration(GenerateOptions{IgnoreEOS: true, MaxTokens: 3})
	if err != nil {
		t.Fatal(err)
	}
	var n int
	for range 3 {
		if tok, ok := g.Choose(); ok && tok.ID >= 0 {
			n++
		}
	}
	if n > 1 || g.Tokens() > 1 {
		t.Errorf("%d tokens of one evaluation, %d counted, %q, %d in the session", n, g.Tokens(), g.Why(), s.Len())
	}
}

// The prompt reaches the sampler also if it is evaluated after NewGeneration, as its
// comment allows.
func TestHistoryOfLatePrompt(t *testing.T) {
	m := mini().open(t)
	ids := make([]int32, 40)
	r := rand.New(rand.NewPCG(1, 2))
	for i := range ids {
		ids[i] = int32(r.IntN(m.config.Vocab))
	}
	one := func(late bool) (out []int32) {
		s := m.session(t)
		p := sampling.DefaultParams()
		p.Temp, p.RepeatPenalty, p.RepeatLastN = 0, 100, 1000
		chain, err := sampling.New(p, nil)
		if err != nil {
			t.Fatal(err)
		}
		if !late {
			if err := s.Eval(context.Background(), ids); err != nil {
				t.Fatal(err)
			}
		}
		g, err := s.NewGeneration(GenerateOptions{Sampler: chain, IgnoreEOS: true, MaxTokens: 12})
		if err != nil {
			t.Fatal(err)
		}
		if late {
			if err := s.Eval(context.Background(), ids); err != nil {
				t.Fatal(err)
			}
		}
		for tok, err := range g.All(context.Background()) {
			if err != nil {
				t.Fatal(err)
			}
			out = append(out, tok.ID)
		}
		return out
	}
	a, b := one(false), one(true)
	for i := range a {
		if a[i] != b[i] {
			t.Fatalf("%v before, %v after", a, b)
		}
	}
}

// Cancelling an evaluation before anything happened leaves the session as it was, logits included.
func TestCancelledLogits(t *testing.T) {
	m := mini().open(t)
	s := evaluated(t, m, 1, 2, 3)
	want := bitsOf(s.Logits())
	ctx := &late{Context: context.Background(), n: 1}
	err := s.Eval(ctx, []int32{4})
	if !errors.Is(err, context.Canceled) || s.Len() != 3 {
		t.Fatal(err, s.Len())
	}
	got := s.Logits()
	if got == nil {
		t.Fatal("its 3 tokens have no logits any more")
	}
	for i, x := range bitsOf(got) {
		if x != want[i] {
			t.Fatal("other logits")
		}
	}
}

// late is a context that is done after n looks.
type late struct {
	context.Context
	n int
}

func (l *late) Err() error {
	if l.n--; l.n < 0 {
		return context.Canceled
	}
	return nil
}

// The account says what the activations of the graph in use are.
func TestArenaOfAdapters(t *testing.T) {
	m := mini().open(t, BatchSize(512))
	a := twoAdapters(t, m)
	s := m.session(t)
	var uses []AdapterUse
	for i := range 40 {
		uses = append(uses, AdapterUse{a[i%2], 0.1})
	}
	if err := s.SetAdapters(uses...); err != nil {
		t.Fatal(err)
	}
	if err := s.Eval(context.Background(), []int32{1, 2, 3}); err != nil {
		t.Fatal(err)
	}
	if mem, err := m.Memory(); err != nil || mem.Activations != int64(m.runner.exec.Bytes()) {
		t.Errorf("%d announced, %d taken, %v", mem.Activations, m.runner.exec.Bytes(), err)
	}
}

// Close, of the session, at any time while another goroutine evaluates by a Batcher.
func TestCloseDuringEval(t *testing.T) {
	for _, batched := range []bool{false, true} {
		m := mini().open(t, BatchSize(16), Threads(2))
		b := NewBatcher(m)
		var wg sync.WaitGroup
		for i := range 100 {
			open := m.NewSession
			if batched {
				open = b.NewSession
			}
			s, err := open(ContextSize(200))
			if err != nil {
				t.Fatal(err)
			}
			wg.Go(func() { s.Eval(context.Background(), make([]int32, 1+i)) })
			wg.Go(func() { time.Sleep(time.Duration(i%10) * 20 * time.Microsecond); s.Close() })
		}
		wg.Wait()
		if n := m.pages.inUse(); n != 0 {
			t.Errorf("batched %v: %d pages in use", batched, n/m.CacheBytes(1))
		}
	}
}

// Cancellations at all moments leave nothing behind.
func TestBatcherCancel(t *testing.T) {
	before := runtime.NumGoroutine()
	m := mini().open(t, BatchSize(16), Threads(2))
	b := NewBatcher(m)
	var wg sync.WaitGroup
	for i := range 16 {
		wg.Go(func() {
			r := rand.New(rand.NewPCG(uint64(i), 1))
			for range 30 {
				s, err := b.NewSession(ContextSize(200))
				if err != nil {
					t.Error(err)
					return
				}
				ctx, cancel := context.WithTimeout(context.Background(), time.Duration(r.IntN(1500))*time.Microsecond)
				ids := make([]int32, 1+r.IntN(100))
				for k := range ids {
					ids[k] = int32(r.IntN(250))
				}
				err = s.Eval(ctx, ids)
				cancel()
				if (err == nil) != (s.Len() == len(ids)) || err == nil && s.Logits() == nil {
					t.Errorf("%d of %d: %v", s.Len(), len(ids), err)
				}
				if err != nil && !errors.Is(err, context.DeadlineExceeded) {
					t.Error(err)
				}
				if n := s.Len(); n < len(ids) {
					if err := s.Eval(context.Background(), ids[n:]); err != nil {
						t.Error(err)
					}
				}
				if i == 0 {
					want := newSessionOf(t, m, 200)
					if err := want.Eval(context.Background(), ids); err != nil {
						t.Error(err)
					}
					for k, x := range bitsOf(want.Logits()) {
						if x != bitsOf(s.Logits())[k] {
							t.Error("other bits after a cancellation")
							break
						}
					}
					want.Close()
				}
				s.Close()
			}
		})
	}
	wg.Wait()
	time.Sleep(5 * time.Millisecond)
	if n := m.pages.inUse(); n != 0 {
		t.Errorf("%d pages", n/m.CacheBytes(1))
	}
	if n := runtime.NumGoroutine(); n > before+m.Threads() {
		t.Errorf("%d goroutines, %d before", n, before)
	}
}

// SetAdapters, LoadAdapter and Profile while others evaluate.
func TestAdaptersWhileOthers(t *testing.T) {
	m := mini().open(t, BatchSize(16), Threads(2))
	b := NewBatcher(m)
	path := miniAdapter().onDisk(t)
	var wg sync.WaitGroup
	for i := range 6 {
		wg.Go(func() {
			r := rand.New(rand.NewPCG(uint64(i), 9))
			s, err := b.NewSession(ContextSize(100))
			if err != nil {
				t.Error(err)
				return
			}
			defer s.Close()
			for range 15 {
				var uses []AdapterUse
				for range r.IntN(3) {
					a, err := m.LoadAdapter(path)
					if err != nil {
						t.Error(err)
						return
					}
					uses = append(uses, AdapterUse{a, float32(r.IntN(3)) / 2})
				}
				if r.IntN(3) == 0 && len(uses) > 0 {
					uses = append(uses, uses[0])
				}
				s.Reset()
				if err := s.SetAdapters(uses...); err != nil {
					t.Error(err)
				}
				ids := make([]int32, 1+r.IntN(50))
				if err := s.Eval(context.Background(), ids); err != nil {
					t.Error(err)
				}
				m.Profile(r.IntN(2) == 0)
				m.Costs()
				m.Memory()
				f, err := s.Fork()
				if err != nil {
					t.Error(err)
					return
				}
				if err := f.Eval(context.Background(), []int32{5, 6}); err != nil {
					t.Error(err)
				}
				f.Close()
			}
		})
	}
	wg.Wait()
	t.Logf("%d adapters in the graph", len(m.runner.adapters))
}

// What a closed model answers.
func TestClosedModel(t *testing.T) {
	m, err := loaded(mini().File(t))
	if err != nil {
		t.Fatal(err)
	}
	s := newSessionOf(t, m, 20)
	if err := s.Eval(context.Background(), []int32{1}); err != nil {
		t.Fatal(err)
	}
	m.Profile(true)
	s.Close()
	if err := m.Close(); err != nil {
		t.Fatal(err)
	}
	m.Profile(true)
	m.Costs()
	t.Log(m.Memory())
	t.Log(m.NewSession())
	t.Log(m.Run(context.Background(), []Step{{Session: s, IDs: []int32{1}}}))
	_, err = s.Fork()
	t.Log(err, s.Truncate(0), s.Unshare())
	if _, err := s.NewGeneration(GenerateOptions{}); err == nil {
		t.Error("a generation")
	}
}

var _ = ggml.PageSize

// A step that compiles the graph anew for one adapter more: what the account says of it, and whether
// graphs keep adapters that no session uses any more.
func TestArenaOfOneAdapter(t *testing.T) {
	m := mini().open(t, BatchSize(512))
	a := twoAdapters(t, m)
	s := m.session(t)
	if err := s.SetAdapters(AdapterUse{a[0], 1}, AdapterUse{a[1], 1}, AdapterUse{a[0], 1}); err != nil {
		t.Fatal(err)
	}
	if err := s.Eval(context.Background(), []int32{1, 2, 3}); err != nil {
		t.Fatal(err)
	}
	if mem, err := m.Memory(); err != nil || mem.Activations != int64(m.runner.exec.Bytes()) {
		t.Errorf("%d announced, %d taken, %v", mem.Activations, m.runner.exec.Bytes(), err)
	}
	if err := s.SetAdapters(); err != nil {
		t.Fatal(err)
	}
	if err := s.Eval(context.Background(), []int32{1, 2, 3}); err != nil {
		t.Fatal(err)
	}
	t.Logf("%d adapters in the graph, none in use", len(m.runner.adapters))
}
