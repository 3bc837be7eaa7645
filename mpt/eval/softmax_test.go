package eval

import (
	"math"
	"math/rand/v2"
	"testing"
)

// The sum is that of one loop, and the same for any number of goroutines; the largest is
// the first of equals.
func TestSoftmax(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	for _, n := range []int{1, 100, softmaxPart, softmaxPart + 1, 50432} {
		logits := make([]float32, n)
		for i := range logits {
			logits[i] = float32(r.NormFloat64() * 5)
		}
		logits[n/2], logits[n-1] = 40, 40
		sum := 0.0
		for _, v := range logits {
			sum += math.Exp(float64(v))
		}
		top, lse := softmaxOf(logits, 1)
		if top != n/2 || math.Abs(lse-math.Log(sum)) > 1e-12*40 {
			t.Errorf("%d logits: %d, %v, want %d, %v", n, top, lse, n/2, math.Log(sum))
		}
		for workers := 2; workers < 10; workers++ {
			if i, v := softmaxOf(logits, workers); i != top || v != lse {
				t.Errorf("%d logits, %d goroutines: %d, %v, want %d, %v", n, workers, i, v, top, lse)
			}
		}
	}
	for _, bad := range []float32{float32(math.NaN()), float32(math.Inf(1))} {
		if _, lse := softmaxOf([]float32{1, bad, 2}, 2); !math.IsNaN(lse) {
			t.Errorf("with %v: %v", bad, lse)
		}
	}
}
