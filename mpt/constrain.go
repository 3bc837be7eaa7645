package mpt

import (
	"math"
)

// Constraint says which tokens may follow, a grammar in a state for instance. It serves one
// generation.
type Constraint interface {
	// Allow clears the bits of tokens, one bit for each token, least significant first, that
	// must not follow. End-of-text tokens are allowed where the text may end.
	Allow(allowed []uint64) error
	// Accept goes on to the state after the token.
	Accept(id int32) error
}

// constrain returns logits, in a copy those of tokens that must not follow -Inf.
func (g *Generation) constrain(logits []float32) ([]float32, error) {
	if g.opt.Constraint == nil {
		return logits, nil
	}
	if g.allowed == nil {
		g.allowed = make([]uint64, (len(logits)+63)/64)
	}
	for i := range g.allowed {
		g.allowed[i] = ^uint64(0)
	}
	if err := g.opt.Constraint.Allow(g.allowed); err != nil {
		return nil, err
	}
	some := false
	g.masked = append(g.masked[:0], logits...)
	for i := range g.masked {
		if g.allowed[i/64]>>(i%64)&1 == 0 {
			g.masked[i] = float32(math.Inf(-1))
		} else {
			some = true
		}
	}
	if !some {
		return nil, ErrNothingAllowed
	}
	return g.masked, nil
}
