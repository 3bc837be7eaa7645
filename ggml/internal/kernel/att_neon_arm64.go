//go:build !purego

package kernel

import (
	"math"

	"mptgo/gguf"
)

var attNEON = attKernels{storeColumn: storeColumnNEON, attend: attendTiles}

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

func scaleFast(x []float32, s float32)   { scaleNEON(x, s) }
func softcapFast(x []float32, c float32) { softcapNEON(x, c) }

// mergeFast sets output to output·old + partial·new, the second product rounded.
func mergeFast(output, partial []float32, old, new float32) {
	mergex8NEON(&output[0], &partial[0], len(output), old, new)
}

// exponentialsFast adds slope·(distance+j) to the first n scores of a chunk, and
// works on them like exponentials.
func exponentialsFast(s []float32, n int, slope float32, distance int) softmax {
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

// weighRow adds up elements from e on of the values of a page from position
// from to before to for query r: few enough positions at a time to find them in
// the nearest caches again, since the kernel goes over them several times.
func (a *attention) weighRow(partial []float32, r int, page *KVPage, from, to, e int) {
	const near = 128
	stride, typ := a.kv.ValueStride(), a.kv.ValueType
	if blocked(typ) {
		a.weighBlocks(partial, a.s.scores[r*Chunk+from:], a.kv.valuesFrom(page, a.KV, from), to-from, a.fetchValues(page, from, to))
		return
	}
	passes := (stride-e)/32 + (stride-e)%32/8
	for ; from < to; from += near {
		ahead := a.fetchValues(page, from, to)
		ahead.step /= passes
		values := a.kv.valuesFrom(page, a.KV, from)[e*cacheBits(typ)/8:]
		multiplyRow(typ, &partial[e], &a.s.scores[r*Chunk+from], values, stride, min(near, to-from), stride-e, ahead)
	}
}

// multiplyTile adds to six rows of sixteen columns of c the product of x,
// [6][k], and b, [k][16]. Strides are in elements.
func multiplyTile(typ gguf.Type, c *float32, ldc int, x *float32, ldx int, b []byte, ldb, k int) {
	if typ == gguf.F16 {
		tileF16NEON(c, ldc, x, ldx, &b[0], ldb, k)
	} else {
		tileF32NEON(c, ldc, x, ldx, &b[0], ldb, k)
	}
}

// multiplyRow adds to width columns of c, a multiple of 8, the product of x,
// [k], and b, [k][width]. For each row of b it fetches some cache lines ahead.
func multiplyRow(typ gguf.Type, c, x *float32, b []byte, ldb, k, width int, ahead fetch) {
	if typ == gguf.F16 {
		rowF16NEON(c, x, &b[0], ldb, k, width, ahead.at, ahead.step)
	} else {
		rowF32NEON(c, x, &b[0], ldb, k, width, ahead.at, ahead.step)
	}
}
