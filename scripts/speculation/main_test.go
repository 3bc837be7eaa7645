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
	if err := measure("", "", "none.txt", 1, 10, 0, &mpt.Speculation{}); err == nil || !strings.Contains(err.Error(), "-pairs 0") {
		t.Error(err)
	}
}
