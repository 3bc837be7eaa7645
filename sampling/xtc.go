package sampling

// xtc ("exclude top choices") now and then drops every candidate that is at
// least as likely as threshold, except the least likely of these.
type xtc struct {
	probability float64
	threshold   float32
}

func newXTC(p *Params, _ Vocab) (sampler, error) {
	// Two candidates cannot both have more than half.
	if p.XTCProbability <= 0 || p.XTCThreshold > 0.5 {
		return nil, nil
	}
	return &xtc{float64(p.XTCProbability), p.XTCThreshold}, nil
}

func (s *xtc) apply(c *candidates, m *memory) {
	if m.uniform() >= s.probability {
		return
	}
	c.softmax()
	n := 0
	for n < c.len() && c.best(n).P >= s.threshold {
		n++
	}
	if n > 1 {
		c.drop(n - 1)
	}
}
