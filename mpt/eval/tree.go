package eval

import (
	"cmp"
	"slices"

	"mptgo/mpt"
)

// node is a part of one or more sequences: tokens that follow those of its parent, after
// all of which logits are wanted, or after none.
type node struct {
	parent   *node
	children []*node
	first    *request   // a sequence that goes through it
	from, to int        // its tokens in that
	reads    []*request // those that want logits of it; none: nobody does
	follow   []int32    // tokens that are no part of first: those of a generation

	session *mpt.Session
	done    int // tokens that are evaluated
	waiting int // children that have not begun
}

func (n *node) tokens() []int32 {
	if n.follow != nil {
		return n.follow
	}
	ids := make([]int32, 0, n.to-n.from)
	for p := n.from; p < n.to; p++ {
		ids = append(ids, n.first.at(p))
	}
	return ids
}

// size returns the number of tokens.
func (n *node) size() int {
	if n.follow != nil {
		return len(n.follow)
	}
	return n.to - n.from
}

// grow returns the tree of some requests, below a root without tokens, and the number of
// its tokens. What sequences have in common at their beginning is in it once.
func grow(requests []*request) (root *node, tokens int) {
	sorted := slices.Clone(requests)
	slices.SortStableFunc(sorted, compareRequests)
	root = &node{}
	g := grower{}
	g.below(root, sorted, 0)
	return root, g.tokens
}

// compareRequests orders requests by the tokens that are evaluated.
func compareRequests(a, b *request) int {
	n := min(a.inputs(), b.inputs())
	for p := range n {
		if c := cmp.Compare(a.at(p), b.at(p)); c != 0 {
			return c
		}
	}
	return cmp.Compare(a.inputs(), b.inputs())
}

type grower struct{ tokens int }

// below hangs sorted requests that agree in their first tokens below a node.
func (g *grower) below(at *node, list []*request, depth int) {
	for len(list) > 0 && list[0].inputs() == depth {
		list = list[1:] // ends here
	}
	for len(list) > 0 {
		n := 1
		for n < len(list) && list[n].at(depth) == list[0].at(depth) {
			n++
		}
		g.branch(at, list[:n], depth)
		list = list[n:]
	}
}

// branch adds the nodes of what some requests have in common, and what follows.
func (g *grower) branch(at *node, list []*request, depth int) {
	first, last := list[0], list[len(list)-1]
	end := depth + 1
	for end < first.inputs() && end < last.inputs() && first.at(end) == last.at(end) {
		end++
	}
	g.tokens += end - depth
	for _, cut := range cuts(list, depth, end) {
		n := &node{parent: at, first: first, from: depth, to: cut}
		for _, r := range list {
			if r.wants(depth) {
				n.reads = append(n.reads, r)
			}
		}
		at.children = append(at.children, n)
		at, depth = n, cut
	}
	g.below(at, list, end)
}

// wants reports whether the logits after token p are wanted.
func (r *request) wants(p int) bool { return p >= len(r.ctx)-1 && p < r.inputs() }

// cuts returns where pieces of [from, to) end, so that in each of them the same requests
// want logits.
func cuts(list []*request, from, to int) []int {
	ends := []int{to}
	for _, r := range list {
		if p := len(r.ctx) - 1; p > from && p < to {
			ends = append(ends, p)
		}
	}
	slices.Sort(ends)
	return slices.Compact(ends)
}
