package sampling

import (
	"math"
	"math/rand/v2"
	"testing"
)

// TestExpSum compares with one exponential after the other, to the bit: of logits of all sizes, with
// those whose exponentials are 0 or nearly so, and ties with the largest.
func TestExpSum(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	special := []float32{0, -707.9, -708, -708.3, -709, -1e30, float32(math.Inf(-1)), -1e-30, -math.Ln2 / 2}
	for round := range 20_000 {
		size := round % 70
		if round%1000 == 0 {
			size = 3*8192 - 2 + r.IntN(5) // more than the kernels take at a time
		}
		logits := make([]float32, size)
		top := r.NormFloat64()
		for i := range logits {
			logits[i] = float32(math.Min(top, top-r.ExpFloat64()*math.Exp(r.Float64()*8-2)))
			if r.IntN(9) == 0 {
				logits[i] = float32(top) + special[r.IntN(len(special))]
			}
		}
		want := 0.0
		for _, v := range logits {
			want += exp(float64(v) - top)
		}
		if got := expSum(logits, top); math.Float64bits(got) != math.Float64bits(want) {
			t.Fatalf("%d logits: %v, want %v", len(logits), got, want)
		}
	}
}

// TestLargest compares with one logit after the other: of all sizes, with what is not a number at any
// place, infinities and zeros.
func TestLargest(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	inf, nan := float32(math.Inf(1)), float32(math.NaN())
	special := []float32{nan, inf, -inf, 0, float32(math.Copysign(0, -1)), math.MaxFloat32, -math.MaxFloat32}
	for round := range 20_000 {
		logits := make([]float32, round%200)
		if round%1000 == 0 {
			logits = make([]float32, 3*8192-2+r.IntN(5)) // more than the kernel takes at a time
		}
		for i := range logits {
			logits[i] = float32(r.NormFloat64()) - 4
		}
		for range r.IntN(3) {
			if len(logits) > 0 {
				logits[r.IntN(len(logits))] = special[r.IntN(len(special))]
			}
		}
		want := math.Inf(-1)
		for _, v := range logits {
			want = max(want, float64(v))
		}
		if got := largest(logits); got != want && !(math.IsNaN(got) && math.IsNaN(want)) {
			t.Fatalf("%d logits: %v, want %v", len(logits), got, want)
		}
	}
}

func BenchmarkLogSum(b *testing.B) {
	logits := make([]float32, 8192)
	for i := range logits {
		logits[i] = float32(i%97) / 5
	}
	for b.Loop() {
		LogSum(logits)
	}
}
