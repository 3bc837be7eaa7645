package sampling

import (
	"cmp"
	"math"
	"math/big"
	"math/rand/v2"
	"slices"
	"testing"
)

// Share is the softmax of a token, but for what is too little to count.
func TestShare(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for range 50 {
		logits := make([]float32, 1+r.IntN(500))
		for i := range logits {
			logits[i] = float32(r.NormFloat64() * 6)
		}
		sum, all := LogSum(logits), 0.0
		// Two differences of logits are rounded to float32, each by 2^-24 of its size at the most: that is by
		// which part their exponentials may be wrong.
		rounding := float64(slices.Max(logits)-slices.Min(logits))*0x1p-22 + 1e-9
		for id := range logits {
			got, want := Share(logits, int32(id)), math.Exp(float64(logits[id])-sum)
			// What is left out of the sum is less than e^-16 of it for each token.
			if slack := float64(len(logits)) * math.Exp(-16); got < want*(1-rounding) || got > want*(1+slack+rounding) {
				t.Fatalf("token %d of %d: %v, want %v", id, len(logits), got, want)
			}
			all += got
		}
		if all < 1-rounding || all > 1+float64(len(logits))*math.Exp(-16)+rounding {
			t.Errorf("all shares are %v", all)
		}
	}
	masked := float32(math.Inf(-1))
	if p, q := Share([]float32{masked, 2, masked}, 1), Share([]float32{masked, 2, masked}, 0); p != 1 || q != 0 {
		t.Errorf("the only token has %v, a masked one %v", p, q)
	}
}

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
