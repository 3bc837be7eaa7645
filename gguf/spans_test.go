package gguf

import (
	"math/rand/v2"
	"slices"
	"testing"
)

// TestSpans adds random ranges and compares with a table of bytes.
func TestSpans(t *testing.T) {
	const size = 40
	r := rand.New(rand.NewPCG(1, 2))
	for range 2000 {
		var s spans
		var in [size]bool
		for range r.IntN(12) {
			lo := r.Int64N(size + 1)
			hi := lo + r.Int64N(min(size-lo, 8)+1)
			s = s.add(lo, hi)
			for i := lo; i < hi; i++ {
				in[i] = true
			}
		}
		want := int64(size)
		for _, x := range in {
			if x {
				want--
			}
		}
		n, first := s.missing(size)
		if n != want || n > 0 && first != int64(slices.Index(in[:], false)) {
			t.Fatalf("%v: %d missing from %d, want %d of %v", s, n, first, want, in)
		}
		for i, x := range s {
			if x.lo >= x.hi || i > 0 && s[i-1].hi >= x.lo {
				t.Fatalf("%v is not in order", s)
			}
		}
	}
}
