package grammar

import (
	"cmp"
	"slices"
	"strings"

	"mptgo/mpt/tokenizer"
)

// Vocabulary is the tokens of a model, in a tree by their bytes. It may be used by any
// goroutine.
type Vocabulary struct {
	size   int
	bytes  []string
	nodes  []node
	tokens []int32 // of nodes, those of one side by side

	quotes [3][]int32 // tokens with that many quotes or more
	commas []int32    // tokens with a quote or a comma
}

// node is where the tokens that begin alike go on.
type node struct {
	children    int32 // the first of them in nodes; they are side by side, by their bytes
	count       int32
	token, more int32 // its tokens in tokens
	b           byte
}

// NewVocabulary returns a vocabulary of tokens with these bytes. Those without any, such as
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
	v.nodes = append(v.nodes, node{})
	v.fill(0, order, 0)
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

// child returns the node behind another by a byte; -1: there is none.
func (v *Vocabulary) child(at int32, b byte) int32 {
	n := v.nodes[at]
	list := v.nodes[n.children : n.children+n.count]
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

// fill makes the children of a node, whose tokens have depth bytes in common.
func (v *Vocabulary) fill(at int, order []int32, depth int) {
	n := 0
	for n < len(order) && len(v.bytes[order[n]]) == depth {
		n++
	}
	v.nodes[at].token, v.nodes[at].more = int32(len(v.tokens)), int32(n)
	v.tokens = append(v.tokens, order[:n]...)
	order = order[n:]
	first := len(v.nodes)
	var groups [][]int32
	for len(order) > 0 {
		b, k := v.bytes[order[0]][depth], 1
		for k < len(order) && v.bytes[order[k]][depth] == b {
			k++
		}
		v.nodes = append(v.nodes, node{b: b})
		groups, order = append(groups, order[:k]), order[k:]
	}
	v.nodes[at].children, v.nodes[at].count = int32(first), int32(len(groups))
	for i, g := range groups {
		v.fill(first+i, g, depth+1)
	}
}

// mask sets the bits of all tokens that may follow a state.
func (m *machine) mask(at int32, v *Vocabulary) ([]uint64, error) {
	if mask := m.states[at].mask; mask != nil {
		return mask, nil
	}
	mask := make([]uint64, (v.size+63)/64)
	if err := m.walk(at, v, 0, mask); err != nil {
		return nil, err
	}
	if m.masks++; m.masks > mostMasks {
		for i := range m.states {
			m.states[i].mask = nil
		}
		m.masks = 1
	}
	m.states[at].mask = mask
	return mask, nil
}

// walk sets the bits of the tokens behind a node whose bytes have led to a state.
func (m *machine) walk(s int32, v *Vocabulary, at int32, mask []uint64) error {
	n := &v.nodes[at]
	for _, id := range v.tokens[n.token : n.token+n.more] {
		mask[id/64] |= 1 << (id % 64)
	}
	for child := n.children; child < n.children+n.count; child++ {
		next, err := m.step(s, v.nodes[child].b)
		if err != nil {
			return err
		}
		if next != nowhere {
			if err := m.walk(next, v, child, mask); err != nil {
				return err
			}
		}
	}
	return nil
}
