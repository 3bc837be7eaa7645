package gguf

import (
	"slices"
	"sort"
)

// spans is a set of bytes as ranges [lo, hi): in order, not empty, and neither
// overlapping nor touching.
type spans []span

type span struct{ lo, hi int64 }

// add returns the union of s and [lo, hi); s must not be used afterwards.
func (s spans) add(lo, hi int64) spans {
	if lo >= hi {
		return s
	}
	i := sort.Search(len(s), func(i int) bool { return s[i].hi >= lo })
	j := i
	for ; j < len(s) && s[j].lo <= hi; j++ {
		lo, hi = min(lo, s[j].lo), max(hi, s[j].hi)
	}
	return slices.Replace(s, i, j, span{lo, hi})
}

// missing returns how many bytes of [0, size) are not in s, and the first of
// them. No range of s reaches past size.
func (s spans) missing(size int64) (n, first int64) {
	n = size
	for _, r := range s {
		n -= r.hi - r.lo
	}
	if len(s) > 0 && s[0].lo == 0 {
		first = s[0].hi
	}
	return n, first
}
