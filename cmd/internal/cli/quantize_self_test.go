package cli

import "testing"

// TestExpected: nothing is said of what takes less than a minute, and more threads take less time.
func TestExpected(t *testing.T) {
	for _, c := range []struct {
		parameters int64
		threads    int
		want       string
	}{
		{30e6, 1, ""}, {1e9, 4, ", about a minute"}, {7e9, 32, ", about a minute"}, {1e12, 1 << 20, ""},
	} {
		var f quantizeFlags
		f.Threads = c.threads
		if got := f.expected(c.parameters); got != c.want {
			t.Errorf("%d parameters, %d threads: %q, want %q", c.parameters, c.threads, got, c.want)
		}
	}
	f := quantizeFlags{}
	if f.expected(1e12) == "" {
		t.Error("nothing is said of a model that takes hours")
	}
}
