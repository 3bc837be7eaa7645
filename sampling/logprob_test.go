package sampling

import (
	"cmp"
	"math"
	"math/big"
	"math/rand/v2"
	"slices"
	"testing"
)

// LogSum agrees with sums of the standard library, and the best tokens with sorting.
func TestLogSumAndBest(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 50 {
		logits := make([]float32, 1+r.IntN(3000))
		for i := range logits {
			logits[i] = float32(math.Round(r.NormFloat64()*40) / 8) // some are equal
		}
		if r.IntN(2) == 0 {
			logits[r.IntN(len(logits))] = float32(math.Inf(-1))
			logits[0] = 1
		}
		sum := new(big.Float)
		for _, v := range logits {
			sum.Add(sum, big.NewFloat(math.Exp(float64(v))))
		}
		want, _ := sum.Float64()
		if got := LogSum(logits); math.Abs(got-math.Log(want)) > 1e-12*(1+math.Abs(got)) {
			t.Errorf("%d logits: %v, want %v", len(logits), got, math.Log(want))
		}
		sorted := make([]Candidate, len(logits))
		for i, v := range logits {
			sorted[i] = Candidate{ID: int32(i), Logit: v}
		}
		slices.SortStableFunc(sorted, func(a, b Candidate) int { return cmp.Compare(b.Logit, a.Logit) })
		for _, n := range []int{0, 1, 5, len(logits)} {
			if got := Best(nil, logits, n); !slices.Equal(got, sorted[:min(n, len(sorted))]) {
				t.Errorf("the best %d of %d: %v", n, len(logits), got)
			}
		}
	}
	for _, bad := range []float64{math.NaN(), math.Inf(1)} {
		if got := LogSum([]float32{1, float32(bad)}); !math.IsNaN(got) {
			t.Errorf("with %v: %v", bad, got)
		}
	}
}
