//go:build !purego

package att

import (
	"mptgo/ggml/internal/act"
	"mptgo/ggml/internal/vec"
	"mptgo/gguf"
)

var avx512 = Kernels{
	vec: vec.Fast, act: act.Fast, storeColumn: storeColumnFast, attend: attendAVX512, gram: gramFast,
}

// attendAVX512 works like attendGeneric.
func attendAVX512(a attention) {
	a.wide = wideAVX512
	attendTiles(a)
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
