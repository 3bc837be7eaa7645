//go:build !purego

package att

import (
	"mptgo/ggml/internal/cpu"
	"mptgo/ggml/internal/scratch"
	"mptgo/gguf"
)

// scoreBlocks adds to the 32 elements of c the products of a lone query with the keys of
// a tile of a block type, which are decoded before.
func (a *attention) scoreBlocks(c []float32, keys []byte, ahead cpu.Fetch) {
	dim := a.kv.Dim
	k := scratch.Grow(&a.s.plain.k, dim*KeyTile+KeyTile)
	decodeKeys(k, a.kv.KeyType, keys, dim)
	multiplyRow(gguf.F32, &c[0], &a.s.query[0], scratch.Bytes(k), KeyTile, dim, KeyTile, ahead)
}

// weighBlocks adds to c the first n values of a block type, each times its weight: a few
// of them are decoded at a time.
func (a *attention) weighBlocks(c, weights []float32, values []byte, n int, ahead cpu.Fetch) {
	stride := valueStride(a.kv.Dim)
	v := scratch.Grow(&a.s.plain.v, KeyTile*stride+8)
	for at := 0; at < n; at += KeyTile {
		some := min(KeyTile, n-at)
		decodeValues(v, a.kv, values[at*a.kv.RowBytes():], some)
		multiplyRow(gguf.F32, &c[0], &weights[at], scratch.Bytes(v), stride, some, stride, ahead)
		ahead.Next(some * (stride/32 + stride%32/8))
	}
}
