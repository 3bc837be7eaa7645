package mpt

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
)

// onHost opens some models on one host with memory for so many pages beside all that is fixed,
// until the end of the test.
func onHost(t *testing.T, models int, pages int64) (h *Host, list []*Model) {
	t.Helper()
	one := mini().open(t)
	arena, err := one.arena()
	if err != nil {
		t.Fatal(err)
	}
	h = NewHost(2)
	t.Cleanup(func() {
		if err := h.Close(); err != nil {
			t.Error(err)
		}
	})
	for range models {
		m := mini().open(t, OnHost(h), having(int64(models)*(one.file.Size()+arena)+pages*one.CacheBytes(1)))
		list = append(list, m)
	}
	for _, m := range list {
		if err := m.budget(); err != nil {
			t.Fatal(err)
		}
	}
	return h, list
}

// TestHostMemory: what one model reserves nobody else gets; the rest is for whoever asks first.
func TestHostMemory(t *testing.T) {
	_, list := onHost(t, 2, 10)
	a, b := list[0], list[1]
	page := a.CacheBytes(1)
	limits := func(want ...int64) {
		t.Helper()
		for i, m := range list {
			mem, err := m.Memory()
			if err != nil || mem.CacheLimit != want[i]*page {
				t.Errorf("model %d may take %d pages, %v, want %d", i, mem.CacheLimit/page, err, want[i])
			}
		}
	}
	limits(10, 10)
	if err := a.Reserve(3 * 32); err != nil {
		t.Fatal(err)
	}
	limits(10, 7)
	full := (*MemoryError)(nil)
	if err := b.Reserve(8 * 32); !errors.As(err, &full) || full.Fits != 7*32 {
		t.Errorf("%v: want a context of %d that fits", err, 7*32)
	}
	s := b.session(t, ContextSize(7*32))
	for n := int64(1); n <= 7; n++ {
		if err := s.Eval(context.Background(), make([]int32, 32)); err != nil {
			t.Fatal(err)
		}
		limits(10-n, 7)
	}
	other := newSessionOf(t, b, 300)
	defer other.Close()
	if err := other.Eval(context.Background(), make([]int32, 1)); !errors.As(err, &full) {
		t.Errorf("a page that is reserved for another model: %v", err)
	}
	x := a.session(t, ContextSize(3*32))
	if err := x.Eval(context.Background(), make([]int32, 3*32)); err != nil {
		t.Errorf("what is reserved is not there: %v", err)
	}
	more := newSessionOf(t, a, 300)
	defer more.Close()
	if err := more.Eval(context.Background(), make([]int32, 1)); !errors.As(err, &full) {
		t.Errorf("more than there is: %v", err)
	}
	s.Close()
	limits(10, 7)
	if err := more.Eval(context.Background(), make([]int32, 7*32)); err != nil {
		t.Errorf("what others gave back is not there: %v", err)
	}
	limits(10, 0)
}

// TestHostLeave: a closed model takes nothing, and a host with models stays open.
func TestHostLeave(t *testing.T) {
	h, list := onHost(t, 2, 4)
	if err := list[0].Reserve(4 * 32); err != nil {
		t.Fatal(err)
	}
	if err := list[1].Reserve(1); err == nil {
		t.Error("both have all")
	}
	if err := h.Close(); err == nil {
		t.Error("the host ends below its models")
	}
	if err := list[0].Close(); err != nil {
		t.Fatal(err)
	}
	if err := list[1].Reserve(4 * 32); err != nil {
		t.Error(err)
	}
}

// TestHostSame: models that are evaluated by turns, at the same time and with little memory,
// have the bits that they have alone.
func TestHostSame(t *testing.T) {
	want := fmt.Sprint(hostBits(t, mini().open(t), 1))
	_, list := onHost(t, 3, 1<<20)
	var wg sync.WaitGroup
	for _, m := range list {
		for range 3 {
			wg.Go(func() {
				if got := fmt.Sprint(hostBits(t, m, 1)); got != want {
					t.Error("other bits than alone")
				}
			})
		}
	}
	wg.Wait()
}

// hostBits are the logits after some texts.
func hostBits(t *testing.T, m *Model, seed uint64) (all []uint32) {
	r := rand.New(rand.NewPCG(seed, 1))
	s := newSessionOf(t, m, 300)
	defer s.Close()
	for s.Len() < 200 {
		ids := make([]int32, 1+r.IntN(30))
		for i := range ids {
			ids[i] = int32(r.IntN(200))
		}
		if err := s.Eval(context.Background(), ids); err != nil {
			t.Error(err)
		}
		all = slices.Concat(all, bitsOf(s.Logits()))
	}
	return all
}
