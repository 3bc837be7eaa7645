package search

import (
	"testing"
)

// TestRegress solves for lines through points that lie on them.
func TestRegress(t *testing.T) {
	codes, w := []uint8{0, 1, 2, 3}, []float32{1, 2, 1, 1}
	for _, c := range []struct {
		x         []float32
		scale, lo float32
	}{
		{[]float32{-3, -1, 1, 3}, 2, -3},
		{[]float32{0, 2, 4, 6}, 2, 0},
		// Without the intercept: Σ w·l·x / Σ w·l·l = (2·2 + 2·3 + 3·4) / (2 + 4 + 9).
		{[]float32{1, 2, 3, 4}, 22. / 15, 0},
	} {
		sw, swx := moments(c.x, w)
		scale, lo, ok := regress(codes, c.x, w, sw, swx)
		if scale != c.scale || lo != c.lo || !ok {
			t.Errorf("%v: got %v, %v, %v, want %v, %v", c.x, scale, lo, ok, c.scale, c.lo)
		}
	}
	if _, _, ok := regress([]uint8{2, 2}, []float32{1, 2}, []float32{1, 1}, 2, 3); ok {
		t.Error("equal codes: no failure")
	}
}

// TestTiny holds the searches to zeros where a scale cannot be stored.
func TestTiny(t *testing.T) {
	w := []float32{1, 1, 1, 1}
	for _, c := range []struct {
		m    float32
		zero bool
	}{{9e-16, true}, {-9e-16, true}, {1.1e-15, false}} {
		codes := []uint8{9, 9, 9, 9}
		scale := FitScale(codes, []float32{0, c.m, 0, 0}, w, 8)
		if (scale == 0) != c.zero || (codes[0] == 0) != c.zero {
			t.Errorf("%v: scale %v, codes %v", c.m, scale, codes)
		}
	}
}
