package eval

import (
	"fmt"
	"math/rand/v2"
	"testing"
)

// The tree has every token that is evaluated once, and wants logits exactly where they are
// read.
func TestTree(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 200 {
		var all []*request
		distinct, wanted := map[string]bool{}, map[string]bool{}
		for range 1 + r.IntN(12) {
			x := &request{}
			for range 1 + r.IntN(5) {
				x.ctx = append(x.ctx, r.Int32N(2))
			}
			if r.IntN(4) == 0 {
				x.gen = &generation{}
			} else {
				for range 1 + r.IntN(4) {
					x.scored = append(x.scored, r.Int32N(2))
				}
			}
			all = append(all, x)
			for p := range x.inputs() {
				key := fmt.Sprint(x.ids()[:p+1])
				distinct[key] = true
				wanted[key] = wanted[key] || x.wants(p)
			}
		}
		root, n := grow(all)
		if n != len(distinct) {
			t.Fatalf("%d tokens, %d are distinct", n, len(distinct))
		}
		reads := map[*request]int{}
		walk(root, nil, func(path []int32, at *node) {
			key := fmt.Sprint(path)
			if !distinct[key] {
				t.Fatalf("%s is there twice, or belongs to nobody", key)
			}
			delete(distinct, key)
			if wanted[key] != (len(at.reads) > 0) {
				t.Fatalf("%s: logits wanted %v, computed %v", key, wanted[key], len(at.reads) > 0)
			}
			for _, x := range at.reads {
				reads[x]++
			}
		})
		for _, x := range all {
			want := len(x.scored)
			if x.gen != nil {
				want = 1
			}
			if reads[x] != want {
				t.Fatalf("%d logits are read for %d tokens", reads[x], want)
			}
		}
	}
}

// walk visits every token of a tree with those before it.
func walk(n *node, path []int32, visit func(path []int32, at *node)) {
	if n.first != nil {
		for _, id := range n.tokens() {
			path = append(path[:len(path):len(path)], id)
			visit(path, n)
		}
	}
	for _, c := range n.children {
		walk(c, path, visit)
	}
}
