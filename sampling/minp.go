package sampling

// minP keeps the candidates that are at least a share p as likely as the best
// one (Nguyen et al., "Turning Up the Heat: Min-p Sampling", 2024).
type minP struct {
	distance float64 // -ln p: how far below the best logit that is
}

func newMinP(p *Params, _ Vocab) (sampler, error) {
	if p.MinP <= 0 {
		return nil, nil
	}
	return minP{distance: -log(float64(p.MinP))}, nil
}

func (s minP) apply(c *candidates, _ *memory) { c.within(s.distance) }
