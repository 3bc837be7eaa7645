package num

import (
	"math"
	"math/rand/v2"
	"testing"
)

func TestRound(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 8))
	xs := []float32{0, 0.5, -0.5, 1.5, 2.5, -2.5, 1e-45, -1e-45, 126.5, 127, 4194303,
		math.Nextafter32(0.5, 0), math.Nextafter32(0.5, 1), math.Nextafter32(-0.5, 0), math.Nextafter32(2.5, 0)}
	for range 10000 {
		xs = append(xs, (r.Float32()-0.5)*300)
	}
	for _, x := range xs {
		if got, want := Round(x), int32(math.Round(float64(x))); got != want {
			t.Errorf("round(%v) = %d, want %d", x, got, want)
		}
		if got, want := Nearest(x), int32(math.RoundToEven(float64(x))); got != want {
			t.Errorf("nearest(%v) = %d, want %d", x, got, want)
		}
	}
}

func TestExtreme(t *testing.T) {
	minus0 := float32(math.Copysign(0, -1))
	for _, c := range []struct {
		x    []float32
		want float32
	}{
		{[]float32{1, -2, 2}, -2},
		{[]float32{1, 2, -2}, 2},
		{[]float32{minus0, 0}, 0},
		{[]float32{3, float32(math.NaN()), float32(math.Inf(1))}, float32(math.NaN())},
	} {
		if got := Extreme(c.x); math.Float32bits(got) != math.Float32bits(c.want) {
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
		lo, hi := Span(c.x)
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
		if got := Inverse(c.d); got != c.want || math.IsInf(float64(got), 0) {
			t.Errorf("inverse(%v) = %v, want %v", c.d, got, c.want)
		}
	}
}
