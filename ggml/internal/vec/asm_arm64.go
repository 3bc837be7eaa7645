//go:build !purego

package vec

import "mptgo/ggml/internal/vec/arm64"

// What drive.go calls, under the names that the other architecture has for it. The compiler puts
// the kernel in the place of a call.

func sumx16(sum *[16]float32, x *float32, n int) {
	arm64.Sumx16(sum, x, n)
}

func squaresx16(sum *[16]float32, x *float32, n int, mean float32) {
	arm64.Squaresx16(sum, x, n, mean)
}

func normx8(y, x, w *float32, n int, mean, inv float32) {
	arm64.Normx8(y, x, w, n, mean, inv)
}

func normBiasx8(y, x, w, b *float32, n int, mean, inv float32) {
	arm64.NormBiasx8(y, x, w, b, n, mean, inv)
}

func expx8(y, x *float32, n int) {
	arm64.Expx8(y, x, n)
}

func gelux8(x *float32, n int) {
	arm64.Gelux8(x, n)
}

func addx8(y, x *float32, n int) {
	arm64.Addx8(y, x, n)
}

func scalex8(x *float32, n int, s float32) {
	arm64.Scalex8(x, n, s)
}

func clampx8(x *float32, n int, c float32) {
	arm64.Clampx8(x, n, c)
}

func encodeF16x8(dst *byte, src *float32, n int) {
	arm64.EncodeF16x8(dst, src, n)
}

func decodeF16x8(dst *float32, src *byte, n int) {
	arm64.DecodeF16x8(dst, src, n)
}

func decodeBF16x8(dst *float32, src *byte, n int) {
	arm64.DecodeBF16x8(dst, src, n)
}
