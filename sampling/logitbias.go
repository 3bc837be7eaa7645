package sampling

// Bias is added to the logit of one token before anything else happens. -Inf
// bans the token.
type Bias struct {
	ID    int32
	Value float32
}

type logitBias []Bias

func (b logitBias) apply(c *candidates, _ *memory) {
	for _, bias := range b {
		if l := c.logit(bias.ID); l != nil {
			*l += bias.Value
		}
	}
	c.changed()
}
