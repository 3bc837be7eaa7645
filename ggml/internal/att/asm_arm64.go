//go:build !purego

package att

import "mptgo/ggml/internal/att/arm64"

// What drive.go calls, under the names that the other architecture has for it. The compiler puts
// the kernel in the place of a call.

func tileF16(c *float32, ldc int, a *float32, lda int, b *byte, ldb, k int) {
	arm64.TileF16(c, ldc, a, lda, b, ldb, k)
}

func rowF16(c, a *float32, b *byte, ldb, k, width int, ahead uintptr, step int) {
	arm64.RowF16(c, a, b, ldb, k, width, ahead, step)
}

func tileF32(c *float32, ldc int, a *float32, lda int, b *byte, ldb, k int) {
	arm64.TileF32(c, ldc, a, lda, b, ldb, k)
}

func rowF32(c, a *float32, b *byte, ldb, k, width int, ahead uintptr, step int) {
	arm64.RowF32(c, a, b, ldb, k, width, ahead, step)
}

func mergex8(output, partial *float32, n int, old, new float32) {
	arm64.Mergex8(output, partial, n, old, new)
}

func storeColumnx8(dst *byte, src *float32, n int) {
	arm64.StoreColumnx8(dst, src, n)
}

func columnsQ8(dst *float32, block *byte, rows int) {
	arm64.ColumnsQ8(dst, block, rows)
}

func columnsQ4(dst *float32, block *byte, rows int) {
	arm64.ColumnsQ4(dst, block, rows)
}

func rowQ8(dst *float32, codes, scales *byte, groups int) {
	arm64.RowQ8(dst, codes, scales, groups)
}

func rowQ4(dst *float32, codes, scales *byte, groups int) {
	arm64.RowQ4(dst, codes, scales, groups)
}
