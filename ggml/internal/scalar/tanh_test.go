package scalar

import (
	"math"
	"testing"

	"mptgo/ggml/internal/probe"
)

// TestTanh walks through the float32 numbers and compares with float64.
func TestTanh(t *testing.T) {
	worst := 0.0
	for bits := uint64(0); bits < 1<<32; bits += 4099 {
		x := math.Float32frombits(uint32(bits))
		if x != x || Magnitude(x) < 0x1p-100 {
			continue
		}
		want := math.Tanh(float64(x))
		_, exponent := math.Frexp(want)
		worst = max(worst, math.Abs(float64(Tanh(x))-want)/math.Ldexp(1, exponent-24))
	}
	t.Logf("largest error: %.3f ulp", worst)
	if worst > 2 {
		t.Errorf("error of %.3f ulp", worst)
	}
}

func TestTanhSpecial(t *testing.T) {
	inf, nan, zero := float32(math.Inf(1)), float32(math.NaN()), float32(math.Copysign(0, -1))
	for _, c := range []struct{ x, want float32 }{
		{0, 0}, {zero, 0}, {inf, 1}, {-inf, -1}, {nan, nan}, {9.02, 1}, {-9.02, -1}, {1e-30, 1e-30}, {math.MaxFloat32, 1},
		{math.SmallestNonzeroFloat32, math.SmallestNonzeroFloat32},
	} {
		if got := Tanh(c.x); !probe.SameFloats([]float32{got}, []float32{c.want}) {
			t.Errorf("Tanh(%v) = %v, want %v", c.x, got, c.want)
		}
	}
}
