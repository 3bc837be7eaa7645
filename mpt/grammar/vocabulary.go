package grammar

import (
	"cmp"
	"slices"
	"strings"
	"unicode/utf8"

	"mptgo/mpt/tokenizer"
)

// Vocabulary is the tokens of a model, in a tree by their bytes. It may be used by any
// goroutine.
type Vocabulary struct {
	size  int
	bytes []string

	// Most tokens may stand anywhere in a string of JSON: upTo[n] has the bits of those of at
	// most n characters, ordinary has them in a tree. special has all others.
	upTo              [][]uint64
	ordinary, special tree

	quotes [3][]int32 // tokens with that many quotes or more
	commas []int32    // tokens with a quote or a comma
}

// tree has tokens by their bytes.
type tree struct {
	nodes    []node
	tokens   []int32 // of nodes, those of one side by side, and behind them those that it leads to
	ordinary bool    // none is special
}

// node is where the tokens that begin alike go on.
type node struct {
	children    int32 // the first of them in nodes; they are side by side, by their bytes
	count       int32
	token, more int32 // its tokens in tokens
	last        int32 // behind its tokens and those of all that it leads to
	b           byte
}

// NewVocabulary returns a vocabulary of tokens with these bytes, which it keeps. Those without any, such as
// control tokens, never follow.
func NewVocabulary(bytes []string) *Vocabulary {
	v := &Vocabulary{size: len(bytes), bytes: bytes}
	order := make([]int32, 0, len(bytes))
	for id, b := range bytes {
		if b != "" {
			order = append(order, int32(id))
		}
	}
	slices.SortFunc(order, func(a, b int32) int { return cmp.Or(cmp.Compare(bytes[a], bytes[b]), cmp.Compare(a, b)) })
	ordinary, special := v.part(order)
	v.ordinary, v.special = v.grow(ordinary), v.grow(special)
	v.ordinary.ordinary = true
	for _, id := range order {
		n := v.count(id)
		for i := range min(n, len(v.quotes)-1) {
			v.quotes[i+1] = append(v.quotes[i+1], id)
		}
		if n > 0 || strings.IndexByte(bytes[id], ',') >= 0 {
			v.commas = append(v.commas, id)
		}
	}
	return v
}

// count returns how many quotes a token has.
func (v *Vocabulary) count(id int32) int { return strings.Count(v.bytes[id], `"`) }

// mostFree is how many characters a token may have of upTo.
const mostFree = 64

// part parts the tokens into those that may stand anywhere in a string and all others.
func (v *Vocabulary) part(order []int32) (ordinary, special []int32) {
	v.upTo = make([][]uint64, mostFree+1)
	for i := range v.upTo {
		v.upTo[i] = make([]uint64, (v.size+63)/64)
	}
	for _, id := range order {
		n := utf8.RuneCountInString(v.bytes[id])
		if n > mostFree || !utf8.ValidString(v.bytes[id]) || strings.ContainsFunc(v.bytes[id], isSpecial) {
			special = append(special, id)
			continue
		}
		ordinary = append(ordinary, id)
		for _, bits := range v.upTo[n:] {
			bits[id/64] |= 1 << (id % 64)
		}
	}
	return ordinary, special
}

// isSpecial reports whether a character does not stand for itself in a string of JSON.
func isSpecial(r rune) bool { return r < 0x20 || r == '"' || r == '\\' }

// child returns the node behind another by a byte; -1: there is none.
func (t *tree) child(at int32, b byte) int32 {
	n := t.nodes[at]
	list := t.nodes[n.children : n.children+n.count]
	i, ok := slices.BinarySearchFunc(list, b, func(n node, b byte) int { return cmp.Compare(n.b, b) })
	if !ok {
		return -1
	}
	return n.children + int32(i)
}

// VocabularyOf returns the vocabulary of a tokenizer, in which control tokens have no bytes.
func VocabularyOf(t *tokenizer.Tokenizer) *Vocabulary {
	bytes := make([]string, t.Size())
	for id := range bytes {
		bytes[id] = string(t.AppendDecode(nil, []int32{int32(id)}, tokenizer.DecodeOptions{SkipControl: true}))
	}
	return NewVocabulary(bytes)
}

// grow returns a tree of tokens that are in the order of their bytes.
func (v *Vocabulary) grow(order []int32) tree {
	t := tree{nodes: make([]node, 1)}
	t.fill(v.bytes, 0, order, 0)
	return t
}

// fill makes the children of a node, whose tokens have depth bytes in common.
func (t *tree) fill(bytes []string, at int, order []int32, depth int) {
	n := 0
	for n < len(order) && len(bytes[order[n]]) == depth {
		n++
	}
	t.nodes[at].token, t.nodes[at].more = int32(len(t.tokens)), int32(n)
	t.tokens = append(t.tokens, order[:n]...)
	order = order[n:]
	first := len(t.nodes)
	var groups [][]int32
	for len(order) > 0 {
		b, k := bytes[order[0]][depth], 1
		for k < len(order) && bytes[order[k]][depth] == b {
			k++
		}
		t.nodes = append(t.nodes, node{b: b})
		groups, order = append(groups, order[:k]), order[k:]
	}
	t.nodes[at].children, t.nodes[at].count = int32(first), int32(len(groups))
	for i, g := range groups {
		t.fill(bytes, first+i, g, depth+1)
	}
	t.nodes[at].last = int32(len(t.tokens))
}
