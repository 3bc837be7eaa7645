package mat

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"mptgo/ggml/internal/probe"
	"mptgo/gguf"
)

// eachExpander runs f for every expander of every tier, and for those in Go.
func eachExpander(f func(name string, typ gguf.Type, expand expandFunc)) {
	for typ, expand := range expanders {
		if expand != nil {
			f(fmt.Sprintf("type=%v/isa=go", gguf.Type(typ)), gguf.Type(typ), expand)
		}
	}
	for _, tier := range tested()[1:] {
		for typ, k := range tier.block {
			if k != nil && k.expand != nil {
				f(fmt.Sprintf("type=%v/isa=%s", gguf.Type(typ), tier.Name), gguf.Type(typ), k.expand)
			}
		}
	}
}

// TestExpand holds the expanders against the definition.
func TestExpand(t *testing.T) {
	const blocks = 64
	eachExpander(func(name string, typ gguf.Type, expand expandFunc) {
		t.Run(name, func(t *testing.T) {
			r := rand.New(rand.NewPCG(12, uint64(typ)))
			for _, d := range []data{plain, hostile, broken} {
				w := d.weights(t, r, typ, 1, 32*blocks)
				got := make([]expandedBlock, blocks)
				expand(got, w.Data)
				var u unpacked
				for b := range got {
					blockTypes[typ].unpack(&u, w.Data, b)
					checkExpanded(t, b, &got[b], &u)
				}
			}
		})
	})
}

func checkExpanded(t *testing.T, n int, b *expandedBlock, u *unpacked) {
	t.Helper()
	if !probe.SameBits(b.D, u.d) || int32(b.S[0]) != u.s[0] || int32(b.S[1]) != u.s[1] {
		t.Fatalf("block %d: scales %v, %v, want %v, %v", n, b.D, b.S, u.d, u.s)
	}
	for k, q := range b.Q {
		if int16(q) != u.q[k] {
			t.Fatalf("block %d: codes %v, want %v", n, b.Q, u.q)
		}
	}
}

func BenchmarkExpand(b *testing.B) {
	const k = 2048
	eachExpander(func(name string, typ gguf.Type, expand expandFunc) {
		b.Run(name, func(b *testing.B) {
			w := plain.weights(b, rand.New(rand.NewPCG(0, 0)), typ, 1, k)
			dst := make([]expandedBlock, k/32)
			b.SetBytes(k)
			for b.Loop() {
				expand(dst, w.Data)
			}
		})
	})
}
