// Package dfa builds deterministic automata over characters from patterns, words and lengths,
// and combines them.
//
// Surrogates (U+D800 to U+DFFF) are no characters here. Every automaton is trim: from each of
// its states a word can still be completed.
package dfa

import (
	"cmp"
	"encoding/binary"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// DFA is an automaton. Its first state is where words begin; without states it has no words.
type DFA struct{ States []State }

// State has a label, which is 0 unless a word may end here, and edges in the order of their
// characters, which do not overlap.
type State struct {
	Label int32
	Edges []Edge
}

// Edge leads to a state by any of the characters First to Last.
type Edge struct {
	First, Last rune
	To          int32
}

// MaxStates is how many states an automaton may have.
const MaxStates = 30_000

const (
	surrogateFirst, surrogateLast = 0xd800, 0xdfff
	dead                          = -1
)

// Empty reports whether there are no words.
func (d *DFA) Empty() bool { return len(d.States) == 0 }

// Next returns the state after a character, -1 if it cannot follow.
func (d *DFA) Next(at int32, r rune) int32 {
	edges := d.States[at].Edges
	i, ok := slices.BinarySearchFunc(edges, r, func(e Edge, r rune) int {
		if r > e.Last {
			return -1
		}
		return max(cmp.Compare(e.First, r), 0)
	})
	if !ok {
		return dead
	}
	return edges[i].To
}

// Label returns the label of a word, 0 if it is none.
func (d *DFA) Label(word string) int32 {
	if d.Empty() {
		return 0
	}
	at := int32(0)
	for _, r := range word {
		if at = d.Next(at, r); at == dead {
			return 0
		}
	}
	return d.States[at].Label
}

// Match reports whether it is a word.
func (d *DFA) Match(word string) bool { return utf8.ValidString(word) && d.Label(word) != 0 }

// all are the edges of any character.
func all(to int32) []Edge {
	return []Edge{{0, surrogateFirst - 1, to}, {surrogateLast + 1, utf8.MaxRune, to}}
}

// Any returns an automaton of all words.
func Any() *DFA { return &DFA{[]State{{1, all(0)}}} }

// Length returns an automaton of the words of at least min characters, and at most most of
// them unless that is negative.
func Length(min, most int) (*DFA, error) {
	n := max(min, most)
	if n >= MaxStates {
		return nil, ErrTooLarge
	}
	d := &DFA{make([]State, n+1)}
	for i := range d.States {
		if i >= min && (most < 0 || i <= most) {
			d.States[i].Label = 1
		}
		if i < n {
			d.States[i].Edges = all(int32(i + 1))
		} else if most < 0 {
			d.States[i].Edges = all(int32(i))
		}
	}
	return d.trim(), nil
}

// Words returns an automaton of some words.
func Words(words []string) (*DFA, error) {
	d := &DFA{make([]State, 1)}
	sorted := slices.Compact(slices.Sorted(slices.Values(words)))
	for _, w := range sorted {
		at := int32(0)
		for _, r := range w {
			edges := d.States[at].Edges
			if n := len(edges); n > 0 && edges[n-1].First == r {
				at = edges[n-1].To
				continue
			}
			to := int32(len(d.States))
			d.States = append(d.States, State{})
			d.States[at].Edges = append(edges, Edge{r, r, to})
			at = to
		}
		d.States[at].Label = 1
		if len(d.States) > MaxStates {
			return nil, ErrTooLarge
		}
	}
	return d.trim(), nil
}

// And returns an automaton of the words that all of some have.
func And(b *Budget, list ...*DFA) (*DFA, error) {
	return Product(b, list, func(in []bool) int32 {
		if slices.Contains(in, false) {
			return 0
		}
		return 1
	})
}

// Not returns an automaton of all other words.
func (d *DFA) Not(b *Budget) (*DFA, error) {
	return Product(b, []*DFA{d}, func(in []bool) int32 {
		if in[0] {
			return 0
		}
		return 1
	})
}

// Product returns an automaton in which the label of a word is told by which of some automata
// have it.
func Product(b *Budget, list []*DFA, label func(in []bool) int32) (*DFA, error) {
	p := product{list: list, label: label, byKey: map[string]int32{}, out: &DFA{}}
	at := make([]int32, len(list))
	for i, d := range list {
		if d.Empty() {
			at[i] = dead
		}
	}
	p.state(at)
	for i := 0; i < len(p.tuples); i++ {
		if len(p.tuples) > MaxStates {
			return nil, ErrTooLarge
		}
		p.out.States[i].Edges = p.edges(p.tuples[i])
		if err := b.Spend(p.work); err != nil {
			return nil, err
		}
		p.work = 0
	}
	return p.out.trim(), nil
}

// product is one that is built.
type product struct {
	list   []*DFA
	label  func([]bool) int32
	byKey  map[string]int32
	tuples [][]int32 // of states, by state of out
	out    *DFA
	work   int // since it was last taken from the budget
}

// state returns the number of a tuple.
func (p *product) state(at []int32) int32 {
	var key strings.Builder
	in := make([]bool, len(at))
	for i, s := range at {
		key.WriteString(strconv.Itoa(int(s)))
		key.WriteByte(' ')
		in[i] = s != dead && p.list[i].States[s].Label != 0
	}
	n, ok := p.byKey[key.String()]
	if !ok {
		n = int32(len(p.tuples))
		p.byKey[key.String()] = n
		p.tuples = append(p.tuples, slices.Clone(at))
		p.out.States = append(p.out.States, State{Label: p.label(in)})
	}
	return n
}

// edges returns those of a tuple: its characters are parted where any of the automata parts
// them.
func (p *product) edges(at []int32) (out []Edge) {
	place := make([]int, len(at)) // the next edge of each
	to := make([]int32, len(at))
	for first := rune(0); first <= utf8.MaxRune; {
		last := rune(utf8.MaxRune)
		if first < surrogateFirst {
			last = surrogateFirst - 1
		}
		for i, s := range at {
			to[i] = dead
			if s == dead {
				continue
			}
			edges := p.list[i].States[s].Edges
			for place[i] < len(edges) && edges[place[i]].Last < first {
				place[i]++
			}
			if place[i] == len(edges) {
				continue
			}
			if e := edges[place[i]]; e.First > first {
				last = min(last, e.First-1)
			} else {
				to[i], last = e.To, min(last, e.Last)
			}
		}
		p.work += 1 + len(at)
		out = appendEdge(out, Edge{first, last, p.state(to)})
		if first = last + 1; first == surrogateFirst {
			first = surrogateLast + 1
		}
	}
	return out
}

// appendEdge appends an edge, or makes the last one longer.
func appendEdge(edges []Edge, e Edge) []Edge {
	if n := len(edges); n > 0 && edges[n-1].To == e.To && edges[n-1].Last+1 == e.First {
		edges[n-1].Last = e.Last
		return edges
	}
	return append(edges, e)
}

// trim removes the states from which no word can be completed, and those that nothing leads to.
func (d *DFA) trim() *DFA {
	live := d.live()
	number := make([]int32, len(d.States))
	for i := range number {
		number[i] = dead
	}
	out := &DFA{}
	if len(d.States) == 0 || !live[0] {
		return out
	}
	number[0] = 0
	for list, i := []int32{0}, 0; i < len(list); i++ {
		s := d.States[list[i]]
		kept := State{Label: s.Label}
		for _, e := range s.Edges {
			if !live[e.To] {
				continue
			}
			if number[e.To] == dead {
				number[e.To] = int32(len(list))
				list = append(list, e.To)
			}
			kept.Edges = appendEdge(kept.Edges, Edge{e.First, e.Last, number[e.To]})
		}
		out.States = append(out.States, kept)
	}
	return out
}

// live returns from which states a word can be completed.
func (d *DFA) live() []bool {
	from := make([][]int32, len(d.States))
	is := make([]bool, len(d.States))
	var todo []int32
	for i, s := range d.States {
		for _, e := range s.Edges {
			from[e.To] = append(from[e.To], int32(i))
		}
		if s.Label != 0 {
			is[i] = true
			todo = append(todo, int32(i))
		}
	}
	for len(todo) > 0 {
		at := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		for _, i := range from[at] {
			if !is[i] {
				is[i] = true
				todo = append(todo, i)
			}
		}
	}
	return is
}

// Signed returns an automaton of the words of one, and those of another behind a minus. Words
// of the first do not begin with that, and none is empty.
func Signed(plus, minus *DFA) *DFA {
	d := &DFA{States: []State{{}}}
	shift := func(from *DFA) (start int32) {
		start = int32(len(d.States))
		for _, s := range from.States {
			edges := slices.Clone(s.Edges)
			for i := range edges {
				edges[i].To += start
			}
			d.States = append(d.States, State{s.Label, edges})
		}
		return start
	}
	if !minus.Empty() {
		d.States[0].Edges = []Edge{{'-', '-', shift(minus)}}
	}
	if !plus.Empty() {
		d.States[0].Edges = append(d.States[0].Edges, d.States[shift(plus)].Edges...)
	}
	return d.trim()
}

// Minimize returns the automaton of the same words that has the fewest states: those are parted
// by their labels, and then by where they lead, until nothing parts them further (Moore 1956).
func (d *DFA) Minimize(b *Budget) (*DFA, error) {
	class, count := make([]int32, len(d.States)), 0
	for {
		byKey := map[string]int32{}
		next := make([]int32, len(d.States))
		for i, s := range d.States {
			if err := b.Spend(1 + len(s.Edges)); err != nil {
				return nil, err
			}
			key := binary.AppendVarint(binary.AppendVarint(nil, int64(class[i])), int64(s.Label))
			for _, e := range merged(s.Edges, class) {
				key = binary.AppendVarint(binary.AppendVarint(binary.AppendVarint(key, int64(e.First)), int64(e.Last)),
					int64(e.To))
			}
			n, ok := byKey[string(key)]
			if !ok {
				n = int32(len(byKey))
				byKey[string(key)] = n
			}
			next[i] = n
		}
		class = next
		if len(byKey) == count {
			break
		}
		count = len(byKey)
	}
	out := &DFA{make([]State, count)}
	for i, s := range d.States {
		out.States[class[i]] = State{s.Label, merged(s.Edges, class)}
	}
	return out.trim(), nil
}

// merged returns edges that lead to classes of states.
func merged(edges []Edge, class []int32) (out []Edge) {
	for _, e := range edges {
		out = appendEdge(out, Edge{e.First, e.Last, class[e.To]})
	}
	return out
}
