package mpt

import (
	"context"
	"slices"
	"testing"

	"mptgo/ggml"
)

// A session that copies a part of another goes on as one that evaluated those tokens, and
// neither sees what the other does afterwards.
func TestCopyFrom(t *testing.T) {
	m := mini().open(t)
	ids := scoreTokens(120)
	o := m.session(t, ContextSize(200))
	if err := o.Eval(context.Background(), ids); err != nil {
		t.Fatal(err)
	}
	for _, n := range []int{0, 1, 31, 32, 33, 70, 120} {
		s := m.session(t, ContextSize(200))
		if err := s.Eval(context.Background(), scoreTokens(50)); err != nil {
			t.Fatal(err)
		}
		if err := s.CopyFrom(o, n); err != nil {
			t.Fatal(err)
		}
		if s.Len() != n || (s.Logits() != nil) != (n == 120) {
			t.Errorf("%d tokens: %d, logits %v", n, s.Len(), s.Logits() != nil)
		}
		more := []int32{3, 1, 4}
		if err := s.Eval(context.Background(), more); err != nil {
			t.Fatal(err)
		}
		alone := m.session(t, ContextSize(200))
		if err := alone.Eval(context.Background(), append(slices.Clone(ids[:n]), more...)); err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(bitsOf(s.Logits()), bitsOf(alone.Logits())) {
			t.Errorf("after %d copied tokens: other bits", n)
		}
	}
	again := m.session(t, ContextSize(200))
	if err := again.Eval(context.Background(), ids); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(bitsOf(o.Logits()), bitsOf(again.Logits())) {
		t.Error("the copied session has changed")
	}
}

func TestCopyFromRefuses(t *testing.T) {
	m := mini().open(t)
	o := m.session(t)
	if err := o.Eval(context.Background(), scoreTokens(40)); err != nil {
		t.Fatal(err)
	}
	short, other := m.session(t, ContextSize(10)), mini().open(t).session(t)
	closed := m.session(t)
	closed.Close()
	for name, err := range map[string]error{
		"itself": o.CopyFrom(o, 1), "another model": other.CopyFrom(o, 1), "too many": m.session(t).CopyFrom(o, 41),
		"negative": m.session(t).CopyFrom(o, -1), "too short": short.CopyFrom(o, 11), "closed": closed.CopyFrom(o, 1),
		"from closed": o.CopyFrom(closed, 0), "share": other.ShareWith(o), "share closed": o.ShareWith(closed),
	} {
		if err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	changed := m.session(t)
	if err := changed.SetAdapters(AdapterUse{twoAdapters(t, m)[0], 1}); err != nil {
		t.Fatal(err)
	}
	if changed.CopyFrom(o, 1) == nil || changed.ShareWith(o) == nil {
		t.Error("other adapters: no error")
	}
	if o.Len() != 40 || o.Logits() == nil {
		t.Error("a refused copy has changed the session")
	}
}

// Two sessions that evaluated the same tokens share their whole pages afterwards, and go on
// with the same bits.
func TestShareWith(t *testing.T) {
	m := mini().open(t)
	ids := scoreTokens(100)
	var list [2]*Session
	for k := range list {
		list[k] = m.session(t, ContextSize(200))
		if err := list[k].Eval(context.Background(), append(slices.Clone(ids), int32(k), 9)); err != nil {
			t.Fatal(err)
		}
	}
	before := m.pages.used
	if err := list[1].ShareWith(list[0]); err != nil {
		t.Fatal(err)
	}
	if saved := before - m.pages.used; saved != 100/ggml.PageSize {
		t.Errorf("%d pages saved, want %d", saved, 100/ggml.PageSize)
	}
	alone := m.session(t, ContextSize(200))
	if err := alone.Eval(context.Background(), append(slices.Clone(ids), 1, 9, 5)); err != nil {
		t.Fatal(err)
	}
	list[0].Close()
	if err := list[1].Eval(context.Background(), []int32{5}); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(bitsOf(list[1].Logits()), bitsOf(alone.Logits())) {
		t.Error("other bits")
	}
	if err := list[1].ForgetLogits(); err != nil || list[1].Logits() != nil {
		t.Errorf("logits are left: %v", err)
	}
}

func TestParallel(t *testing.T) {
	m := mini().open(t, Threads(2))
	done := make([]bool, 1000)
	if err := m.Parallel(len(done), func(i int) { done[i] = true }); err != nil || slices.Contains(done, false) {
		t.Errorf("not all were called: %v", err)
	}
	if err := m.Parallel(0, nil); err != nil {
		t.Error(err)
	}
}
