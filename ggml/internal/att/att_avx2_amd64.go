//go:build !purego

package att

import (
	"mptgo/ggml/internal/act"
	"mptgo/ggml/internal/cpu"
	"mptgo/ggml/internal/scalar"
	"mptgo/ggml/internal/vec"
	"mptgo/gguf"
)

var avx2 = Kernels{
	vec: vec.Fast, act: act.Fast, storeColumn: storeColumnFast, attend: attendAVX2, gram: gramFast,
}

// attendAVX2 works like attendGeneric.
func attendAVX2(a attention) {
	a.lone = &loneAVX2
	attendTiles(a)
}

var loneAVX2 = loneKernels{scores: scoresF16AVX2, most: 2}

// exponentialsFast adds slope·(distance+j) to the first n scores of a chunk, and
// works on them like exponentials.
func exponentialsFast(s []float32, n int, slope float32, distance int) softmax {
	var sum [scalar.Lanes]float32
	top := exponentialsAVX2(&sum, &s[0], n, slope, distance)
	return softmax{top, scalar.Fold(&sum)}
}

// weighRows adds to partial elements from e on of the first n values, each times its
// weight. A register holds eight elements and a kernel eight registers, so a row takes
// several passes.
func (a *attention) weighRows(partial, weights []float32, values []byte, n, e int, ahead cpu.Fetch) {
	stride, typ := a.kv.ValueStride(), a.kv.ValueType
	if blocked(typ) {
		a.weighBlocks(partial, weights, values, n, ahead)
		return
	}
	if a.lone != nil && a.lone.weigh != nil && typ == gguf.F16 && stride-e == loneValues {
		a.lone.weigh(&partial[e], &weights[0], &values[2*e], 2*stride, n, ahead.At, ahead.Step)
		return
	}
	passes := (stride - e + 63) / 64
	ahead.Step /= passes
	for ; passes > 0; passes-- {
		width := ((stride-e)/8 + passes - 1) / passes * 8
		multiplyRow(typ, &partial[e], &weights[0], values[e*cacheBits(typ)/8:], stride, n, width, ahead)
		ahead.Next(n)
		e += width
	}
}

//go:noescape
func tileF16(c *float32, ldc int, a *float32, lda int, b *byte, ldb, k int)

//go:noescape
func tileF32(c *float32, ldc int, a *float32, lda int, b *byte, ldb, k int)

//go:noescape
func rowF16(c, a *float32, b *byte, ldb, k, width int, ahead uintptr, step int)

//go:noescape
func rowF32(c, a *float32, b *byte, ldb, k, width int, ahead uintptr, step int)

// exponentialsAVX2 adds slope·(distance+j) to the first n scores, 1 to Chunk,
// and works on them like exponentials; sum gets its lanes. Scores up to the next
// multiple of 16 are set to 0.
//
//go:noescape
func exponentialsAVX2(sum *[16]float32, s *float32, n int, slope float32, distance int) (max float32)

// mergex8 sets output to output·old + partial·new, the second product rounded.
//
//go:noescape
func mergex8(output, partial *float32, n int, old, new float32)

//go:noescape
func storeColumnx8(dst *byte, src *float32, n int)

//go:noescape
func scoresF16AVX2(s, q *float32, w *keyWalk, tiles, k int)
