//go:build !purego

package att

import (
	"unsafe"

	"mptgo/ggml/internal/act"
	"mptgo/ggml/internal/vec"
	"mptgo/gguf"
)

var avx512 = Kernels{
	vec: vec.Fast, act: act.Fast, storeColumn: storeColumnFast, attend: attendAVX512, gram: gramAVX512,
}

// attendAVX512 works like attendGeneric.
func attendAVX512(a attention) {
	a.wide, a.lone = wideAVX512, &loneAVX512
	attendTiles(a)
}

var loneAVX512 = loneKernels{
	scores: scoresF16AVX512, scoresQ8: scoresQ8AVX512, most: 4, weigh: weighF16AVX512, weighQ8: weighQ8AVX512,
}

// gramAVX512 works like gramGeneric: two tiles of columns together, and one at the end.
func gramAVX512(c []float32, ldc int, a, b []float32, ldb, k, columns int) {
	const wide = 2 * GramColumns
	for ; columns >= wide; columns -= wide {
		wideF32AVX512(&c[0], ldc, &a[0], k, (*byte)(unsafe.Pointer(&b[0])), ldb, k)
		if columns == wide {
			return
		}
		c, b = c[wide:], b[wide:]
	}
	gramFast(c, ldc, a, b, ldb, k, columns)
}

func wideAVX512(typ gguf.Type) wideTile {
	if typ == gguf.F16 {
		return wideF16AVX512
	}
	return wideF32AVX512
}

//go:noescape
func wideF16AVX512(c *float32, ldc int, a *float32, lda int, b *byte, ldb, k int)

//go:noescape
func wideF32AVX512(c *float32, ldc int, a *float32, lda int, b *byte, ldb, k int)

//go:noescape
func scoresF16AVX512(s, q *float32, w *keyWalk, tiles, k int)

//go:noescape
func weighF16AVX512(o, weights *float32, values *byte, row, n int, ahead uintptr, step int)

//go:noescape
func scoresQ8AVX512(s, q *float32, w *keyWalk, tiles, k int)

//go:noescape
func weighQ8AVX512(o, weights *float32, codes, scales *byte, row, n, width int, ahead uintptr, step int)
