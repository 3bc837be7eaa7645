package sampling

import "math"

// dry ("don't repeat yourself") makes a token less likely if it would lengthen
// a repetition: if the last n tokens have occurred before in the same order and
// the token followed them, multiplier * base^(n-allowed) is taken off its
// logit, provided that n >= allowed. A repetition does not reach back over a
// sequence breaker, and breakers themselves are not penalised.
type dry struct {
	multiplier float64
	base       float64
	allowed    int
	lastN      int
	breakers   *breakers // nil: none
}

func newDRY(p *Params, v Vocab) (sampler, error) {
	if p.DRYMultiplier == 0 || p.DRYPenaltyLastN == 0 {
		return nil, nil
	}
	b, err := newBreakers(p.DRYBreakers, v)
	if err != nil {
		return nil, err
	}
	return &dry{float64(p.DRYMultiplier), float64(p.DRYBase), p.DRYAllowedLength, p.DRYPenaltyLastN, b}, nil
}

func (s *dry) window() int { return s.lastN }

func (s *dry) apply(c *candidates, m *memory) {
	past := m.last(s.lastN)
	if len(past) <= s.allowed {
		return
	}
	limit := s.breakers.unbroken(past)
	if limit < s.allowed {
		return
	}
	m.repeats(past, s.allowed, limit)
	for id, n := range m.counts { // every token is independent of the others
		if s.breakers.whole(id) {
			continue
		}
		if l := c.logit(id); l != nil {
			*l -= s.penalty(n)
		}
	}
	c.changed()
}

// penalty returns what a repetition of n tokens costs the one that continues it.
func (s *dry) penalty(n int) float32 {
	return float32(min(s.multiplier*power(s.base, n-s.allowed), math.MaxFloat32))
}

// repeats sets m.counts: for every token that would continue a repetition of
// least tokens or more, the length of the longest one, at most limit.
//
// z[k] is the length of the longest common ending of past and of past without
// its last k tokens, found in linear time by the Z-algorithm (Gusfield,
// "Algorithms on Strings, Trees, and Sequences", 1997, section 1.4) on the
// reversed sequence. The token that followed that ending is k from the end.
func (m *memory) repeats(past []int32, least, limit int) {
	clear(m.counts)
	last := len(past) - 1
	z := append(m.z[:0], 0)
	left, right := 0, 0 // the match that reaches furthest back covers [left, right)
	for k := 1; k <= last; k++ {
		n := 0
		if k < right {
			n = min(right-k, z[k-left])
		}
		for k+n <= last && past[last-n] == past[last-k-n] {
			n++
		}
		if k+n > right {
			left, right = k, k+n
		}
		z = append(z, n)
		if n = min(n, limit); n >= least {
			next := past[len(past)-k]
			m.counts[next] = max(m.counts[next], n)
		}
	}
	m.z = z
}
