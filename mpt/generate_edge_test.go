package mpt

import (
	"bytes"
	"context"
	"fmt"
	"testing"
	"time"
)

// A panic in Visit can be recovered from, and the model goes on.
func TestVisitPanics(t *testing.T) {
	m := mini().open(t)
	s, o := m.session(t), m.session(t)
	func() {
		defer func() { recover() }()
		s.EvalAll(context.Background(), []int32{1, 2}, func(int, []float32) error { panic("visit") })
	}()
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	if err := o.Eval(ctx, []int32{1}); err != nil {
		t.Error(err)
	}
	if err := s.Eval(ctx, []int32{1}); err != nil {
		t.Error(err)
	}
}

// What a generation says about itself agrees with what the session holds.
func TestGenerations(t *testing.T) {
	m := mini().open(t)
	for _, size := range []int{1, 2, 3, 8, 40} {
		for _, n := range []int{0, 1, 2, 7} {
			for _, shift := range []bool{false, true} {
				for _, keep := range []int{0, 1, 100} {
					what := fmt.Sprint(size, n, shift, keep)
					s, err := m.NewSession(ContextSize(size))
					if err != nil {
						t.Fatal(err)
					}
					if err := s.Eval(context.Background(), []int32{65}); err != nil {
						t.Fatal(err)
					}
					g, err := s.NewGeneration(GenerateOptions{MaxTokens: n, Shift: shift, Keep: keep, IgnoreEOS: true, Stop: []string{"zzzzzz"}})
					if err != nil {
						t.Fatal(err)
					}
					got := 0
					for got < 100 {
						tok, ok := g.Next(context.Background())
						if !ok {
							break
						}
						if tok.ID >= 0 {
							got++
						}
					}
					if got != g.Tokens() || got < 100 && g.Why() == NotEnded {
						t.Errorf("%s: %d tokens, %d, %q %v", what, got, g.Tokens(), g.Why(), g.Err())
					}
					if !shift && n == 0 && (got != size-1 || g.Why() != EndedFull || s.Len() != size) {
						t.Errorf("%s: %d tokens, %q, %d held", what, got, g.Why(), s.Len())
					}
					if n > 0 && (shift || n < size) && (got != n || g.Why() != EndedLimit) {
						t.Errorf("%s: %d tokens, %q %v", what, got, g.Why(), g.Err())
					}
					if tok, ok := g.Next(context.Background()); ok && got < 100 {
						t.Errorf("%s: %v after the end", what, tok)
					}
					s.Close()
				}
			}
		}
	}
	if n := m.pages.inUse(); n != 0 {
		t.Error(n)
	}
}

// A closed model does not race with a profile.
func TestProfileAndClose(t *testing.T) {
	m, err := loaded(mini().File(t))
	if err != nil {
		t.Fatal(err)
	}
	s := newSessionOf(t, m, 20)
	if err := s.Eval(context.Background(), []int32{1}); err != nil {
		t.Fatal(err)
	}
	s.Close()
	done := make(chan bool)
	go func() {
		for range 100 {
			m.Profile(true)
			m.Costs()
		}
		close(done)
	}()
	if err := m.Close(); err != nil {
		t.Error(err)
	}
	<-done
}

// Len and Tokens while another goroutine opens and closes others; a model that is closed while sessions come.
func TestCloseAndNew(t *testing.T) {
	for range 20 {
		m, err := loaded(mini().File(t), Threads(2))
		if err != nil {
			t.Fatal(err)
		}
		done := make(chan bool)
		go func() {
			defer close(done)
			for range 50 {
				s, err := m.NewSession(ContextSize(8))
				if err != nil {
					return
				}
				s.Eval(context.Background(), []int32{1, 2})
				s.Close()
			}
		}()
		for m.Close() != nil {
		}
		<-done
	}
}

func saved(t *testing.T, s *Session) *bytes.Buffer {
	t.Helper()
	var b bytes.Buffer
	if err := s.Save(&b); err != nil {
		t.Fatal(err)
	}
	return &b
}
