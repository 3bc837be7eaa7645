package dfa

import (
	"encoding/binary"
	"regexp/syntax"
	"slices"
	"unicode"
	"unicode/utf8"
)

// subset builds the automaton of a program: its states are sets of instructions, together with
// what was read last where the program looks at that.
type subset struct {
	prog  *syntax.Prog
	words bool // it looks for the borders of words
	byKey map[string]int32
	sets  []set
	out   *DFA
	work  int // since it was last taken from the budget
}

// set is a state: instructions that wait for the next character, and what came before.
type set struct {
	pcs    []uint32
	before rune // -1: nothing; else a character that stands for all of its kind
}

// word and other stand for the characters of words, and for all others.
const word, other = 'a', ' '

// compile returns an automaton of the words that a pattern in Go's syntax matches as a whole.
func compile(b *Budget, pattern string) (*DFA, error) {
	re, err := syntax.Parse(pattern, syntax.Perl)
	if err != nil {
		return nil, err
	}
	prog, err := syntax.Compile(re.Simplify())
	if err != nil {
		return nil, err
	}
	c := &subset{prog: prog, byKey: map[string]int32{}, out: &DFA{}, work: len(prog.Inst)}
	for _, in := range prog.Inst {
		const borders = syntax.EmptyWordBoundary | syntax.EmptyNoWordBoundary
		c.words = c.words || in.Op == syntax.InstEmptyWidth && syntax.EmptyOp(in.Arg)&borders != 0
	}
	c.state([]uint32{uint32(prog.Start)}, -1)
	for i := 0; i < len(c.sets); i++ {
		if len(c.sets) > MaxStates {
			return nil, ErrTooLarge
		}
		if err := c.fill(b, i); err != nil {
			return nil, err
		}
	}
	return c.out.trim(), nil
}

// state returns the number of a set.
func (c *subset) state(pcs []uint32, before rune) int32 {
	slices.Sort(pcs)
	pcs = slices.Compact(pcs)
	if i := slices.IndexFunc(pcs, c.everything); i >= 0 {
		pcs, before = pcs[i:i+1], other
	}
	if before >= 0 {
		before = c.kind(before)
	}
	key := binary.AppendVarint(nil, int64(before))
	for _, pc := range pcs {
		key = binary.AppendUvarint(key, uint64(pc))
	}
	n, ok := c.byKey[string(key)]
	if !ok {
		n = int32(len(c.sets))
		c.byKey[string(key)] = n
		c.sets = append(c.sets, set{pcs, before})
		c.out.States = append(c.out.States, State{})
	}
	return n
}

// kind returns the character that stands for one.
func (c *subset) kind(r rune) rune {
	if c.words && syntax.IsWordChar(r) {
		return word
	}
	return other
}

// everything reports whether any text at all may follow an instruction: a loop of any
// character with nothing behind it.
func (c *subset) everything(pc uint32) bool {
	in := c.prog.Inst[pc]
	if in.Op != syntax.InstAlt {
		return false
	}
	loop, end := in.Out, in.Arg
	for c.prog.Inst[end].Op == syntax.InstCapture || c.prog.Inst[end].Op == syntax.InstNop {
		end = c.prog.Inst[end].Out
	}
	return c.prog.Inst[loop].Op == syntax.InstRuneAny && c.prog.Inst[loop].Out == pc &&
		c.prog.Inst[end].Op == syntax.InstMatch
}

// fill finds the edges of a state, and whether a word may end in it.
func (c *subset) fill(b *Budget, at int) error {
	s := c.sets[at]
	if _, ends := c.closure(s.pcs, syntax.EmptyOpContext(s.before, -1)); ends {
		c.out.States[at].Label = 1
	}
	plain, _ := c.closure(s.pcs, syntax.EmptyOpContext(s.before, other))
	inWord := plain
	if c.words {
		inWord, _ = c.closure(s.pcs, syntax.EmptyOpContext(s.before, word))
	}
	var edges []Edge
	bounds := c.bounds(plain, inWord)
	for i, first := range bounds {
		if err := b.Spend(c.work); err != nil {
			return err
		}
		c.work = 0
		last := rune(utf8.MaxRune)
		if i+1 < len(bounds) {
			last = bounds[i+1] - 1
		}
		if first >= surrogateFirst && first <= surrogateLast {
			continue
		}
		pcs := plain
		if c.words && syntax.IsWordChar(first) {
			pcs = inWord
		}
		if next := c.step(pcs, first); len(next) > 0 {
			edges = appendEdge(edges, Edge{first, last, c.state(next, first)})
		}
	}
	c.out.States[at].Edges = edges
	return nil
}

// closure returns the instructions for characters that can be reached without reading one, and
// whether the end can.
func (c *subset) closure(pcs []uint32, flags syntax.EmptyOp) (out []uint32, ends bool) {
	seen := map[uint32]bool{}
	todo := slices.Clone(pcs)
	for len(todo) > 0 {
		pc := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		c.work++
		if seen[pc] {
			continue
		}
		seen[pc] = true
		switch in := c.prog.Inst[pc]; in.Op {
		case syntax.InstAlt, syntax.InstAltMatch:
			todo = append(todo, in.Out, in.Arg)
		case syntax.InstCapture, syntax.InstNop:
			todo = append(todo, in.Out)
		case syntax.InstEmptyWidth:
			if syntax.EmptyOp(in.Arg)&^flags == 0 {
				todo = append(todo, in.Out)
			}
		case syntax.InstMatch:
			ends = true
		case syntax.InstRune, syntax.InstRune1, syntax.InstRuneAny, syntax.InstRuneAnyNotNL:
			out = append(out, pc)
		}
	}
	return out, ends
}

// bounds returns the characters at which instructions change their mind, in order.
func (c *subset) bounds(lists ...[]uint32) []rune {
	out := []rune{0, surrogateFirst, surrogateLast + 1}
	if c.words {
		out = append(out, '0', '9'+1, 'A', 'Z'+1, '_', '_'+1, 'a', 'z'+1)
	}
	for _, pcs := range lists {
		for _, pc := range pcs {
			in := c.prog.Inst[pc]
			switch {
			case in.Op == syntax.InstRuneAnyNotNL:
				out = append(out, '\n', '\n'+1)
			case len(in.Rune) == 1: // perhaps in another case, too
				out = append(out, in.Rune[0], in.Rune[0]+1)
				for r := unicode.SimpleFold(in.Rune[0]); r != in.Rune[0]; r = unicode.SimpleFold(r) {
					out = append(out, r, r+1)
				}
			default:
				for i := 0; i+1 < len(in.Rune); i += 2 {
					out = append(out, in.Rune[i], in.Rune[i+1]+1)
				}
			}
		}
	}
	slices.Sort(out)
	out = slices.Compact(out)
	for len(out) > 0 && out[len(out)-1] > utf8.MaxRune {
		out = out[:len(out)-1]
	}
	return out
}

// step returns what follows the instructions that take a character.
func (c *subset) step(pcs []uint32, r rune) (next []uint32) {
	for _, pc := range pcs {
		c.work++
		if in := &c.prog.Inst[pc]; in.Op == syntax.InstRuneAny || in.MatchRune(r) {
			next = append(next, in.Out)
		}
	}
	return next
}
