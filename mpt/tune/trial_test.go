package tune

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"
)

// TestPaceOf: what a token takes in a whole micro-batch is found although short texts promise more, and
// no more is tried than what takes little of the run.
func TestPaceOf(t *testing.T) {
	const hours, whole = 1e9, 512
	// As a 1B did it: a token takes 20 ms in short texts, and 28 ms behind the first 64.
	took := func(n int) time.Duration {
		return 80*time.Millisecond + time.Duration(20*n+8*max(0, n-64))*time.Millisecond
	}
	for _, c := range []struct {
		whole int
		left  int64
		slow  int // times
		tried []int
	}{
		{whole, hours, 1, []int{16, 16, 64, 128, 256, 512}},
		{whole, hours, 4, []int{16, 16, 64, 128, 256}}, // as the next would take more than half a minute
		{whole, 2 * whole, 1, []int{16, 16, 64}},       // of a run of half a minute
		{90, hours, 1, []int{16, 16, 64, 90}},
		{30, hours, 1, []int{16, 16, 30}},
		{3, hours, 1, []int{3, 3}},
	} {
		var tried []int
		each, most, err := paceOf(c.whole, c.left, func(n int) (time.Duration, error) {
			tried = append(tried, n)
			return took(n) * time.Duration(c.slow), nil
		})
		if err != nil || !slices.Equal(tried, c.tried) || most != tried[len(tried)-1] {
			t.Errorf("%d tokens of %d left: tried %v, the most %d, want %v; %v", c.whole, c.left, tried, most, c.tried, err)
		}
		want := took(c.whole) * time.Duration(c.slow) / time.Duration(c.whole)
		if off := float64(each)/float64(want) - 1; most >= 128 && (off < -0.05 || off > 0.05) {
			t.Errorf("%d tokens, %d times as slow: %v a token, want %v", c.whole, c.slow, each, want)
		}
	}
	failure := errors.New("failed")
	for calls := range 3 {
		_, _, err := paceOf(whole, hours, func(n int) (time.Duration, error) {
			if calls--; calls < 0 {
				return 0, failure
			}
			return took(n), nil
		})
		if err != failure {
			t.Error(err)
		}
	}
}

// TestTrialEnds: a trial that is interrupted ends with that.
func TestTrialEnds(t *testing.T) {
	tr := trainerOf(t, variants[0].model(t), someRows(9), small())
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := tr.Trial(ctx); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}
