package ggml

import (
	"math"
	"strings"
	"testing"
)

// TestPlanCountsBytes: what an int cannot count, of 32 bits on some machines, is an
// error before anything is allocated.
func TestPlanCountsBytes(t *testing.T) {
	for _, c := range []struct{ rows, cols int }{
		{1 << 16, 1<<14 + 32}, {1 << 16, 1 << 15}, {math.MaxInt32 / 4, 4}, {1 << 30, 2}, {1 << 20, 4096},
	} {
		g := newGraph()
		g.Keep(g.Embed("x", &Matrix{Rows: 1, Cols: c.cols}))
		size, err := Measure(g, c.rows, Options{})
		want := 4 * int64(c.rows) * int64(c.cols)
		if fits := want <= math.MaxInt-alignment; fits && (err != nil || int64(size) < want) {
			t.Errorf("%d rows of %d: %d bytes, %v", c.rows, c.cols, size, err)
		} else if !fits && (err == nil || !strings.Contains(err.Error(), "smaller batch")) {
			t.Errorf("%d rows of %d: %d bytes, error %v", c.rows, c.cols, size, err)
		}
	}
}
