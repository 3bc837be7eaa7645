//go:build !purego

package kernel

import "mptgo/gguf"

var attAVX2 = attKernels{storeColumn: storeColumnAVX2, attend: attendTiles}

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

func scaleFast(x []float32, s float32)   { scaleAVX2(x, s) }
func softcapFast(x []float32, c float32) { softcapAVX2(x, c) }

// mergeFast sets output to output·old + partial·new, the second product rounded.
func mergeFast(output, partial []float32, old, new float32) {
	mergeAVX2(&output[0], &partial[0], len(output), old, new)
}

// exponentialsFast adds slope·(distance+j) to the first n scores of a chunk, and
// works on them like exponentials.
func exponentialsFast(s []float32, n int, slope float32, distance int) softmax {
	var sum [lanes]float32
	top := exponentialsAVX2(&sum, &s[0], n, slope, distance)
	return softmax{top, Fold(&sum)}
}

// weighRow adds up elements from e on of the values of a page from position
// from to before to for query r. A register holds eight elements and a kernel
// eight registers, so a row takes several passes; they go over few enough
// positions at a time to find the values in the nearest caches again.
func (a *attention) weighRow(partial []float32, r int, page *KVPage, from, to, e int) {
	const near = 128
	for ; from < to; from += near {
		a.weighPasses(partial, r, page, from, min(from+near, to), e, a.fetchValues(page, from, to))
	}
}

func (a *attention) weighPasses(partial []float32, r int, page *KVPage, from, to, e int, ahead fetch) {
	stride, typ := a.kv.ValueStride(), a.kv.ValueType
	values := a.kv.valuesFrom(page, a.KV, from)
	if blocked(typ) {
		a.weighBlocks(partial, a.s.scores[r*Chunk+from:], values, to-from, ahead)
		return
	}
	passes := (stride - e + 63) / 64
	ahead.step /= passes
	for ; passes > 0; passes-- {
		width := ((stride-e)/8 + passes - 1) / passes * 8
		multiplyRow(typ, &partial[e], &a.s.scores[r*Chunk+from], values[e*cacheBits(typ)/8:], stride, to-from, width, ahead)
		ahead.next(to - from)
		e += width
	}
}

// multiplyTile adds to six rows of sixteen columns of c the product of a,
// [6][k], and b, [k][16]. Strides are in elements.
func multiplyTile(typ gguf.Type, c *float32, ldc int, x *float32, ldx int, b []byte, ldb, k int) {
	if typ == gguf.F16 {
		tileF16AVX2(c, ldc, x, ldx, &b[0], ldb, k)
	} else {
		tileF32AVX2(c, ldc, x, ldx, &b[0], ldb, k)
	}
}

// multiplyRow adds to width columns of c, a multiple of 8 up to 64, the product
// of x, [k], and b, [k][width]. For each row of b it fetches some cache lines
// ahead.
func multiplyRow(typ gguf.Type, c, x *float32, b []byte, ldb, k, width int, ahead fetch) {
	if typ == gguf.F16 {
		rowF16AVX2(c, x, &b[0], ldb, k, width, ahead.at, ahead.step)
	} else {
		rowF32AVX2(c, x, &b[0], ldb, k, width, ahead.at, ahead.step)
	}
}

//go:noescape
func tileF16AVX2(c *float32, ldc int, a *float32, lda int, b *byte, ldb, k int)

//go:noescape
func tileF32AVX2(c *float32, ldc int, a *float32, lda int, b *byte, ldb, k int)

//go:noescape
func rowF16AVX2(c, a *float32, b *byte, ldb, k, width int, ahead uintptr, step int)

//go:noescape
func rowF32AVX2(c, a *float32, b *byte, ldb, k, width int, ahead uintptr, step int)

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
