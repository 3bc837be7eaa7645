package ggml

import "mptgo/ggml/internal/kernel"

// keyTile is the number of positions whose keys lie side by side.
const keyTile = kernel.KeyTile

// NewKVPage returns an empty page for kv.
func NewKVPage(kv *KV) *KVPage { return kernel.NewKVPage(kv.Type, kv.Heads, kv.Dim) }

// MovePositions copies n positions of kv from src to dst < src, as memmove
// does. Their pages must exist and be writable.
func MovePositions(kv *KV, dst, src, n int) {
	size := kv.ElementBytes()
	for moved := 0; moved < n; {
		run := min(n-moved, keyTile-(dst+moved)%keyTile, keyTile-(src+moved)%keyTile)
		moveRun(kv, dst+moved, src+moved, run, size)
		moved += run
	}
}

// moveRun moves positions that lie within one tile at both ends.
func moveRun(kv *KV, dst, src, n, size int) {
	to, from := kv.Pages[dst/Chunk], kv.Pages[src/Chunk]
	for h := range kv.Heads {
		for e := range kv.Dim {
			a, b := kv.KeyOffset(h, e, dst%Chunk)*size, kv.KeyOffset(h, e, src%Chunk)*size
			copy(to.K[a:a+n*size], from.K[b:b+n*size])
		}
		a, b := kv.ValueOffset(h, dst%Chunk)*size, kv.ValueOffset(h, src%Chunk)*size
		length := n * kv.ValueStride() * size
		copy(to.V[a:a+length], from.V[b:b+length])
	}
}

// PageParts returns the memory of page p that holds the keys and the values of
// head h for the first used positions of the page. Keys are stored by whole
// tiles, so theirs may hold a few positions more.
func PageParts(kv *KV, p, h, used int) (keys, values []byte) {
	size := kv.ElementBytes()
	tiles := (used + keyTile - 1) / keyTile
	k := kv.KeyOffset(h, 0, 0) * size
	v := kv.ValueOffset(h, 0) * size
	return kv.Pages[p].K[k : k+tiles*keyTile*kv.Dim*size], kv.Pages[p].V[v : v+used*kv.ValueStride()*size]
}
