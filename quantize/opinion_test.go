package quantize

import (
	"math"
	"math/rand/v2"
	"testing"
)

// peculiarRows are rows of 256 values that are not spread out as those of models are.
func peculiarRows(r *rand.Rand) map[string][]float32 {
	rows := map[string][]float32{}
	row := func(name string, f func(i int) float64) {
		x := make([]float32, 256)
		for i := range x {
			x[i] = float32(f(i))
		}
		rows[name] = x
	}
	var c [16]float64
	for i := range c {
		c[i] = r.NormFloat64()
	}
	sign := func(i int) float64 { return float64(1 - 2*(i%2)) }
	row("equal", func(int) float64 { return c[0] })
	row("half", func(int) float64 { return 0.5 })
	row("alternating", func(i int) float64 { return c[0] * sign(i) })
	row("one and minus one", sign)
	row("two in turns", func(i int) float64 { return c[i%2] })
	row("two", func(int) float64 { return c[r.IntN(2)] })
	row("zeros and one", func(int) float64 { return c[0] * float64(r.IntN(2)) })
	row("three", func(int) float64 { return c[r.IntN(3)] })
	row("ternary", func(int) float64 { return c[0] * float64(r.IntN(3)-1) })
	row("sparse", func(int) float64 { return c[1] * r.NormFloat64() * float64(r.IntN(20)/19) })
	row("one in 32", func(i int) float64 { return c[0] * float64((i%32+1)/32) })
	row("one", func(i int) float64 { return c[0] * float64((i+1)/256) })
	row("ramp", func(i int) float64 { return c[0] * float64(i) })
	row("short ramps", func(i int) float64 { return c[0] * float64(i%32-16) })
	row("halving", func(i int) float64 { return c[0] * math.Pow(0.8, float64(i%32)) })
	row("equal in 32", func(i int) float64 { return c[i/32] })
	row("equal in 16", func(i int) float64 { return c[i/16] })
	row("alternating in 32", func(i int) float64 { return c[i/32] * sign(i) })
	row("integers", func(int) float64 { return math.Abs(c[0]) * float64(r.IntN(15)-7) })
	row("nearly equal", func(int) float64 { return c[0] + 1e-4*r.NormFloat64() })
	row("outlier", func(i int) float64 { return (1+math.Abs(c[0]))*float64((i+1)/256) + 0.001*r.NormFloat64() })
	for _, size := range []float64{1e-4, 1e-6, 1e-8, 1e-12, 1e-20, 1e-40} {
		row("tiny", func(int) float64 { return size * r.NormFloat64() })
	}
	return rows
}

// TestNeverWorse holds the better search to the reference on blocks where it used to be
// up to thousands of times worse, and wherever the reference finds a scale at all.
func TestNeverWorse(t *testing.T) {
	r := rand.New(rand.NewPCG(15, 11))
	importance := make([]float32, 256)
	for i := range importance {
		importance[i] = float32(math.Exp(r.NormFloat64()))
	}
	rounds := 8
	if testing.Short() {
		rounds = 1
	}
	for round := range rounds {
		rows := peculiarRows(r)
		for name, x := range hostile() {
			rows[name] = x
		}
		for _, f := range Formats() {
			if f.Encode == nil || f.better == nil || round > 0 && f.grid == nil {
				continue
			}
			n, _ := f.Type.Block()
			for name, x := range rows {
				for _, w := range [][]float32{nil, importance} {
					neverWorse(t, f, name, x, w, n)
				}
			}
		}
	}
}

func neverWorse(t *testing.T, f *Format, name string, x, w []float32, n int) {
	t.Helper()
	size, _ := f.Type.RowBytes(256)
	ref, got := make([]byte, size), make([]byte, size)
	if err := Reference.EncodeRows(f.Type, ref, x, 256, w); err != nil {
		return
	}
	if err := Better.EncodeRows(f.Type, got, x, 256, w); err != nil {
		t.Errorf("%v, %s, importance %v: %v, but the reference finds a scale", f.Type, name, w != nil, err)
		return
	}
	part := size / (256 / n)
	for i := range 256 / n {
		if name == "outlier" && i+1 < 256/n {
			continue // there it is not
		}
		var imp []float32
		if w != nil {
			imp = w[i*n : (i+1)*n]
		}
		x := x[i*n : (i+1)*n]
		a, b := blockError(f, ref[i*part:(i+1)*part], x, imp), blockError(f, got[i*part:(i+1)*part], x, imp)
		if b > a {
			t.Errorf("%v, %s, importance %v, block %d: error %v, reference %v", f.Type, name, w != nil, i, b, a)
		}
	}
}
