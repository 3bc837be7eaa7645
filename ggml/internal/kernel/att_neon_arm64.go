//go:build !purego

package kernel

import (
	"math"

	"mptgo/gguf"
)

var attNEON = attKernels{storeColumn: storeColumnNEON, attend: attendNEON}

// storeColumnNEON works like storeColumnGeneric.
func storeColumnNEON(dst []byte, src []float32) {
	whole := 0
	for k := whole8(len(src)); k > 0; k = whole8(len(src) - whole) {
		storeColumnx8NEON(&dst[whole*KeyTile*2], &src[whole], k)
		whole += k
	}
	if whole < len(src) {
		storeColumnGeneric(dst[whole*KeyTile*2:], src[whole:])
	}
}

// attendNEON works like attendGeneric.
func attendNEON(a attention) {
	for i := 0; i < a.n; i += QueryTile {
		a.attendTile(i, min(QueryTile, a.n-i))
	}
}

// attendTile computes the results of a tile of up to six queries.
func (a *attention) attendTile(first, rows int) {
	a.loadQueries(first, rows)
	at := a.pos + first
	for c := 0; c*Chunk < at+rows; c++ {
		a.attendChunk(c, at, rows)
	}
	stride := a.kv.ValueStride()
	for r := range rows {
		output := a.s.output[r*stride:][:stride]
		scaleNEON(output, 1/a.s.sums[r].sum)
		copy(a.out[(first+r)*a.ldo:], output[:a.kv.Dim])
	}
}

// attendChunk adds a chunk of keys to the results of a tile of queries, the
// first of which is at position at: query r sees the first seen+r positions of
// the chunk.
func (a *attention) attendChunk(c, at, rows int) {
	stride := a.kv.ValueStride()
	page, seen := a.kv.Pages[c], at+1-c*Chunk
	a.scoreTile(page, rows, min(seen+rows-1, Chunk))
	var chunk [QueryTile]softmax
	for r := max(0, 1-seen); r < rows; r++ {
		s := a.s.scores[r*Chunk : (r+1)*Chunk]
		chunk[r] = exponentialsNEON(s, min(seen+r, Chunk), a.slope, c*Chunk-(at+r))
	}
	a.weighTile(page, rows, seen)
	for r := max(0, 1-seen); r < rows; r++ {
		output, partial := a.s.output[r*stride:][:stride], a.s.partial[r*stride:][:stride]
		if c == 0 {
			a.s.sums[r] = chunk[r]
			copy(output, partial)
			continue
		}
		old, new := a.s.sums[r].merge(chunk[r])
		mergex8NEON(&output[0], &partial[0], stride, old, new)
	}
}

// exponentialsNEON adds slope·(distance+j) to the first n scores of a chunk, and
// works on them like exponentials.
func exponentialsNEON(s []float32, n int, slope float32, distance int) softmax {
	s = s[:(n+lanes-1)/lanes*lanes]
	if slope != 0 {
		biasx8NEON(&s[0], len(s), slope, distance)
	}
	for j := n; j < len(s); j++ {
		s[j] = float32(math.Inf(-1)) // nothing to the maximum and to the sums
	}
	top := topx8NEON(&s[0], len(s))
	var sum [lanes]float32
	exponentialsx16NEON(&sum, &s[0], len(s), top)
	return softmax{top, Fold(&sum)}
}

// loadQueries sets the scratch queries to those of a tile, scaled, and the
// others to zero: what is computed for them is not used.
func (a *attention) loadQueries(first, rows int) {
	dim := a.kv.Dim
	for r := range rows {
		copy(a.s.query[r*dim:][:dim], a.q[(first+r)*a.ldq:])
	}
	scaleNEON(a.s.query[:rows*dim], a.scale)
	clear(a.s.query[rows*dim : QueryTile*dim])
}

// computed returns how many rows the kernels work on for a tile of the given
// number: a lone one has kernels of its own.
func computed(rows int) int {
	if rows == 1 {
		return 1
	}
	return QueryTile
}

// scoreTile sets the scratch scores to the products of the queries with the
// first n keys of a page, rounded up to whole tiles of keys.
func (a *attention) scoreTile(page *KVPage, rows, n int) {
	dim, scores := a.kv.Dim, a.s.scores
	clear(scores[:computed(rows)*Chunk])
	for p := 0; p < n; p += KeyTile {
		keys := a.kv.keyTile(page, a.head, p)
		if rows == 1 {
			a.multiplyRow(&scores[p], &a.s.query[0], keys, KeyTile, dim, KeyTile)
			continue
		}
		for half := 0; half < KeyTile; half += 16 {
			keys := keys[half*a.kv.ElementBytes():]
			a.multiplyTile(&scores[p+half], Chunk, &a.s.query[0], dim, keys, KeyTile, dim)
		}
	}
}

// weighTile sets the scratch outputs of a chunk to the sums of the values, each
// times its weight, of which query r sees the first seen+r.
func (a *attention) weighTile(page *KVPage, rows, seen int) {
	stride := a.kv.ValueStride()
	clear(a.s.partial[:computed(rows)*stride])
	common := 0
	if rows > 1 && seen > 0 {
		common = min(seen, Chunk)
		a.weighCommon(page, common)
	}
	for r := range rows {
		if n := min(seen+r, Chunk); n > common {
			a.weighRow(a.s.partial[r*stride:], r, page, common, n, 0)
		}
	}
}

// weighCommon adds up the first n values of a page for all queries.
func (a *attention) weighCommon(page *KVPage, n int) {
	stride := a.kv.ValueStride()
	values := a.kv.valuesFrom(page, a.head, 0)
	for e := 0; e+16 <= stride; e += 16 {
		a.multiplyTile(&a.s.partial[e], stride, &a.s.scores[0], Chunk, values[e*a.kv.ElementBytes():], stride, n)
	}
	if whole := stride &^ 15; whole < stride {
		for r := range QueryTile {
			a.weighRow(a.s.partial[r*stride:], r, page, 0, n, whole)
		}
	}
}

// weighRow adds up elements from e on of the values of a page from position
// from to before to for query r: few enough positions at a time to find them in
// the nearest caches again, since the kernel goes over them several times.
func (a *attention) weighRow(partial []float32, r int, page *KVPage, from, to, e int) {
	const near = 128
	stride := a.kv.ValueStride()
	for ; from < to; from += near {
		values := a.kv.valuesFrom(page, a.head, from)[e*a.kv.ElementBytes():]
		a.multiplyRow(&partial[e], &a.s.scores[r*Chunk+from], values, stride, min(near, to-from), stride-e)
	}
}

// multiplyTile adds to six rows of sixteen columns of c the product of x,
// [6][k], and b, [k][16]. Strides are in elements.
func (a *attention) multiplyTile(c *float32, ldc int, x *float32, ldx int, b []byte, ldb, k int) {
	if a.kv.Type == gguf.F16 {
		tileF16NEON(c, ldc, x, ldx, &b[0], ldb, k)
	} else {
		tileF32NEON(c, ldc, x, ldx, &b[0], ldb, k)
	}
}

// multiplyRow adds to width columns of c, a multiple of 8, the product of x,
// [k], and b, [k][width].
func (a *attention) multiplyRow(c, x *float32, b []byte, ldb, k, width int) {
	if a.kv.Type == gguf.F16 {
		rowF16NEON(c, x, &b[0], ldb, k, width)
	} else {
		rowF32NEON(c, x, &b[0], ldb, k, width)
	}
}
