package main

import (
	"strings"
	"testing"

	"mptgo/mpt"
)

// A text that is too short for its figures is refused before anything runs, and so are numbers that
// make none.
func TestTooShort(t *testing.T) {
	for _, c := range []struct {
		tokens, n int
		ok        bool
	}{{200, 100, true}, {199, 100, false}, {100, 100, false}, {0, 0, false}, {5, -1, false}} {
		all, err := tasks(make([]int32, c.tokens), c.n)
		if (err == nil) != c.ok || err == nil && len(all) != 5 {
			t.Errorf("%d tokens for answers of %d: %d tasks, %v", c.tokens, c.n, len(all), err)
		}
		if err != nil && !strings.Contains(err.Error(), "twice as many") {
			t.Error(err)
		}
	}
	if err := measure("", "", "none.txt", 1, 10, 0, false, &mpt.Speculation{}); err == nil || !strings.Contains(err.Error(), "-pairs 0") {
		t.Error(err)
	}
	if err := measure("", "", "none.txt", 1, mostRows-1, 1, true, &mpt.Speculation{}); err == nil || !strings.Contains(err.Error(), "-n 8") {
		t.Error(err)
	}
}

// The number of guesses follows from the times: none if guesses never come true, or cost a step each.
func TestBest(t *testing.T) {
	flat := clock{steps: []float64{0, 1, 1, 1, 1, 1, 1, 1, 1, 1}, guess: 1. / 6}
	if k, speed := flat.best(0); k != 0 || speed != 1 {
		t.Error(k, speed)
	}
	// With one guess 1.8 tokens come in 7/6 of a step, with three 1 + 0.8 + 0.64 + 0.512 in 9/6.
	if k, speed := flat.best(0.8); k != 4 || speed < 2.952/1.5 || speed > 2.1 {
		t.Error(k, speed)
	}
	flat.guess = 1
	if k, _ := flat.best(0.9); k != 0 {
		t.Error(k)
	}
}
