//go:build !purego && (amd64 || arm64)

package att

import (
	"math"
	"unsafe"

	"mptgo/ggml/internal/cpu"
	"mptgo/ggml/internal/scalar"
	"mptgo/ggml/internal/vec"
	"mptgo/gguf"
)

// The course of attention around the kernels of an architecture, which has tileF16,
// rowF16 and the same for F32, storeColumnx8, mergex8, exponentialsFast, weighRow, and
// those of caches of block types.

// attendTiles works like attendGeneric.
func attendTiles(a attention) {
	if a.n > 1 && (blocked(a.kv.KeyType) || blocked(a.kv.ValueType)) {
		a.attendDecoded()
		return
	}
	a.output, a.sums = a.s.output, a.s.sums[:]
	for i := 0; i < a.n; i += QueryTile {
		a.attendTile(i, min(QueryTile, a.n-i))
	}
}

// attendTile computes the results of a tile of up to six queries.
func (a *attention) attendTile(first, rows int) {
	a.loadQueries(first, rows)
	at := a.pos + first
	for c := a.FirstChunk(at); c*Chunk < at+rows; c++ {
		a.attendChunk(c, at, rows)
	}
	a.finish(first, rows)
}

// finish stores the results of queries from first on.
func (a *attention) finish(first, rows int) {
	stride := a.kv.ValueStride()
	for r := range rows {
		output := a.output[r*stride:][:stride]
		vec.ScaleFast(output, 1/a.sums[r].sum)
		copy(a.out[(first+r)*a.ldo:], output[:a.kv.Dim])
	}
}

// keys returns the tile of keys that begins at position p of chunk c.
func (a *attention) keys(c, p int) []byte {
	if a.plain != nil && a.plain.keys != nil {
		return a.plain.keys[p/KeyTile*a.kv.tileBytes():][:a.kv.tileBytes()]
	}
	return a.kv.keyTile(a.page(c, p), a.KV)
}

// values returns the values from position p of chunk c to the end of what lies side by
// side, and that end.
func (a *attention) values(c, p int) (rows []byte, end int) {
	if a.plain != nil && a.plain.values != nil {
		return a.plain.values[p*a.kv.RowBytes():], Chunk
	}
	return a.kv.valuesFrom(a.page(c, p), a.KV, p%PageSize), (p/PageSize + 1) * PageSize
}

// sight is what the rows of a tile of queries see of a chunk: rows from r0 to before
// r1 see something, row r the positions from first[r] to before last[r].
type sight struct {
	r0, r1      int
	first, last [QueryTile]int
}

// look returns the sight of rows queries, the first at position at. With every row
// both ends of what is seen move on by one or stay.
func (a *attention) look(c, at, rows int) (s sight) {
	for r := range rows {
		s.first[r], s.last[r] = a.Sees(at+r, c)
		if s.first[r] < s.last[r] {
			s.r1 = r + 1
		} else if s.r1 == 0 {
			s.r0 = r + 1
		}
	}
	return s
}

// attendChunk adds a chunk of keys to the results of a tile of queries, the
// first of which is at position at.
func (a *attention) attendChunk(c, at, rows int) {
	stride := a.kv.ValueStride()
	see := a.look(c, at, rows)
	if see.r0 >= see.r1 {
		return
	}
	a.scoreTile(c, at, rows, see.first[see.r0], see.last[see.r1-1])
	var chunk [QueryTile]softmax
	for r := see.r0; r < see.r1; r++ {
		chunk[r] = a.exponentiate(r, see.first[r], see.last[r], c*Chunk-(at+r))
	}
	a.weighTile(c, rows, &see)
	for r := see.r0; r < see.r1; r++ {
		output, partial := a.output[r*stride:][:stride], a.s.partial[r*stride:][:stride]
		if c == a.FirstChunk(at+r) {
			a.sums[r] = chunk[r]
			copy(output, partial)
			continue
		}
		old, new := a.sums[r].merge(chunk[r])
		mergeFast(output, partial, old, new)
	}
}

// exponentiate turns the scores of query r for the keys from first to before last of
// a chunk into exponentials; distance is the position of the chunk less that of the
// query. The kernel works on sixteen lanes, so it begins at a multiple of sixteen with
// scores for which nothing comes out.
func (a *attention) exponentiate(r, first, last, distance int) softmax {
	s := a.s.scores[r*Chunk : (r+1)*Chunk]
	if a.Cap != 0 {
		vec.SoftcapFast(s[first:last], a.Cap)
	}
	begin := first &^ (scalar.Lanes - 1)
	for j := begin; j < first; j++ {
		s[j] = float32(math.Inf(-1))
	}
	return exponentialsFast(s[begin:], last-begin, a.Slope, distance+begin)
}

// loadQueries sets the scratch queries to those of a tile, scaled, and the
// others to zero: what is computed for them is not used, but left-over numbers
// could be slow ones.
func (a *attention) loadQueries(first, rows int) {
	dim := a.kv.Dim
	for r := range rows {
		copy(a.s.query[r*dim:][:dim], a.q[(first+r)*a.ldq:])
	}
	vec.ScaleFast(a.s.query[:rows*dim], a.Scale)
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

// scoreTile sets the scratch scores to the products of the queries, the first at
// position at, with the keys of chunk c from first to before last, rounded to whole
// tiles of keys.
func (a *attention) scoreTile(c, at, rows, first, last int) {
	dim, typ, scores := a.kv.Dim, a.kv.KeyType, a.s.scores
	clear(scores[:computed(rows)*Chunk])
	if rows == 1 {
		a.scoreRow(c, at, first, last)
		return
	}
	wide, half := a.wideTile(typ), 16*cacheBits(typ)/8
	for p := first &^ (KeyTile - 1); p < last; p += KeyTile {
		keys := a.keys(c, p)
		if wide != nil {
			wide(&scores[p], Chunk, &a.s.query[0], dim, &keys[0], KeyTile, dim)
			continue
		}
		multiplyTile(typ, &scores[p], Chunk, &a.s.query[0], dim, keys, KeyTile, dim)
		multiplyTile(typ, &scores[p+16], Chunk, &a.s.query[0], dim, keys[half:], KeyTile, dim)
	}
}

// scoreRow does the same for a lone query.
func (a *attention) scoreRow(c, at, first, last int) {
	dim, typ, scores := a.kv.Dim, a.kv.KeyType, a.s.scores
	a.near = a.piecesOf(c, at, first, last)
	for p := first &^ (KeyTile - 1); p < last; p += KeyTile {
		if n := a.scoreTogether(c, p, (last-p+KeyTile-1)/KeyTile); n > 0 {
			p += (n - 1) * KeyTile
			continue
		}
		keys, ahead := a.keys(c, p), a.fetchKeys(p)
		if blocked(typ) {
			a.scoreBlocks(scores[p:], keys, ahead)
		} else {
			multiplyRow(typ, &scores[p], &a.s.query[0], keys, KeyTile, dim, KeyTile, ahead)
		}
	}
}

// wideTile returns the kernel of wide tiles for a type, nil if there is none.
func (a *attention) wideTile(typ gguf.Type) wideTile {
	if a.wide == nil {
		return nil
	}
	return a.wide(typ)
}

// scoresOf returns the kernel that multiplies with several tiles of keys of a type, nil if there is none.
func (l *loneKernels) scoresOf(typ gguf.Type) func(s, q *float32, w *keyWalk, tiles, k int) {
	switch {
	case l == nil:
		return nil
	case typ == gguf.F16:
		return l.scores
	case typ == gguf.Q8_0:
		return l.scoresQ8
	}
	return nil
}

// scoreTogether does the same for 2 or 4 of so many tiles from position p of the chunk on, and returns how
// many: 0 if there is no such kernel.
func (a *attention) scoreTogether(c, p, tiles int) int {
	scores := a.lone.scoresOf(a.kv.KeyType)
	if scores == nil || tiles < 2 {
		return 0
	}
	n, w := min(tiles&^1, a.lone.most), &a.s.walk
	for i := range n {
		w.tiles[i] = &a.keys(c, p+i*KeyTile)[0]
		w.ahead[i] = a.fetchKeys(p + i*KeyTile).At
	}
	scores(&a.s.scores[p], &a.s.query[0], w, n, a.kv.Dim)
	*w = keyWalk{} // the tiles may be unmapped before the next call
	return n
}

// weighTile sets the scratch outputs of chunk c to the sums of the values, each
// times its weight, in the order of positions: those that only some rows see
// before and behind the ones that all see together.
func (a *attention) weighTile(c, rows int, see *sight) {
	stride := a.kv.ValueStride()
	clear(a.s.partial[:computed(rows)*stride])
	from, to := see.first[see.r1-1], see.last[see.r0] // what all rows see
	if rows == 1 || see.r0 > 0 || from > to {
		from, to = Chunk, Chunk
	}
	for r := see.r0; r < see.r1; r++ {
		a.weighRow(a.s.partial[r*stride:], r, c, see.first[r], min(from, see.last[r]), 0)
	}
	for at := from; at < to; {
		values, end := a.values(c, at)
		a.weighCommon(values, at, min(end, to))
		at = min(end, to)
	}
	if whole := stride &^ 15; whole < stride && from < to {
		for r := range QueryTile {
			a.weighRow(a.s.partial[r*stride:], r, c, from, to, whole)
		}
	}
	for r := see.r0; r < see.r1; r++ {
		a.weighRow(a.s.partial[r*stride:], r, c, to, see.last[r], 0)
	}
}

// weighRow adds up elements from e on of the values of chunk c from position from to
// before to for query r.
func (a *attention) weighRow(partial []float32, r, c, from, to, e int) {
	for from < to {
		values, end := a.values(c, from)
		end = min(end, to, from+nearValues)
		a.weighRows(partial, a.s.scores[r*Chunk+from:], values, end-from, e, a.fetchValues(from))
		from = end
	}
}

// nearValues is how many values a kernel goes over at a time, so that its next pass
// finds them in the nearest caches again.
const nearValues = 128

// weighCommon adds up values, from position from to before to of a chunk, for all
// queries: their elements in whole registers.
func (a *attention) weighCommon(values []byte, from, to int) {
	stride, typ := a.kv.ValueStride(), a.kv.ValueType
	size, wide := cacheBits(typ)/8, a.wideTile(typ)
	e := 0
	for ; wide != nil && e+32 <= stride; e += 32 {
		wide(&a.s.partial[e], stride, &a.s.scores[from], Chunk, &values[e*size], stride, to-from)
	}
	for ; e+16 <= stride; e += 16 {
		multiplyTile(typ, &a.s.partial[e], stride, &a.s.scores[from], Chunk, values[e*size:], stride, to-from)
	}
}

// gramFast works like gramGeneric.
func gramFast(c []float32, ldc int, a, b []float32, ldb, k, columns int) {
	for j := 0; j < columns; j += GramColumns {
		tileF32(&c[j], ldc, &a[0], k, (*byte)(unsafe.Pointer(&b[j])), ldb, k)
	}
}

// storeColumnFast works like storeColumnGeneric.
func storeColumnFast(dst []byte, src []float32) {
	whole := 0
	for k := vec.Whole8(len(src)); k > 0; k = vec.Whole8(len(src) - whole) {
		storeColumnx8(&dst[whole*KeyTile*2], &src[whole], k)
		whole += k
	}
	if whole < len(src) {
		storeColumnGeneric(dst[whole*KeyTile*2:], src[whole:])
	}
}

// mergeFast sets output to output·old + partial·new, the second product rounded.
func mergeFast(output, partial []float32, old, new float32) {
	mergex8(&output[0], &partial[0], len(output), old, new)
}

// multiplyTile adds to six rows of sixteen columns of c the product of x, [6][k], and
// b, [k][16]. Strides are in elements.
func multiplyTile(typ gguf.Type, c *float32, ldc int, x *float32, ldx int, b []byte, ldb, k int) {
	if typ == gguf.F16 {
		tileF16(c, ldc, x, ldx, &b[0], ldb, k)
	} else {
		tileF32(c, ldc, x, ldx, &b[0], ldb, k)
	}
}

// multiplyRow adds to width columns of c, a multiple of 8, with AVX2 up to 64, the product
// of x, [k], and b, [k][width]. For each row of b it fetches some cache lines ahead.
func multiplyRow(typ gguf.Type, c, x *float32, b []byte, ldb, k, width int, ahead cpu.Fetch) {
	if typ == gguf.F16 {
		rowF16(c, x, &b[0], ldb, k, width, ahead.At, ahead.Step)
	} else {
		rowF32(c, x, &b[0], ldb, k, width, ahead.At, ahead.Step)
	}
}
