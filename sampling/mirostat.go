package sampling

import "math"

// mirostat is Mirostat 2.0 (Basu et al., "Mirostat: A Neural Text Decoding
// Algorithm that Directly Controls Perplexity", 2021): it drops candidates more
// surprising than a threshold, mu bits, which it moves with every token so that
// the mean surprise comes to tau.
type mirostat struct {
	tau, eta float64
}

func (s mirostat) pick(c *candidates, m *memory) (Candidate, bool) {
	sum, top := c.softmax()
	if math.IsInf(float64(top), -1) {
		return Candidate{}, false
	}
	// -log2 P <= mu, in terms of logits
	c.within(float64(m.mu*math.Ln2) - log(sum))
	c.softmax()
	x := draw(c.list, m.uniform())
	surprise := -log(float64(x.P)) / math.Ln2
	m.mu -= float64(s.eta * (surprise - s.tau))
	return x, true
}
