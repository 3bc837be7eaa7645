package eval

import (
	"math"
	"math/rand/v2"
	"testing"
)

// The sum is that of one loop; the largest is the first of equals.
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
		x := softmaxOf(logits)
		if x.top != n/2 || math.Abs(x.lse-math.Log(sum)) > 1e-12*40 {
			t.Errorf("%d logits: %d, %v, want %d, %v", n, x.top, x.lse, n/2, math.Log(sum))
		}
	}
	for _, bad := range []float32{float32(math.NaN()), float32(math.Inf(1))} {
		if x := softmaxOf([]float32{1, bad, 2}); !math.IsNaN(x.lse) {
			t.Errorf("with %v: %v", bad, x.lse)
		}
	}
}
