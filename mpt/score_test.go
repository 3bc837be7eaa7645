package mpt

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"testing"
)

// TestScore scores tokens from some index on, in batches of several sizes, alone and with
// others, through Run and a Batcher: each is scored once, before it is visited, with the
// logits that it has alone, and no more than ScoreBlock lie between.
func TestScore(t *testing.T) {
	ids := scoreTokens(150)
	var want [][]uint32
	err := mini().open(t).session(t, ContextSize(200)).EvalAll(context.Background(), ids, func(_ int, logits []float32) error {
		want = append(want, bitsOf(logits))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, batch := range []int{7, 64, 96, 512} {
		m := mini().open(t, BatchSize(batch), Threads(3))
		b := NewBatcher(m)
		for _, first := range []int{0, 1, 70, 149, 150, 200} {
			for name, open := range map[string]func(...SessionOption) (*Session, error){"Run": m.NewSession, "Batcher": b.NewSession} {
				t.Run(fmt.Sprintf("%s/%d/%d", name, batch, first), func(t *testing.T) {
					s, err := open(ContextSize(200))
					if err != nil {
						t.Fatal(err)
					}
					defer s.Close()
					testScore(t, s, ids, first, want)
				})
			}
		}
	}
}

func testScore(t *testing.T, s *Session, ids []int32, first int, want [][]uint32) {
	scored := make([]atomic.Int32, len(ids))
	var ahead atomic.Int32
	next := first
	err := s.EvalWith(context.Background(), ids, EvalOptions{
		First: first,
		Score: func(i int, logits []float32) error {
			if n := ahead.Add(1); n > ScoreBlock {
				t.Errorf("%d tokens are scored and not visited", n)
			}
			if scored[i].Add(1) != 1 || !slices.Equal(bitsOf(logits), want[i]) {
				t.Errorf("token %d is scored %d times or has other logits", i, scored[i].Load())
			}
			return nil
		},
		Visit: func(i int, logits []float32) error {
			ahead.Add(-1)
			if i != next || scored[i].Load() != 1 || !slices.Equal(bitsOf(logits), want[i]) {
				t.Errorf("token %d is visited where %d comes next, scored %d times", i, next, scored[i].Load())
			}
			next++
			return nil
		},
	})
	if err != nil || next != max(len(ids), first) {
		t.Errorf("visited up to %d of %d: %v", next, len(ids), err)
	}
	if wants := first < len(ids); (s.Logits() != nil) != wants {
		t.Errorf("the last token's logits are there: %v, want %v", s.Logits() != nil, wants)
	}
}

// An error of one step's Score ends that step alone, before it is visited.
func TestScoreError(t *testing.T) {
	m := mini().open(t, Threads(2))
	ids, bad := scoreTokens(40), errors.New("bad")
	visited := [2]int{}
	steps := make([]Step, 2)
	for k := range steps {
		steps[k] = Step{Session: m.session(t), IDs: ids, Logits: AllLogits}
		steps[k].Visit = func(i int, _ []float32) error { visited[k]++; return nil }
		steps[k].Score = func(i int, _ []float32) error {
			if k == 1 && i >= 5 {
				return bad
			}
			return nil
		}
	}
	if err := m.Run(context.Background(), steps); err != nil || steps[0].Err != nil || !errors.Is(steps[1].Err, bad) {
		t.Errorf("%v, %v, %v", err, steps[0].Err, steps[1].Err)
	}
	if visited != [2]int{40, 0} {
		t.Errorf("visited %v", visited)
	}
}

// What Score panics with reaches its caller, through a Batcher, too; the model goes on.
func TestScorePanic(t *testing.T) {
	m := mini().open(t, Threads(2))
	b := NewBatcher(m)
	for name, open := range map[string]func(...SessionOption) (*Session, error){"Run": m.NewSession, "Batcher": b.NewSession} {
		s, err := open(ContextSize(200))
		if err != nil {
			t.Fatal(err)
		}
		func() {
			defer func() {
				if x := recover(); x == nil {
					t.Errorf("%s: no panic", name)
				}
			}()
			s.EvalWith(context.Background(), scoreTokens(9), EvalOptions{
				Score: func(i int, _ []float32) error { panic("ouch") },
			})
		}()
		if err := m.session(t).Eval(context.Background(), scoreTokens(9)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		s.Close()
	}
}

func scoreTokens(n int) []int32 {
	ids := make([]int32, n)
	for i := range ids {
		ids[i] = int32(i * 7 % 100)
	}
	return ids
}
