package sampling

import "math"

// dist draws from the distribution that is left.
type dist struct{}

func (dist) pick(c *candidates, m *memory) (Candidate, bool) {
	_, top := c.softmax()
	return draw(c.list, m.uniform()), !math.IsInf(float64(top), -1)
}

// draw returns the candidate at which the running sum of P passes the share u
// of the whole; 0 <= u < 1.
func draw(list []Candidate, u float64) Candidate {
	whole := 0.0
	for _, x := range list {
		whole += float64(x.P)
	}
	sum, target := 0.0, float64(u*whole)
	for _, x := range list {
		sum += float64(x.P)
		if sum > target { // in the end it is: u*whole < whole
			return x
		}
	}
	return list[0]
}
