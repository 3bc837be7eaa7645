package grammar

import (
	"math"
	"math/bits"
	"slices"
)

// endless is the number of names where there are that many or more.
const endless = math.MaxUint32

// countNames counts for all rules of names how many there are.
func (g *Grammar) countNames() {
	known := make([]bool, len(g.rules))
	for i := range g.rules {
		if g.rules[i].kind == inName && !known[i] {
			g.countFrom(int32(i), known)
		}
	}
	g.fewNames = slices.ContainsFunc(g.rules, func(r rule) bool { return r.kind == inName && r.words != endless })
}

// countFrom counts the names of a rule and of those behind it, without recursion: names may be
// some ten thousand bytes long.
func (g *Grammar) countFrom(root int32, known []bool) {
	type frame struct {
		rule int32
		alt  int
	}
	open := map[int32]bool{root: true}
	for stack := []frame{{root, 0}}; len(stack) > 0; {
		f := &stack[len(stack)-1]
		r := &g.rules[f.rule]
		if f.alt == len(r.alts) {
			r.words = g.sumNames(r, known)
			known[f.rule] = true
			stack = stack[:len(stack)-1]
			continue
		}
		alt := r.alts[f.alt]
		f.alt++
		if to := g.nameBehind(alt); to >= 0 && !known[to] && !open[to] {
			open[to] = true
			stack = append(stack, frame{to, 0})
		}
	}
}

// nameOpened returns the rule of a name behind its opening quote.
func (g *Grammar) nameOpened(rule int32) int32 {
	alt := g.rules[rule].alts[0]
	return alt[len(alt)-1].rule
}

// nameBehind returns the rule that goes on with a name; -1: it ends here.
func (g *Grammar) nameBehind(alt []symbol) int32 {
	if len(alt) == 2 && alt[1].rule >= 0 && g.rules[alt[1].rule].kind == inName {
		return alt[1].rule
	}
	return -1
}

// sumNames adds up the names of the alternatives, when all that they lead to was looked at. What
// is not known yet is being looked at, so it leads back to this rule: there are names without
// end.
func (g *Grammar) sumNames(r *rule, known []bool) uint32 {
	n := uint64(0)
	for _, alt := range r.alts {
		to := g.nameBehind(alt)
		switch {
		case to < 0:
			n++
		case !known[to] || g.rules[to].words == endless:
			return endless
		default:
			n += uint64(g.rules[to].words) * uint64(g.sets[alt[0].set].count())
		}
	}
	return uint32(min(n, endless))
}

func (s *byteSet) count() (n int) {
	for _, x := range s {
		n += bits.OnesCount64(x)
	}
	return n
}
