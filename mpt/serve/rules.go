package serve

import "math"

// filter makes the logits of tokens that the rules do not allow -Inf, in a copy.
func (c *choice) filter(logits []float32) ([]float32, error) {
	if c.allowed == nil {
		c.allowed = make([]uint64, (len(logits)+63)/64)
	}
	for i := range c.allowed {
		c.allowed[i] = ^uint64(0)
	}
	c.rules.Allow(c.allowed)
	c.masked = append(c.masked[:0], logits...)
	for i := range c.masked {
		if c.allowed[i/64]>>(i%64)&1 == 0 {
			c.masked[i] = float32(math.Inf(-1))
		}
	}
	return c.masked, nil
}
