//go:build !purego

package vec

import "github.com/klauspost/cpuid/v2"

var f16c = avx2 && cpuid.CPU.Supports(cpuid.F16C)

func codesFast(codes []uint8, x []float32, c *Code) int {
	n := len(x) &^ 7
	if !avx2 || n == 0 {
		return 0
	}
	codesx8(&codes[0], &x[0], n, c.Scale, c.Lo, c.Divide, c.Least, c.Most, c.Offset)
	return n
}

// decodeF16Fast ends before a number that is infinite or NaN, whose bits the instruction
// would change.
func decodeF16Fast(dst []float32, src []byte) int {
	if n := len(dst) &^ 7; f16c && n > 0 {
		return decodeF16x8(&dst[0], &src[0], n)
	}
	return 0
}

func truncatedFast(codes []uint8, x []float32, lo, scale, half float32, most int32) int {
	n := len(x) &^ 7
	if !avx2 || n == 0 {
		return 0
	}
	truncatedx8(&codes[0], &x[0], n, lo, scale, half, most)
	return n
}

func roundedFast(codes []uint8, x []float32, scale float32) int {
	n := len(x) &^ 7
	if !avx2 || n == 0 {
		return 0
	}
	roundedx8(&codes[0], &x[0], n, scale)
	return n
}

func extremeFast(x []float32) (float32, bool) {
	if !avx2 || len(x) == 0 || len(x)%8 != 0 {
		return 0, false
	}
	return extremex8(&x[0], len(x)), true
}

func spanFast(x []float32) (lo, hi float32, ok bool) {
	if !avx2 || len(x) == 0 || len(x)%8 != 0 {
		return 0, 0, false
	}
	lo, hi = spanx8(&x[0], len(x))
	return lo, hi, true
}

//go:noescape
func codesx8(codes *uint8, x *float32, n int, scale, lo float32, divide bool, least, most, offset int32)

//go:noescape
func decodeF16x8(dst *float32, src *byte, n int) int

//go:noescape
func truncatedx8(codes *uint8, x *float32, n int, lo, scale, half float32, most int32)

//go:noescape
func roundedx8(codes *uint8, x *float32, n int, scale float32)

//go:noescape
func extremex8(x *float32, n int) float32

//go:noescape
func spanx8(x *float32, n int) (lo, hi float32)
