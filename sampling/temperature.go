package sampling

// temperature divides the logits: below 1 it sharpens the distribution, above
// 1 it flattens it.
type temperature float32

func newTemperature(p *Params, _ Vocab) (sampler, error) {
	if p.Temp == 1 || p.Temp <= 0 { // not above 0: the chain ends greedily
		return nil, nil
	}
	return temperature(p.Temp), nil
}

func (t temperature) apply(c *Candidates, _ *memory) {
	if c.plain {
		for i := range c.logits {
			c.logits[i] /= float32(t)
		}
		return
	}
	for i := range c.list {
		c.list[i].Logit /= float32(t)
	}
	c.changed() // rounding can make neighbours equal
}
