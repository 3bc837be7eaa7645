package grammar

import (
	"errors"
	"fmt"
)

// Grammar is compiled rules over bytes. It may be used by any goroutine.
type Grammar struct {
	rules []rule // the first is root
	sets  []byteSet

	once     bool // the text is JSON in which no object has a name twice
	fewNames bool // there are places where only so many names can come
	machine
}

// rule has alternatives, each a sequence of symbols.
type rule struct {
	name string
	alts [][]symbol

	kind  nameRule // it reads a name of an object
	words uint32   // that a text may go on with up to the end of the name

	// Where in a string of JSON any characters may follow that stand for themselves: how many,
	// each of them read by a rule that reads one character.
	free      int32
	character bool
}

// symbol is a rule, or if that is negative a set of bytes.
type symbol struct{ rule, set int32 }

// byteSet has a bit for each byte.
type byteSet [4]uint64

func (s *byteSet) add(b byteSpan) {
	for c := int(b.first); c <= int(b.last); c++ {
		s[c/64] |= 1 << (c % 64)
	}
}

func (s *byteSet) has(b byte) bool { return s[b/64]>>(b%64)&1 != 0 }

// mostSymbols is how large rules may be: repetitions are copies.
const mostSymbols = 200_000

var errTooLarge = errors.New("it is too large: repetitions are written out, use fewer or smaller ones")

// check refuses rules that no text ends, and left recursion, which a stack has no end for.
func (g *Grammar) check() error {
	ends := g.fixpoint(false)
	for i, used := range g.reached() {
		if used && !ends[i] && g.rules[i].name != "" {
			return fmt.Errorf("grammar: the rule %s matches no text that ends", g.rules[i].name)
		}
	}
	return g.checkLeft(g.fixpoint(true))
}

// reached returns which rules root needs.
func (g *Grammar) reached() []bool {
	is := make([]bool, len(g.rules))
	is[0] = true
	for todo := []int32{0}; len(todo) > 0; {
		r := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		for _, alt := range g.rules[r].alts {
			for _, s := range alt {
				if s.rule >= 0 && !is[s.rule] {
					is[s.rule] = true
					todo = append(todo, s.rule)
				}
			}
		}
	}
	return is
}

// fixpoint returns which rules have an alternative of rules that have one, and so on: with
// empty only rules count, without it bytes are fine, too. It takes time in proportion to the
// rules, however they are ordered.
func (g *Grammar) fixpoint(empty bool) []bool {
	is := make([]bool, len(g.rules))
	users := make([][]int32, len(g.rules)) // alternatives that wait for a rule, once for each use
	var owner, missing []int32             // of an alternative: its rule, and what it waits for
	var ready []int32
	for i := range g.rules {
		for _, alt := range g.rules[i].alts {
			n := int32(len(owner))
			owner, missing = append(owner, int32(i)), append(missing, 0)
			for _, s := range alt {
				if s.rule >= 0 {
					users[s.rule] = append(users[s.rule], n)
					missing[n]++
				} else if empty {
					missing[n]++ // for ever
				}
			}
			if missing[n] == 0 {
				ready = append(ready, n)
			}
		}
	}
	for len(ready) > 0 {
		r := owner[ready[len(ready)-1]]
		ready = ready[:len(ready)-1]
		if is[r] {
			continue
		}
		is[r] = true
		for _, n := range users[r] {
			if missing[n]--; missing[n] == 0 {
				ready = append(ready, n)
			}
		}
	}
	return is
}

// checkLeft looks for a rule that can come back to itself before any byte with something left
// to be read behind it: its stacks would grow without end. Where nothing is left behind, as in
// a repetition of what may be empty, the stack is the same again.
func (g *Grammar) checkLeft(empty []bool) error {
	next := make([][]leftEdge, len(g.rules))
	for i := range g.rules {
		for _, alt := range g.rules[i].alts {
			for k, s := range alt {
				if s.rule < 0 {
					break
				}
				next[i] = append(next[i], leftEdge{s.rule, k+1 < len(alt)})
				if !empty[s.rule] {
					break
				}
			}
		}
	}
	group := components(next)
	for i := range next {
		for _, e := range next[i] {
			if e.grows && group[i] == group[e.to] {
				return fmt.Errorf("grammar: left recursion in the rule %s: write what repeats with * or +",
					g.nameOf(i, next, group))
			}
		}
	}
	return nil
}

// leftEdge says that a rule may begin with another.
type leftEdge struct {
	to    int32
	grows bool // something is left behind it
}

// nameOf returns the name of a rule of a group that has one.
func (g *Grammar) nameOf(i int, next [][]leftEdge, group []int32) string {
	for k := range next {
		if group[k] == group[i] && g.rules[k].name != "" {
			return g.rules[k].name
		}
	}
	return "root"
}

// components numbers the strongly connected components (Tarjan 1972), without recursion.
func components(next [][]leftEdge) []int32 {
	n := len(next)
	index, low, group := make([]int32, n), make([]int32, n), make([]int32, n)
	onStack := make([]bool, n)
	var stack []int32
	count, groups := int32(0), int32(0)
	type frame struct{ v, edge int32 }
	for root := range n {
		if index[root] != 0 {
			continue
		}
		work := []frame{{int32(root), 0}}
		for len(work) > 0 {
			f := &work[len(work)-1]
			v := f.v
			if f.edge == 0 {
				count++
				index[v], low[v] = count, count
				stack, onStack[v] = append(stack, v), true
			}
			if int(f.edge) < len(next[v]) {
				w := next[v][f.edge].to
				f.edge++
				switch {
				case index[w] == 0:
					work = append(work, frame{w, 0})
				case onStack[w]:
					low[v] = min(low[v], index[w])
				}
				continue
			}
			if low[v] == index[v] {
				for {
					w := stack[len(stack)-1]
					stack, onStack[w] = stack[:len(stack)-1], false
					group[w] = groups
					if w == v {
						break
					}
				}
				groups++
			}
			work = work[:len(work)-1]
			if len(work) > 0 {
				p := work[len(work)-1].v
				low[p] = min(low[p], low[v])
			}
		}
	}
	return group
}
