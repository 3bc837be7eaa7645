package quantize

import (
	"math"
	"testing"
)

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

// TestStoredZeros holds formats to zeros where the search finds a scale that cannot be stored.
func TestStoredZeros(t *testing.T) {
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
