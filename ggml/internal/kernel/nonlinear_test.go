package kernel

import (
	"math"
	"testing"
)

// TestTanh walks through the float32 numbers and compares with float64.
func TestTanh(t *testing.T) {
	worst := 0.0
	for bits := uint64(0); bits < 1<<32; bits += 4099 {
		x := math.Float32frombits(uint32(bits))
		if x != x || magnitude(x) < 0x1p-100 {
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
		if got := Tanh(c.x); !sameFloats([]float32{got}, []float32{c.want}) {
			t.Errorf("Tanh(%v) = %v, want %v", c.x, got, c.want)
		}
	}
}

// The activations and the value of each in float64.
var activations = []struct {
	name string
	run  func(t *Tier, x []float32)
	want func(x float64) float64
}{
	{"SiLU", (*Tier).SiLU, func(x float64) float64 { return x / (1 + math.Exp(-x)) }},
	{"QuickGELU", (*Tier).QuickGELU, func(x float64) float64 { return x / (1 + math.Exp(-1.702*x)) }},
	{"TanhGELU", (*Tier).TanhGELU, func(x float64) float64 {
		return x / 2 * (1 + math.Tanh(math.Sqrt(2/math.Pi)*(x+0.044715*x*x*x)))
	}},
	{"ReLU", (*Tier).ReLU, func(x float64) float64 { return max(x, 0) }},
	{"GELU", (*Tier).GELU, func(x float64) float64 { return 0.5 * x * math.Erfc(-x/math.Sqrt2) }},
	{"Softcap", func(t *Tier, x []float32) { t.Softcap(x, 2.5) }, func(x float64) float64 { return 2.5 * math.Tanh(x/2.5) }},
}

// TestActivations wants errors below 3e-7·max(1, |x|).
func TestActivations(t *testing.T) {
	for _, a := range activations {
		worst := 0.0
		for x := float32(-30); x < 30; x += 0x1.3p-12 {
			y := []float32{x}
			a.run(Generic(), y)
			worst = max(worst, math.Abs(float64(y[0])-a.want(float64(x)))/max(1, math.Abs(float64(x))))
		}
		t.Logf("%s: largest error %.3g·max(1, |x|)", a.name, worst)
		if worst > 3e-7 {
			t.Errorf("%s: error of %.3g·max(1, |x|)", a.name, worst)
		}
	}
}
