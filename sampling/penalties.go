package sampling

import "math"

// penalties makes tokens that were seen lately less likely: repeat divides a
// positive logit and multiplies a negative one (Keskar et al., "CTRL", 2019,
// with the usual repair for negative logits), then frequency is taken off for
// every time the token was seen, and presence once.
type penalties struct {
	lastN     int
	repeat    float32
	frequency float32
	presence  float32
}

func newPenalties(p *Params, _ Vocab) (sampler, error) {
	if p.RepeatLastN == 0 || p.RepeatPenalty == 1 && p.FrequencyPenalty == 0 && p.PresencePenalty == 0 {
		return nil, nil
	}
	return &penalties{p.RepeatLastN, p.RepeatPenalty, p.FrequencyPenalty, p.PresencePenalty}, nil
}

func (s *penalties) window() int { return s.lastN }

func (s *penalties) apply(c *candidates, m *memory) {
	clear(m.counts)
	for _, id := range m.last(s.lastN) {
		m.counts[id]++
	}
	for id, n := range m.counts { // every token is independent of the others
		if l := c.logit(id); l != nil {
			*l = s.penalise(*l, n)
		}
	}
	c.changed()
}

// penalise returns the logit l of a token that was seen n times.
func (s *penalties) penalise(l float32, n int) float32 {
	if l <= 0 {
		l = float32(l * s.repeat)
	} else {
		l /= s.repeat
	}
	off := float32(float32(n)*s.frequency) + s.presence
	// A finite amount cannot turn an infinite logit into NaN.
	return l - max(-math.MaxFloat32, min(off, math.MaxFloat32))
}
