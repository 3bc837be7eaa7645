package quantize

import (
	"math"
	"testing"
)

func TestExtreme(t *testing.T) {
	minus0 := float32(math.Copysign(0, -1))
	for _, c := range []struct {
		x    []float32
		want float32
	}{
		{[]float32{1, -2, 2}, -2},
		{[]float32{1, 2, -2}, 2},
		{[]float32{minus0, 0}, 0},
		{[]float32{3, nan(), inf()}, nan()},
	} {
		if got := extreme(c.x); math.Float32bits(got) != math.Float32bits(c.want) {
			t.Errorf("extreme(%v) = %v, want %v", c.x, got, c.want)
		}
	}
}

func TestSpan(t *testing.T) {
	minus0 := float32(math.Copysign(0, -1))
	for _, c := range []struct {
		x      []float32
		lo, hi float32
	}{
		{[]float32{1, -2, 2}, -2, 2},
		{[]float32{minus0, 0}, minus0, minus0},
		{[]float32{0, minus0}, 0, 0},
	} {
		lo, hi := span(c.x)
		if math.Float32bits(lo) != math.Float32bits(c.lo) || math.Float32bits(hi) != math.Float32bits(c.hi) {
			t.Errorf("span(%v) = %v, %v, want %v, %v", c.x, lo, hi, c.lo, c.hi)
		}
	}
}

func TestInverse(t *testing.T) {
	next := math.Nextafter32(0x1p-128, 1)
	for _, c := range []struct{ d, want float32 }{
		{0, 0}, {0x1p-149, 0}, {-0x1p-128, 0}, {next, 1 / next}, {-4, -0.25},
	} {
		if got := inverse(c.d); got != c.want || math.IsInf(float64(got), 0) {
			t.Errorf("inverse(%v) = %v, want %v", c.d, got, c.want)
		}
	}
}

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

// TestTies encodes values that lie half-way between codes.
func TestTies(t *testing.T) {
	x := func(lo float32) *[32]float32 {
		var x [32]float32
		for i := range x {
			x[i] = lo + float32(i)/2
		}
		return &x
	}
	low, high := x(0), x(0)
	high[31] = 31
	low[31] = 15
	for _, c := range []struct {
		f     *Format
		x     *[32]float32
		codes func(b []byte) [32]uint8
	}{
		{&q4_1, low, func(b []byte) (codes [32]uint8) {
			for i, q := range b[4:] {
				codes[i], codes[i+16] = q&15, q>>4
			}
			return codes
		}},
		{&q5_1, high, func(b []byte) (codes [32]uint8) {
			unpackFive(&codes, (*[20]byte)(b[4:]))
			return codes
		}},
	} {
		_, size := c.f.Type.Block()
		b := make([]byte, size)
		c.f.Encode(b, c.x[:], nil)
		codes := c.codes(b)
		for i, v := range c.x {
			if want := uint8(math.Floor(float64(v) + 0.5)); codes[i] != want {
				t.Errorf("%v: %v gets code %d, want %d", c.f.Type, v, codes[i], want)
			}
		}
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
		scale := fitScale(codes, []float32{0, c.m, 0, 0}, w, 8)
		if (scale == 0) != c.zero || (codes[0] == 0) != c.zero {
			t.Errorf("%v: scale %v, codes %v", c.m, scale, codes)
		}
	}
	// The second is large enough for a search, but the scale it finds is not.
	for _, v := range []float32{9e-16, 2e-14} {
		x, b := make([]float32, 256), make([]byte, 210)
		for i := range x {
			x[i] = v
		}
		q6_K.Encode(b, x, nil)
		if string(b) != string(make([]byte, 210)) {
			t.Errorf("values of %v become %x", v, b)
		}
	}
}
