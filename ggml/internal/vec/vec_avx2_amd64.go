//go:build !purego

package vec

// What these are is told in drive.go.

//go:noescape
func sumx16(sum *[16]float32, x *float32, n int)

//go:noescape
func squaresx16(sum *[16]float32, x *float32, n int, mean float32)

//go:noescape
func normx8(y, x, w *float32, n int, mean, inv float32)

//go:noescape
func normBiasx8(y, x, w, b *float32, n int, mean, inv float32)

//go:noescape
func expx8(y, x *float32, n int)

//go:noescape
func gelux8(x *float32, n int)

//go:noescape
func addx8(y, x *float32, n int)

//go:noescape
func scalex8(x *float32, n int, s float32)

//go:noescape
func clampx8(x *float32, n int, c float32)

//go:noescape
func encodeF16x8(dst *byte, src *float32, n int)

//go:noescape
func decodeF16x8(dst *float32, src *byte, n int)

//go:noescape
func decodeBF16x8(dst *float32, src *byte, n int)
