package ggml

import (
	"slices"

	"mptgo/ggml/internal/att"
	"mptgo/gguf"
)

// MovePositions copies n positions of kv from src to dst < src, as memmove
// does. Their pages must exist and be writable.
func MovePositions(kv *KV, dst, src, n int) {
	for moved := 0; moved < n; {
		run := min(n-moved, PageSize-(dst+moved)%PageSize, PageSize-(src+moved)%PageSize)
		moveRun(kv, dst+moved, src+moved, run)
		moved += run
	}
}

// moveRun moves positions that lie within one page at both ends.
func moveRun(kv *KV, dst, src, n int) {
	to, from := kv.Pages[dst/PageSize], kv.Pages[src/PageSize]
	dst, src = dst%PageSize, src%PageSize
	for h := range kv.Heads {
		kv.MoveKeys(to, dst, from, src, h, n)
		row := kv.RowBytes()
		copy(to.V[(h*PageSize+dst)*row:][:n*row], from.V[(h*PageSize+src)*row:])
	}
}

// PageParts returns the memory of page p that holds the keys and the values of
// head h for the first used positions of the page. Keys are stored by whole tiles: what
// theirs hold of later positions is of no meaning ([KV.ClearKeys]).
func PageParts(kv *KV, p, h, used int) (keys, values []byte) {
	return kv.Parts(kv.Pages[p], h, used)
}

// CacheTypes returns the types that elements of a cache may have, the usual one first.
func CacheTypes() []gguf.Type { return slices.Clone(att.CacheTypes[:]) }
