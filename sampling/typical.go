package sampling

import (
	"cmp"
	"math"
	"slices"
)

// typical keeps the candidates whose surprise is closest to the entropy, until
// their probabilities add up to more than p (Meister et al., "Locally Typical
// Sampling", 2022).
type typical float64

func newTypical(p *Params, _ Vocab) (sampler, error) {
	if p.Typical >= 1 {
		return nil, nil
	}
	return typical(p.Typical), nil
}

// scored is a candidate, its place in the list, and how untypical it is.
type scored struct {
	Candidate
	at    int
	score float64
}

func (p typical) apply(c *candidates, _ *memory) {
	c.softmax()
	c.score()
	slices.SortFunc(c.scored, func(a, b scored) int {
		if d := cmp.Compare(a.score, b.score); d != 0 {
			return d
		}
		return rank(a.Candidate, b.Candidate)
	})
	sum, n := 0.0, 0
	for n < len(c.scored) && sum <= float64(p) {
		sum += float64(c.scored[n].P)
		n++
	}
	c.pickScored(n)
}

// score fills c.scored with the distance of every candidate's surprise -ln P
// from the entropy.
func (c *candidates) score() {
	c.scored = c.scored[:0]
	entropy := 0.0
	for i, x := range c.list {
		surprise := math.Inf(1)
		if x.P > 0 {
			surprise = -log(float64(x.P))
			entropy += float64(float64(x.P) * surprise)
		}
		c.scored = append(c.scored, scored{x, i, surprise})
	}
	for i := range c.scored {
		c.scored[i].score = math.Abs(c.scored[i].score - entropy)
	}
}

// pickScored leaves the first n of c.scored, in the order of the list.
func (c *candidates) pickScored(n int) {
	kept := c.scored[:n]
	slices.SortFunc(kept, func(a, b scored) int { return cmp.Compare(a.at, b.at) })
	ranked := 0
	c.list = c.list[:0]
	for _, x := range kept {
		c.list = append(c.list, x.Candidate)
		if x.at < c.ranked {
			ranked++
		}
	}
	c.ranked = ranked
}
