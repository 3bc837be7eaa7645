//go:build !purego

package kernel

var attAVX512 = attKernels{storeColumn: storeColumnAVX2, attend: attendTiles, wideF16: wideF16AVX512, wideF32: wideF32AVX512}

//go:noescape
func wideF16AVX512(c *float32, ldc int, a *float32, lda int, b *byte, ldb, k int)

//go:noescape
func wideF32AVX512(c *float32, ldc int, a *float32, lda int, b *byte, ldb, k int)
