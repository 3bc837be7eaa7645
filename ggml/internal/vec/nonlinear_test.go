package vec

import (
	"math"
	"testing"
)

// The activations and the value of each in float64.
var activations = []struct {
	name string
	run  func(t *Kernels, x []float32)
	want func(x float64) float64
}{
	{"SiLU", (*Kernels).SiLU, func(x float64) float64 { return x / (1 + math.Exp(-x)) }},
	{"QuickGELU", (*Kernels).QuickGELU, func(x float64) float64 { return x / (1 + math.Exp(-1.702*x)) }},
	{"TanhGELU", (*Kernels).TanhGELU, func(x float64) float64 {
		return x / 2 * (1 + math.Tanh(math.Sqrt(2/math.Pi)*(x+0.044715*x*x*x)))
	}},
	{"ReLU", (*Kernels).ReLU, func(x float64) float64 { return max(x, 0) }},
	{"GELU", (*Kernels).GELU, func(x float64) float64 { return 0.5 * x * math.Erfc(-x/math.Sqrt2) }},
	{"Softcap", func(t *Kernels, x []float32) { t.Softcap(x, 2.5) }, func(x float64) float64 { return 2.5 * math.Tanh(x/2.5) }},
}

// TestActivations wants errors below 3e-7·max(1, |x|).
func TestActivations(t *testing.T) {
	for _, a := range activations {
		worst := 0.0
		for x := float32(-30); x < 30; x += 0x1.3p-12 {
			y := []float32{x}
			a.run(&Generic, y)
			worst = max(worst, math.Abs(float64(y[0])-a.want(float64(x)))/max(1, math.Abs(float64(x))))
		}
		t.Logf("%s: largest error %.3g·max(1, |x|)", a.name, worst)
		if worst > 3e-7 {
			t.Errorf("%s: error of %.3g·max(1, |x|)", a.name, worst)
		}
	}
}
