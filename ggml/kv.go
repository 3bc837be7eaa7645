package ggml

import (
	"slices"

	"mptgo/ggml/internal/kernel"
	"mptgo/gguf"
)

// keyTile is the number of positions whose keys lie side by side.
const keyTile = kernel.KeyTile

// NewKVPage returns an empty page for kv.
func NewKVPage(kv *KV) *KVPage { return kv.NewPage() }

// MovePositions copies n positions of kv from src to dst < src, as memmove
// does. Their pages must exist and be writable.
func MovePositions(kv *KV, dst, src, n int) {
	for moved := 0; moved < n; {
		run := min(n-moved, keyTile-(dst+moved)%keyTile, keyTile-(src+moved)%keyTile)
		moveRun(kv, dst+moved, src+moved, run)
		moved += run
	}
}

// moveRun moves positions that lie within one tile at both ends.
func moveRun(kv *KV, dst, src, n int) {
	to, from := kv.Pages[dst/Chunk], kv.Pages[src/Chunk]
	dst, src = dst%Chunk, src%Chunk
	for h := range kv.Heads {
		kv.MoveKeys(to, dst, from, src, h, n)
		row := kv.RowBytes()
		copy(to.V[(h*Chunk+dst)*row:][:n*row], from.V[(h*Chunk+src)*row:])
	}
}

// PageParts returns the memory of page p that holds the keys and the values of
// head h for the first used positions of the page. Keys are stored by whole
// tiles, so theirs may hold a few positions more.
func PageParts(kv *KV, p, h, used int) (keys, values []byte) {
	return kv.Parts(kv.Pages[p], h, used)
}

// CacheTypes returns the types that elements of a cache may have, the usual one first.
func CacheTypes() []gguf.Type { return slices.Clone(kernel.CacheTypes[:]) }
