//go:build !purego && (amd64 || arm64)

package att

import (
	"mptgo/ggml/internal/scratch"
	"mptgo/gguf"
)

// Several queries share the decoding of a cache of a block type: a chunk of a head
// becomes float32 numbers in scratch, in the layout of a cache of F32 with one head, and
// the queries of a block attend to those. Their running sums lie side by side.

// attendDecoded works like attendTiles for a cache of which something is a block type.
func (a *attention) attendDecoded() {
	for i := 0; i < a.n; i += unpackQueries {
		a.attendBlock(i, min(unpackQueries, a.n-i))
	}
}

// attendBlock computes the results of up to unpackQueries queries.
func (a *attention) attendBlock(first, n int) {
	at := a.pos + first
	d, p := *a, &a.s.plain
	p.kv = *a.kv
	p.kv.KeyType, p.kv.ValueType = plainType(a.kv.KeyType), plainType(a.kv.ValueType)
	d.kv, d.plain = &p.kv, p
	stride := p.kv.ValueStride()
	tiles := func(f func(d *attention, first, rows int)) {
		for i := 0; i < n; i += QueryTile {
			d.output, d.sums = a.s.output[i*stride:], a.s.sums[i:]
			f(&d, first+i, min(QueryTile, n-i))
		}
	}
	for c := a.FirstChunk(at); c*Chunk < at+n; c++ {
		from, _ := a.Sees(at, c)
		_, to := a.Sees(at+n-1, c)
		if from >= to {
			continue
		}
		p.decode(a, c, from&^(KeyTile-1), to)
		tiles(func(d *attention, first, rows int) {
			d.loadQueries(first, rows)
			d.attendChunk(c, a.pos+first, rows)
		})
	}
	tiles(func(d *attention, first, rows int) { d.finish(first, rows) })
}

// plainType returns the type of decoded elements.
func plainType(typ gguf.Type) gguf.Type {
	if blocked(typ) {
		return gguf.F32
	}
	return typ
}

// decode sets p to what has to be decoded of chunk c of a's head, from position from, a
// multiple of 32, to before to.
func (p *plainChunk) decode(a *attention, c, from, to int) {
	kv := a.kv
	p.keys, p.values = nil, nil
	if blocked(kv.KeyType) {
		k := scratch.Grow(&p.k, Chunk*kv.Dim+KeyTile) // of an odd number of elements of Q4_0, one more
		for t := from; t < to; t += KeyTile {
			decodeKeys(k[t*kv.Dim:], kv.KeyType, kv.keyTile(a.page(c, t), a.KV), kv.Dim)
		}
		p.keys = scratch.Bytes(k[:Chunk*kv.Dim])
	}
	if blocked(kv.ValueType) {
		stride := valueStride(kv.Dim)
		v := scratch.Grow(&p.v, Chunk*stride+8) // of Q4_0 they are decoded by sixteen
		for t := from; t < to; t += PageSize {
			decodeValues(v[t*stride:], kv, kv.valuesFrom(a.page(c, t), a.KV, 0), min(PageSize, to-t))
		}
		p.values = scratch.Bytes(v[:Chunk*stride])
	}
}

// decodeKeys sets dst, [dim][32], to the keys of a tile, and perhaps one row more.
func decodeKeys(dst []float32, typ gguf.Type, tile []byte, dim int) {
	for e := 0; e < dim; e += cacheBlock {
		rows := min(cacheBlock, dim-e)
		if typ == gguf.Q8_0 {
			columnsQ8(&dst[e*KeyTile], &tile[0], rows)
			tile = tile[scaleBytes+rows*KeyTile:]
		} else {
			rows = (rows + 1) / 2
			columnsQ4(&dst[e*KeyTile], &tile[0], rows)
			tile = tile[scaleBytes+rows*KeyTile:]
		}
	}
}

// decodeValues sets dst, [n][stride], the stride that of float types, to the first n
// values, and perhaps eight elements more.
func decodeValues(dst []float32, kv *KV, values []byte, n int) {
	stride, row := valueStride(kv.Dim), kv.RowBytes()
	for ; n > 0; n-- {
		if kv.ValueType == gguf.Q8_0 {
			rowQ8(&dst[0], &values[0], &values[stride], stride/8)
		} else {
			groups := kv.ValueStride() / 16
			rowQ4(&dst[0], &values[0], &values[8*groups], groups)
		}
		dst, values = dst[stride:], values[row:]
	}
}
