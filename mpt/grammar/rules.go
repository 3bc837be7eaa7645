package grammar

import (
	"errors"
	"fmt"
)

// Grammar is compiled rules over bytes. It may be used by any goroutine.
type Grammar struct {
	rules []rule // the first is root
	sets  []byteSet
	machine
}

// rule has alternatives, each a sequence of symbols.
type rule struct {
	name string
	alts [][]symbol
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

var errTooLarge = errors.New("grammar: it is too large: repetitions are written out, use fewer or smaller ones")

// compiler turns what was read into rules.
type compiler struct {
	p     *gbnf
	g     *Grammar
	byRef map[string]int32
	bySet map[byteSet]int32
	size  int
}

func (p *gbnf) compile() (*Grammar, error) {
	c := &compiler{p: p, g: &Grammar{}, byRef: map[string]int32{}, bySet: map[byteSet]int32{}}
	c.byRef["root"] = c.rule("root")
	for _, name := range p.order {
		if name != "root" {
			c.byRef[name] = c.rule(name)
		}
	}
	for _, name := range p.order {
		alts, err := c.alternatives(p.rules[name])
		if err != nil {
			return nil, err
		}
		c.g.rules[c.byRef[name]].alts = alts
	}
	if err := c.g.check(); err != nil {
		return nil, err
	}
	return c.g, c.g.machine.init(c.g)
}

// rule adds an empty rule.
func (c *compiler) rule(name string) int32 {
	c.g.rules = append(c.g.rules, rule{name: name})
	return int32(len(c.g.rules) - 1)
}

// alternatives returns those of an expression.
func (c *compiler) alternatives(e *expr) (alts [][]symbol, err error) {
	list := e.alt
	if list == nil {
		list = []*expr{e}
	}
	for _, x := range list {
		seq, err := c.sequence(nil, x)
		if err != nil {
			return nil, err
		}
		alts = append(alts, seq)
	}
	return alts, nil
}

// sequence appends the symbols of an expression.
func (c *compiler) sequence(seq []symbol, e *expr) ([]symbol, error) {
	if c.size++; c.size > mostSymbols {
		return nil, errTooLarge
	}
	switch {
	case e.chars != nil:
		return c.character(seq, e), nil
	case e.name != "":
		r, ok := c.byRef[e.name]
		if !ok {
			return nil, c.p.fail(e.at, "there is no rule %s", e.name)
		}
		return append(seq, symbol{rule: r}), nil
	case e.repeat != nil:
		return c.repetition(seq, e)
	case len(e.alt) == 1:
		return c.sequence(seq, e.alt[0])
	case e.alt != nil:
		r := c.rule("")
		alts, err := c.alternatives(e)
		c.g.rules[r].alts = alts
		return append(seq, symbol{rule: r}), err
	}
	for _, x := range e.seq {
		var err error
		if seq, err = c.sequence(seq, x); err != nil {
			return nil, err
		}
	}
	return seq, nil
}

// character appends a character of some spans: a set of bytes if there is one byte, else a
// rule of sequences.
func (c *compiler) character(seq []symbol, e *expr) []symbol {
	var one byteSet
	var alts [][]symbol
	sequences(e.chars, func(bytes []byteSpan) {
		if len(bytes) == 1 {
			one.add(bytes[0])
			return
		}
		var alt []symbol
		for _, b := range bytes {
			var s byteSet
			s.add(b)
			alt = append(alt, c.set(s))
		}
		alts = append(alts, alt)
	})
	c.size += 4 * len(alts)
	if one != (byteSet{}) {
		alts = append(alts, []symbol{c.set(one)})
	}
	if len(alts) == 1 {
		return append(seq, alts[0]...)
	}
	r := c.rule("")
	c.g.rules[r].alts = alts
	return append(seq, symbol{rule: r})
}

func (c *compiler) set(s byteSet) symbol {
	n, ok := c.bySet[s]
	if !ok {
		n = int32(len(c.g.sets))
		c.bySet[s] = n
		c.g.sets = append(c.g.sets, s)
	}
	return symbol{rule: -1, set: n}
}

// repetition appends min copies and then either a rule that repeats itself or, for each copy
// more that may come, a rule inside the one before.
func (c *compiler) repetition(seq []symbol, e *expr) ([]symbol, error) {
	one := c.rule("")
	alts, err := c.alternatives(e.repeat)
	if err != nil {
		return nil, err
	}
	c.g.rules[one].alts = alts
	for range e.min {
		seq = append(seq, symbol{rule: one})
	}
	if c.size += e.min; c.size > mostSymbols {
		return nil, errTooLarge
	}
	if e.most < 0 {
		more := c.rule("")
		c.g.rules[more].alts = [][]symbol{{{rule: one}, {rule: more}}, {}}
		return append(seq, symbol{rule: more}), nil
	}
	rest := int32(-1)
	for range e.most - e.min {
		if c.size++; c.size > mostSymbols {
			return nil, errTooLarge
		}
		more := c.rule("")
		alt := []symbol{{rule: one}}
		if rest >= 0 {
			alt = append(alt, symbol{rule: rest})
		}
		c.g.rules[more].alts = [][]symbol{alt, {}}
		rest = more
	}
	if rest >= 0 {
		seq = append(seq, symbol{rule: rest})
	}
	return seq, nil
}

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
				return fmt.Errorf("grammar: left recursion in the rule %s: write what repeats with * or +", g.nameOf(i, next, group))
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
