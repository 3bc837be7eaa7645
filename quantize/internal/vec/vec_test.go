package vec

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// lengths are those around every step of a loop.
var lengths = []int{0, 1, 3, 7, 8, 9, 15, 16, 17, 31, 32, 33, 40, 63, 64, 65, 100, 255, 256, 1000}

// values returns n numbers of all sizes, among them zeros, the smallest and infinite ones.
func values(r *rand.Rand, n int) []float32 {
	x := make([]float32, n)
	for i := range x {
		x[i] = float32(math.Ldexp(r.NormFloat64(), r.IntN(40)-20))
		switch r.IntN(50) {
		case 0:
			x[i] = 0
		case 1:
			x[i] = math.SmallestNonzeroFloat32
		case 2:
			x[i] = float32(math.Copysign(0, -1))
		}
	}
	if n > 20 && r.IntN(4) == 0 {
		x[r.IntN(n)] = float32(math.Inf(1))
	}
	return x
}

func wide(x []float32) []float64 {
	y := make([]float64, len(x))
	for i, v := range x {
		y[i] = float64(v) * (1 + 1e-9)
	}
	return y
}

func sameBits(x, y []float32) bool {
	return slices.EqualFunc(x, y, func(a, b float32) bool {
		return math.Float32bits(a) == math.Float32bits(b) || a != a && b != b
	})
}

// TestAddScaled holds the loop against one value after the other, and looks at the
// values around.
func TestAddScaled(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for _, n := range lengths {
		x, a, y := values(r, n+1), values(r, 1)[0], values(r, n+2)
		want, got := slices.Clone(y), slices.Clone(y)
		for i := range n {
			want[1+i] += float32(a * x[i])
		}
		if AddScaled(got[1:1+n], a, x); !sameBits(got, want) {
			t.Errorf("%d values: %v, want %v", n, got, want)
		}
	}
}

// withoutAVX512 calls f as on a CPU that has no AVX-512.
func withoutAVX512(f func()) {
	defer func(old bool) { avx512 = old }(avx512)
	avx512 = false
	f()
}

// TestAddProducts does the same.
func TestAddProducts(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	for _, n := range lengths {
		for _, m := range []int{0, 1, 2, 8, 32} {
			ldx, ldy := n+3, n+5
			x, a, y := values(r, m*ldx), values(r, 4*m), values(r, 4*ldy+1)
			want, got := slices.Clone(y), slices.Clone(y)
			for k := range 4 {
				for i := range n {
					for j := range m {
						want[1+k*ldy+i] += float32(a[4*j+k] * x[j*ldx+i])
					}
				}
			}
			if AddProducts(got[1:], ldy, n, a, x, ldx); !sameBits(got, want) {
				t.Errorf("%d values, %d rows: %v, want %v", n, m, got, want)
			}
			got = slices.Clone(y)
			if withoutAVX512(func() { AddProducts(got[1:], ldy, n, a, x, ldx) }); !sameBits(got, want) {
				t.Errorf("%d values, %d rows without AVX-512: %v, want %v", n, m, got, want)
			}
		}
	}
}

// inLanes is the definition of a sum of products.
func inLanes(x, y []float64) float64 {
	var sum [16]float64
	for i := range x {
		sum[i%16] += float64(x[i] * y[i])
	}
	for w := 8; w > 0; w /= 2 {
		for i := range w {
			sum[i] += sum[i+w]
		}
	}
	return sum[0]
}

func TestDot(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	same := func(a, b float64) bool { return a == b || a != a && b != b }
	for _, n := range lengths {
		x, y := values(r, n), values(r, n+1)
		if got, want := Dot(wide(x), wide(y)), inLanes(wide(x), wide(y)); !same(got, want) {
			t.Errorf("%d values: %v, want %v", n, got, want)
		}
		exact := func(x []float32) (w []float64) {
			for _, v := range x {
				w = append(w, float64(v))
			}
			return w
		}
		if got, want := DotWide(x, y), inLanes(exact(x), exact(y)); !same(got, want) {
			t.Errorf("%d values of float32: %v, want %v", n, got, want)
		}
	}
}

// TestTooShort: a vector that is too short is a panic, in assembly too.
func TestTooShort(t *testing.T) {
	x, y := make([]float32, 64), make([]float32, 65)
	for name, f := range map[string]func(){
		"AddScaled":      func() { AddScaled(y, 1, x) },
		"AddProducts, x": func() { AddProducts(make([]float32, 64), 16, 16, make([]float32, 8), x[:31:31], 16) },
		"AddProducts, y": func() { AddProducts(x[:63:63], 16, 16, make([]float32, 8), x, 16) },
		"Dot":            func() { Dot(wide(y), wide(x)) },
		"DotWide":        func() { DotWide(y, x) },
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s reads beyond the end", name)
				}
			}()
			f()
		}()
	}
}

// The unit is a product.
func BenchmarkAddProducts(b *testing.B) {
	const ld = 1040 // 1024 values whose rows do not all fall on the same lines of a cache
	x, y, a := make([]float32, 8*ld), make([]float32, 4*ld), make([]float32, 4*8)
	b.SetBytes(4 * 8 * 1024)
	for b.Loop() {
		AddProducts(y, ld, 1024, a, x, ld)
	}
}

func BenchmarkDot(b *testing.B) {
	x := make([]float64, 1024)
	b.SetBytes(2 * 8 * 1024)
	for b.Loop() {
		Dot(x, x)
	}
}

func BenchmarkDotWide(b *testing.B) {
	x := make([]float32, 1024)
	b.SetBytes(2 * 4 * 1024)
	for b.Loop() {
		DotWide(x, x)
	}
}
