package batch

import (
	"context"
	"errors"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"
)

// gather answers the lines of an input one by one, in any order, and has a job keep them.
func gather(t *testing.T, opt Options, w Worker, most int) *Job {
	t.Helper()
	j, err := Open(t.Context(), opt)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { j.Close() })
	if err := j.Begin(t.Context(), identity); err != nil {
		t.Fatal(err)
	}
	l := NewLines(w, identity.Model, nil)
	defer l.Close()
	for k := j.Requests() - 1; k >= 0 && most > 0; k, most = k-1, most-1 {
		n, text, err := j.Request(k)
		if err != nil {
			t.Fatal(err)
		}
		r, err := l.Answer(t.Context(), Line{N: n, Text: text, Created: opt.Created})
		if err != nil {
			t.Fatal(err)
		}
		waits, err := j.Waits(n, HashOf(text))
		if err != nil {
			t.Fatal(err)
		}
		if !waits {
			continue
		}
		if err := j.Keep(n, r); err != nil {
			t.Fatal(err)
		}
	}
	return j
}

// Lines that are answered elsewhere, in another order and by two starts, give the bytes of Run.
func TestCollected(t *testing.T) {
	input := many(40) + "{}\n" + lineOf("id 1", `{}`) + "[\n"
	want := done(t, options(t, input), &stub{})
	opt := options(t, input)
	j := gather(t, opt, &stub{}, 10)
	if _, err := j.Finish(); err == nil || !strings.Contains(err.Error(), "30 lines have no result") {
		t.Error(err)
	}
	if n := 0; true {
		for range j.Missing() {
			n++
		}
		if c := j.Counts(); n != 30 || c.Done != 13 || c.Total != 43 {
			t.Errorf("%d lines are missing, %+v", n, c)
		}
	}
	j.Close()
	j = gather(t, opt, &stub{}, 100)
	if _, err := j.Finish(); err != nil {
		t.Fatal(err)
	}
	j.Close()
	if got := written(t, opt); got != want {
		t.Errorf("%v\nwant %v", got, want)
	}
}

// A result of another text, or of a line that is not there, is not taken.
func TestForeign(t *testing.T) {
	j := gather(t, options(t, many(3)), &stub{}, 0)
	for _, line := range []int{0, 1, 4} {
		if waits, err := j.Waits(line, HashOf([]byte("other"))); waits || !errors.Is(err, ErrForeign) {
			t.Errorf("line %d: %v, %v", line, waits, err)
		}
	}
}

// What is begun anew forgets what was kept.
func TestAnew(t *testing.T) {
	opt := options(t, many(6))
	gather(t, opt, &stub{}, 100).Close()
	opt.Anew = true
	if c := gather(t, opt, &stub{}, 0).Counts(); c.Done != 0 || c.Kept != 0 {
		t.Errorf("%+v", c)
	}
}

// A cancelled batch ends with a reason for each line that has no answer.
func TestCancelled(t *testing.T) {
	opt := options(t, many(10))
	j := gather(t, opt, &stub{}, 4)
	if err := j.Cancel(identity); err != nil {
		t.Fatal(err)
	}
	c, err := j.Finish()
	if err != nil || c.Done != 10 {
		t.Errorf("%+v, %v", c, err)
	}
	j.Close()
	if got := written(t, opt); strings.Count(got.errors, string(Cancelled)) != 6 {
		t.Error(got.errors)
	}
}

// A fault of the engine is tried alone; without another process it is the verdict, as in Run.
func TestLinesFault(t *testing.T) {
	w := &stub{before: func(context.Context, *Request) error { return &FaultError{"broken"} }}
	opt := options(t, many(1))
	want := done(t, opt, w)
	l := NewLines(w, identity.Model, nil)
	text := strings.TrimSuffix(many(1), "\n")
	r, err := l.Answer(t.Context(), Line{N: 1, Text: []byte(text), Created: opt.Created})
	if err != nil || !r.Failed || string(r.Text) != want.errors {
		t.Errorf("%s, %v\nwant %s", r.Text, err, want.errors)
	}
	l = NewLines(w, identity.Model, func() *exec.Cmd { return exec.Command("/nowhere/at/all") })
	if r, err := l.Answer(t.Context(), Line{N: 1, Text: []byte(text)}); err == nil {
		t.Errorf("%s without a process", r.Text)
	}
}

func TestFingerprint(t *testing.T) {
	same := Identity{identity.Model, identity.Numerics, map[string]string{"--temp": "0.8", "--limit": "7"}}
	if a, b := identity.Fingerprint(), same.Fingerprint(); a != b || len(a) != 16 {
		t.Errorf("%s and %s: how many lines there are is nothing to a worker", a, b)
	}
	for _, other := range []Identity{
		{"f" + identity.Model[1:], 1, identity.Options}, {identity.Model, 2, identity.Options}, {identity.Model, 1, nil},
		{identity.Model, 1, map[string]string{"--temp": "0.9"}}, {identity.Model, 1, map[string]string{"--temp": "0.8", "--top-k": "1"}},
	} {
		if other.Fingerprint() == identity.Fingerprint() {
			t.Errorf("%+v has the same", other)
		}
	}
}

// Requests of two times are never under way together, and all come to an end.
func TestMoment(t *testing.T) {
	var m moment
	var mu sync.Mutex
	inside := map[int64]int{}
	var wg sync.WaitGroup
	for i := range 40 {
		wg.Go(func() {
			created := int64(i % 3)
			m.enter(created)
			defer m.leave()
			mu.Lock()
			inside[created]++
			for other, n := range inside {
				if other != created && n > 0 {
					t.Errorf("%d and %d are together", other, created)
				}
			}
			mu.Unlock()
			time.Sleep(time.Millisecond)
			mu.Lock()
			inside[created]--
			mu.Unlock()
		})
	}
	wg.Wait()
}
