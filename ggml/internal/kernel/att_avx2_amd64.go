//go:build !purego

package kernel

import "mptgo/gguf"

var attAVX2 = attKernels{storeColumn: storeColumnAVX2, attend: attendAVX2}

// storeColumnAVX2 works like storeColumnGeneric.
func storeColumnAVX2(dst []byte, src []float32) {
	whole := 0
	for k := whole8(len(src)); k > 0; k = whole8(len(src) - whole) {
		storeColumnx8AVX2(&dst[whole*KeyTile*2], &src[whole], k)
		whole += k
	}
	if whole < len(src) {
		storeColumnGeneric(dst[whole*KeyTile*2:], src[whole:])
	}
}

// attendAVX2 works like attendGeneric.
func attendAVX2(a attention) {
	for i := 0; i < a.n; i += QueryTile {
		a.attendTile(i, min(QueryTile, a.n-i))
	}
}

// attendTile computes the results of a tile of up to six queries.
func (a *attention) attendTile(first, rows int) {
	stride := a.kv.ValueStride()
	a.loadQueries(first, rows)
	at := a.pos + first
	for c := 0; c*Chunk < at+rows; c++ {
		page := a.kv.Pages[c]
		// Query r of the tile sees the first seen+r positions of the page.
		seen := at + 1 - c*Chunk
		a.scoreTile(page, rows, min(seen+rows-1, Chunk))
		var chunk [QueryTile]softmax
		for r := max(0, 1-seen); r < rows; r++ {
			n := min(seen+r, Chunk)
			var sum [lanes]float32
			chunk[r].max = exponentialsAVX2(&sum, &a.s.scores[r*Chunk], n, a.slope, c*Chunk-(at+r))
			chunk[r].sum = Fold(&sum)
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
			mergeAVX2(&output[0], &partial[0], stride, old, new)
		}
	}
	for r := range rows {
		output := a.s.output[r*stride:][:stride]
		scaleAVX2(output, 1/a.s.sums[r].sum)
		copy(a.out[(first+r)*a.ldo:], output[:a.kv.Dim])
	}
}

// loadQueries sets the scratch queries to those of a tile, scaled, and the
// others to zero: what is computed for them is not used, but left-over numbers
// could be slow ones.
func (a *attention) loadQueries(first, rows int) {
	dim := a.kv.Dim
	for r := range rows {
		copy(a.s.query[r*dim:][:dim], a.q[(first+r)*a.ldq:])
	}
	scaleAVX2(a.s.query[:rows*dim], a.scale)
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
// from to before to for query r. A register holds eight elements and a kernel
// eight registers, so a row takes several passes; they go over few enough
// positions at a time to find the values in the nearest caches again.
func (a *attention) weighRow(partial []float32, r int, page *KVPage, from, to, e int) {
	const near = 128
	for ; from < to; from += near {
		a.weighPasses(partial, r, page, from, min(from+near, to), e)
	}
}

func (a *attention) weighPasses(partial []float32, r int, page *KVPage, from, to, e int) {
	stride := a.kv.ValueStride()
	values := a.kv.valuesFrom(page, a.head, from)
	for passes := (stride - e + 63) / 64; passes > 0; passes-- {
		width := ((stride-e)/8 + passes - 1) / passes * 8
		a.multiplyRow(&partial[e], &a.s.scores[r*Chunk+from], values[e*a.kv.ElementBytes():], stride, to-from, width)
		e += width
	}
}

// multiplyTile adds to six rows of sixteen columns of c the product of a,
// [6][k], and b, [k][16]. Strides are in elements.
func (a *attention) multiplyTile(c *float32, ldc int, x *float32, ldx int, b []byte, ldb, k int) {
	if a.kv.Type == gguf.F16 {
		tileF16AVX2(c, ldc, x, ldx, &b[0], ldb, k)
	} else {
		tileF32AVX2(c, ldc, x, ldx, &b[0], ldb, k)
	}
}

// multiplyRow adds to width columns of c, a multiple of 8 up to 64, the product
// of x, [k], and b, [k][width].
func (a *attention) multiplyRow(c, x *float32, b []byte, ldb, k, width int) {
	if a.kv.Type == gguf.F16 {
		rowF16AVX2(c, x, &b[0], ldb, k, width)
	} else {
		rowF32AVX2(c, x, &b[0], ldb, k, width)
	}
}

//go:noescape
func tileF16AVX2(c *float32, ldc int, a *float32, lda int, b *byte, ldb, k int)

//go:noescape
func tileF32AVX2(c *float32, ldc int, a *float32, lda int, b *byte, ldb, k int)

//go:noescape
func rowF16AVX2(c, a *float32, b *byte, ldb, k, width int)

//go:noescape
func rowF32AVX2(c, a *float32, b *byte, ldb, k, width int)

// exponentialsAVX2 adds slope·(distance+j) to the first n scores, 1 to Chunk,
// and works on them like exponentials; sum gets its lanes. Scores up to the next
// multiple of 16 are set to 0.
//
//go:noescape
func exponentialsAVX2(sum *[16]float32, s *float32, n int, slope float32, distance int) (max float32)

// mergeAVX2 sets output to output·old + partial·new, the second product rounded.
//
//go:noescape
func mergeAVX2(output, partial *float32, n int, old, new float32)

//go:noescape
func storeColumnx8AVX2(dst *byte, src *float32, n int)
