package sampling

// topP keeps the best candidates whose probabilities add up to p: the last one
// kept is the one that reaches it (Holtzman et al., "The Curious Case of Neural
// Text Degeneration", 2019).
type topP float64

func newTopP(p *Params, _ Vocab) (sampler, error) {
	if p.TopP >= 1 {
		return nil, nil
	}
	return topP(p.TopP), nil
}

func (p topP) apply(c *candidates, _ *memory) {
	c.softmax()
	sum := 0.0
	for i := range c.len() {
		sum += float64(c.best(i).P)
		if sum >= float64(p) {
			c.keep(i + 1)
			return
		}
	}
}
