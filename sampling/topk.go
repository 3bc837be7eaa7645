package sampling

// topK keeps the best k candidates (Fan et al., "Hierarchical Neural Story
// Generation", 2018).
type topK int

func newTopK(p *Params, _ Vocab) (sampler, error) {
	if p.TopK <= 0 {
		return nil, nil
	}
	return topK(p.TopK), nil
}

func (k topK) apply(c *candidates, _ *memory) {
	c.keep(min(int(k), c.len()))
}
