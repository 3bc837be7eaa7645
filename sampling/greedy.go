package sampling

import "math"

// greedy takes the best candidate.
type greedy struct{}

func (greedy) pick(c *candidates, _ *memory) (Candidate, bool) {
	t := c.top()
	c.only(t)
	return t, !math.IsInf(float64(t.Logit), -1)
}
