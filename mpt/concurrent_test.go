package mpt_test

import (
	"context"
	"fmt"
	"sync"
	"testing"

	"mptgo/mpt"
)

// run is what a session of TestConcurrentSessions computes: logits after every
// token, and a continuation.
type run struct {
	rows [][]float32
	text string
}

// evaluate reads ids in chunks and generates.
func evaluate(m *mpt.Model, ids []int32, chunk int) (r run, err error) {
	ctx := context.Background()
	s, err := m.NewSession(mpt.ContextSize(len(ids) + 50))
	if err != nil {
		return r, err
	}
	defer s.Close()
	for i := 0; i < len(ids); i += chunk {
		err := s.EvalAll(ctx, ids[i:min(i+chunk, len(ids))], func(_ int, logits []float32) error {
			r.rows = append(r.rows, append([]float32(nil), logits...))
			return nil
		})
		if err != nil {
			return r, err
		}
	}
	for t, err := range s.Generate(ctx, mpt.GenerateOptions{MaxTokens: 20, IgnoreEOS: true}) {
		if err != nil {
			return r, err
		}
		r.text += fmt.Sprint(t.ID, " ")
	}
	return r, nil
}

func (r run) equal(other run) bool {
	if len(r.rows) != len(other.rows) || r.text != other.text {
		return false
	}
	for i := range r.rows {
		if !sameBits(r.rows[i], other.rows[i]) {
			return false
		}
	}
	return true
}

// Forks of one session that run at the same time write to copies of the pages
// that they share.
func TestConcurrentForks(t *testing.T) {
	m := opened(t, converted(t, tinyCase, "Q8_0"), mpt.Threads(2))
	root := session(t, m, mpt.ContextSize(200))
	if err := root.Eval(context.Background(), text(40)); err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	var forks [4]*mpt.Session
	ids := func(i int) []int32 { return text(120)[40+10*i:] }
	for i := range forks {
		var err error
		if forks[i], err = root.Fork(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(forks[i].Close)
		wg.Go(func() {
			if err := forks[i].Eval(context.Background(), ids(i)); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	for i, f := range forks {
		// A token later: what the others have written to is read again.
		want := evalInChunks(t, m, append(append(text(40), ids(i)...), text(9)...), 512)
		if !sameBits(continued(t, f), want) {
			t.Errorf("fork %d: other logits than alone", i)
		}
	}
	if !sameBits(continued(t, root), evalInChunks(t, m, append(text(40), text(9)...), 512)) {
		t.Error("the forks changed the session that they came from")
	}
}

// Sessions of one model that run at the same time do not see each other: they
// give the bits that they give one after the other.
func TestConcurrentSessions(t *testing.T) {
	m := opened(t, converted(t, tinyCase, "Q8_0"), mpt.Threads(2))
	const sessions = 4
	all := text(sessions * 70)
	var want, got [sessions]run
	for i := range want {
		var err error
		if want[i], err = evaluate(m, all[i*60:i*60+70], 512); err != nil {
			t.Fatal(err)
		}
	}
	var wg sync.WaitGroup
	for i := range got {
		wg.Go(func() {
			var err error
			if got[i], err = evaluate(m, all[i*60:i*60+70], 1+11*i); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	for i := range got {
		if !got[i].equal(want[i]) {
			t.Errorf("session %d: other results than alone", i)
		}
	}
	if want[0].equal(want[1]) {
		t.Error("two sessions with different texts agree: the test sees nothing")
	}
}
