package server

import (
	"cmp"
	"math"
	"slices"
)

// readBest reads best_of: so many choices are made of every prompt, and the n best of them are
// the answer. It returns how many of them are made.
func readBest(f *fields, m *served, n int, streamed bool) int {
	best := int(f.whole("best_of", int64(n), 1, mostChoices))
	most := m.Engine.Options().Parallel
	switch {
	case best < n:
		f.fail("best_of", "%d: want at least n, which is %d", best, n)
	case best > n && streamed:
		f.fail("best_of", "the best %d of %d choices are known at the end, so they cannot be streamed: "+
			"leave out stream, or best_of", n, best)
	case best > most && best > n:
		f.fail("best_of", "%d: this server answers at most %d at the same time", best, most)
	}
	return best
}

// mean is the mean log-probability of an answer's tokens, those of the prompt and of a stop
// string aside. An answer without tokens is the worst.
func (a *answered) mean() float64 {
	sum, n := 0.0, 0
	for _, t := range a.tokens[min(a.echoed, len(a.tokens)):] {
		if t.Logprob != nil {
			sum += t.P
			n++
		}
	}
	if n == 0 {
		return math.Inf(-1)
	}
	return sum / float64(n)
}

// ranked is a choice with its number among those that were made of its prompt.
type ranked struct {
	*answered
	made int
}

// best returns the n best of every made choices, the best first, equal ones in their order.
func best(all []answered, made, n int) (list []ranked) {
	for prompt := range slices.Chunk(all, made) {
		some := make([]ranked, made)
		for k := range prompt {
			some[k] = ranked{&prompt[k], k}
		}
		if made > n {
			slices.SortStableFunc(some, func(a, b ranked) int { return cmp.Compare(b.mean(), a.mean()) })
		}
		list = append(list, some[:n]...)
	}
	return list
}
