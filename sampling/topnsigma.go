package sampling

import "math"

// topNSigma keeps the candidates within n standard deviations of the best
// logit (Tang et al., "Top-nσ: Not All Logits Are You Need", 2024). Logits of
// -Inf do not count.
type topNSigma float64

func newTopNSigma(p *Params, _ Vocab) (sampler, error) {
	if p.TopNSigma <= 0 {
		return nil, nil
	}
	return topNSigma(p.TopNSigma), nil
}

func (n topNSigma) apply(c *candidates, _ *memory) {
	list := c.items()
	sum, count := 0.0, 0.0
	for _, x := range list {
		if l := float64(x.Logit); !math.IsInf(l, -1) {
			sum += l
			count++
		}
	}
	mean, squares := sum/count, 0.0
	for _, x := range list {
		if d := float64(x.Logit) - mean; !math.IsInf(d, -1) {
			squares += float64(d * d)
		}
	}
	// If the best logit is infinite this is NaN, which only its equals are within.
	c.within(float64(float64(n) * math.Sqrt(squares/count)))
}
