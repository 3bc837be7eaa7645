package sampling

import "math"

// temperature divides the logits: below 1 it sharpens the distribution, above
// 1 it flattens it.
type temperature float32

func newTemperature(p *Params, _ Vocab) (sampler, error) {
	if p.Temp == 1 || p.Temp <= 0 { // not above 0: the chain ends greedily
		return nil, nil
	}
	return temperature(p.Temp), nil
}

func (t temperature) apply(c *candidates, _ *memory) {
	shift := t.shift(c)
	if c.plain {
		for i := range c.logits {
			c.logits[i] = (c.logits[i] - shift) / float32(t)
		}
		return
	}
	for i := range c.list {
		c.list[i].Logit = (c.list[i].Logit - shift) / float32(t)
	}
	c.changed() // rounding can make neighbours equal
}

// shift returns what to take off all logits, which changes no probability: nothing,
// unless the division would make the best one and others infinite, and so alike.
func (t temperature) shift(c *candidates) float32 {
	if t >= 1 {
		return 0
	}
	infinite := func(l float32) bool { return math.IsInf(float64(l/float32(t)), 0) }
	top := c.top().Logit
	if !infinite(top) || math.IsInf(float64(top), 0) {
		return 0
	}
	if top < 0 {
		return top
	}
	for i := range c.len() {
		l := float32(0)
		if c.plain {
			l = c.logits[i]
		} else {
			l = c.list[i].Logit
		}
		if l > 0 && l < top && infinite(l) {
			return top
		}
	}
	return 0
}
