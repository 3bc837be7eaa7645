package quantize

import (
	"bytes"
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"mptgo/quantize/internal/search"
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

// nastyRows are all rows that the searches are compared on.
func nastyRows(t *testing.T, r *rand.Rand) map[string][]float32 {
	rows := peculiarRows(r)
	maps.Copy(rows, hostile())
	golden := readFloats(t, "testdata/input.f32")
	for i := range len(golden) / 256 {
		rows[fmt.Sprint("golden ", i)] = golden[256*i : 256*(i+1)]
	}
	for i := range 8 {
		x := make([]float32, 256)
		for l := range x {
			x[l] = float32(0.02 * r.NormFloat64() * math.Exp(float64(i)*r.NormFloat64()/4))
		}
		rows[fmt.Sprint("random ", i)] = x
	}
	// What a scale in binary16 can just stand for: with another scale it overflows.
	for _, codes := range []float32{1, 3, 4, 7, 8, 15, 16, 31, 63, 127, 128, 31 * 31, 113 * 31, 63 * 15, 127 * 31} {
		for _, sign := range []float32{-1, 1} {
			limit := fill(sign * 65504 * codes)
			rows[fmt.Sprint("limit, equal ", sign*codes)] = limit
			limit = with(256, 77, sign*65504*codes)
			limit[78] = -limit[77] * 0.9
			rows[fmt.Sprint("limit ", sign*codes)] = limit
		}
	}
	return rows
}

// TestNeverWorse holds the better search to the reference on every block of every type,
// and wherever the reference finds a scale at all.
func TestNeverWorse(t *testing.T) {
	r := rand.New(rand.NewPCG(15, 11))
	importance := make([]float32, 256)
	for i := range importance {
		importance[i] = float32(math.Exp(r.NormFloat64()))
	}
	rounds := 2
	if testing.Short() {
		rounds = 1
	}
	for range rounds {
		for name, x := range nastyRows(t, r) {
			for i, w := range [][]float32{nil, importance, fill(0), with(256, 9, 1), fill(1e-30)} {
				for _, f := range Formats() {
					if f.Encode != nil {
						neverWorse(t, f, fmt.Sprintf("%s, weights %d", name, i), x, w)
					}
				}
			}
		}
	}
}

func neverWorse(t *testing.T, f *Format, name string, x, w []float32) {
	t.Helper()
	size, _ := f.Type.RowBytes(256)
	ref, got := make([]byte, size), make([]byte, size)
	if err := SearchReference.Encode(f.Type, ref, x, 256, w); err != nil {
		return
	}
	if err := SearchBetter.Encode(f.Type, got, x, 256, w); err != nil {
		t.Errorf("%v, %s: %v, but the reference finds a scale", f.Type, name, err)
		return
	}
	a, b := blockErrors(f, ref, x, w), blockErrors(f, got, x, w)
	for i := range a {
		if !(b[i] <= a[i]) {
			t.Errorf("%v, %s, block %d: error %v, reference %v", f.Type, name, i, b[i], a[i])
		}
	}
}

// blockErrors returns the weighted squared error of each block of a row.
func blockErrors(f *Format, row []byte, x, w []float32) []float64 {
	n, _ := f.Type.Block()
	if n == 1 {
		n = 256
	}
	y, weights := make([]float32, len(x)), make([]float32, len(x))
	f.Decode(y, row)
	errors := make([]float64, len(x)/n)
	for i := range errors {
		var importance []float32
		if w != nil {
			importance = w[i*n : (i+1)*n]
		}
		search.WeighBetter(weights[i*n:(i+1)*n], x[i*n:(i+1)*n], importance)
		for l := i * n; l < (i+1)*n; l++ {
			d := float64(y[l]) - float64(x[l])
			errors[i] += float64(float64(weights[l]) * float64(d*d))
		}
	}
	return errors
}

// TestBetterBlocks: every block is that of one of the two searches, and the one of the
// better search stays where the reference's has no smaller error.
func TestBetterBlocks(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 1))
	kept, other := 0, 0
	for name, x := range nastyRows(t, r) {
		for _, f := range Formats() {
			if f.better == nil {
				continue
			}
			size, _ := f.Type.RowBytes(256)
			ref, own, got := make([]byte, size), make([]byte, size), make([]byte, size)
			if SearchReference.Encode(f.Type, ref, x, 256, nil) != nil {
				continue
			}
			f.better(own, x, nil)
			if f.bad(own) >= 0 {
				continue
			}
			if err := SearchBetter.Encode(f.Type, got, x, 256, nil); err != nil {
				t.Fatal(err)
			}
			a, b := blockErrors(f, ref, x, nil), blockErrors(f, own, x, nil)
			for i := range a {
				part := func(b []byte) []byte { return b[i*size/len(a) : (i+1)*size/len(a)] }
				want := own
				if a[i] < b[i] {
					want = ref
				}
				kept, other = kept+1, other+1
				if bytes.Equal(part(want), part(own)) {
					other--
				}
				if !bytes.Equal(part(got), part(want)) {
					t.Errorf("%v, %s: block %d is not the one with the smaller error", f.Type, name, i)
				}
			}
		}
	}
	if other == 0 || other == kept {
		t.Errorf("of %d blocks the reference's was taken for %d", kept, other)
	}
}

// TestIQ3_SAgrees: the two searches of IQ3_S write the same where no group is all zeros.
func TestIQ3_SAgrees(t *testing.T) {
	for name, x := range nastyRows(t, rand.New(rand.NewPCG(2, 2))) {
		b, want := make([]byte, 110), make([]byte, 110)
		encodeIQ3_S(want, x, nil)
		betterIQ3_S(b, x, nil)
		if iq3_S.agree(x) && !bytes.Equal(b, want) {
			t.Errorf("%s: the blocks differ", name)
		}
	}
}
