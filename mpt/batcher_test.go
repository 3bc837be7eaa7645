package mpt

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// TestBatcher has sessions in goroutines of their own read prompts of all lengths and
// generate: each gets what it gets alone.
func TestBatcher(t *testing.T) {
	m := mini().open(t, BatchSize(64), Threads(2))
	b := NewBatcher(m)
	const sessions = 12
	one := func(open opener, i int) (string, error) {
		s, err := open(ContextSize(400))
		if err != nil {
			return "", err
		}
		defer s.Close()
		ids := make([]int32, 1+i*i*2)
		for k := range ids {
			ids[k] = int32(k * (i + 3) % 250)
		}
		var text strings.Builder
		rows, told := 0, 0
		err = s.EvalWith(context.Background(), ids, EvalOptions{
			Visit: func(k int, logits []float32) error {
				if k != rows {
					return fmt.Errorf("token %d after %d", k, rows)
				}
				rows++
				fmt.Fprint(&text, logits[k%len(logits)], " ")
				return nil
			},
			Progress: func(done int) { told = done },
		})
		if err != nil || rows != len(ids) || told != len(ids) {
			return "", fmt.Errorf("%w, %d rows and %d told of %d", err, rows, told, len(ids))
		}
		for tok, err := range s.Generate(context.Background(), GenerateOptions{MaxTokens: 5 + i, IgnoreEOS: true}) {
			if err != nil {
				return "", err
			}
			fmt.Fprint(&text, tok.ID, " ")
		}
		return text.String(), nil
	}
	var wg sync.WaitGroup
	var got [sessions]string
	for i := range got {
		wg.Go(func() {
			var err error
			if got[i], err = one(b.NewSession, i); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	for i := range got {
		if want, err := one(m.NewSession, i); err != nil || got[i] != want {
			t.Errorf("session %d: %v, other results than alone", i, err)
		}
	}
}

// TestBatcherShares: while somebody waits for single tokens a long text takes its place in
// pieces, and two long ones share what is left.
func TestBatcherShares(t *testing.T) {
	m := mini().open(t, BatchSize(512))
	b := NewBatcher(m)
	var r round
	waiting := func(lengths ...int) {
		b.waiting = nil
		for _, n := range lengths {
			b.waiting = append(b.waiting, &ticket{step: &Step{IDs: make([]int32, n)}})
		}
	}
	for _, c := range []struct{ waits, want []int }{
		{[]int{1}, []int{1}},
		{[]int{2000}, []int{512}},
		{[]int{1, 2000, 1}, []int{1, 1, 126}},
		{[]int{1, 2000, 40, 1}, []int{1, 1, 63, 40}},
		{[]int{3000, 2000}, []int{256, 256}},
		{[]int{100, 2000}, []int{100, 412}},
		{append(slices.Repeat([]int{1}, 200), 300), append(slices.Repeat([]int{1}, 200), 32)},
	} {
		waiting(c.waits...)
		b.pick(&r)
		var got []int
		for _, s := range r.steps {
			got = append(got, len(s.IDs))
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("of %v: %v, want %v", c.waits, got, c.want)
		}
	}
	waiting()
	if b.pick(&r) {
		t.Error("a batch of nothing")
	}
}

// TestBatcherErrors: an error, or the end of a caller's context, is that caller's alone.
func TestBatcherErrors(t *testing.T) {
	m := mini().open(t)
	b := NewBatcher(m)
	open := func() *Session {
		s, err := b.NewSession(ContextSize(50))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(s.Close)
		return s
	}
	good, full, late := open(), open(), open()
	held := m.take(context.Background()) // nothing is evaluated until give
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	var errs [3]error
	for i, s := range []*Session{good, full, late} {
		ids, ctx := []int32{1, 2, 3}, ctx
		if s == full {
			ids = make([]int32, 51)
		}
		if s != late {
			ctx = context.Background()
		}
		wg.Go(func() { errs[i] = s.Eval(ctx, ids) })
	}
	time.Sleep(5 * time.Millisecond)
	cancel()
	m.give()
	wg.Wait()
	if held != nil || errs[0] != nil || !errors.Is(errs[1], ErrContextFull) || errs[2] != nil && !errors.Is(errs[2], context.Canceled) {
		t.Errorf("%v", errs)
	}
	if good.Len() != 3 || full.Len() != 0 || (late.Len() == 3) != (errs[2] == nil) {
		t.Errorf("%d, %d and %d tokens", good.Len(), full.Len(), late.Len())
	}
	if err := good.Eval(context.Background(), []int32{4}); err != nil {
		t.Error(err)
	}
	good.Close()
	if err := good.Eval(context.Background(), []int32{4}); err == nil {
		t.Error("a closed session answers")
	}
}
