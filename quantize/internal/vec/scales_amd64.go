//go:build !purego

package vec

import "github.com/klauspost/cpuid/v2"

var f16c = avx2 && cpuid.CPU.Supports(cpuid.F16C)

func correlateFast(sx, s2 *[Tries]float32, x, w []float32, inv *[Tries]float32, lo, hi int32) bool {
	if avx2 {
		correlatex24(sx, s2, &x[0], &w[0], len(x), inv, lo, hi)
	}
	return avx2
}

func groupSumsFast(sl, sl2, slx *PerGroup, x, w []float32, inv, lo *PerGroup, top int32) bool {
	if avx2 {
		groupSumsx8(sl, sl2, slx, &x[0], &w[0], len(x)/Groups, inv, lo, top)
	}
	return avx2
}

func groupErrorsFast(e *PerGroup, x, w []float32, inv, lo *PerGroup, top int32, scale, least *PerGroup, absolute bool) bool {
	if avx2 {
		groupErrorsx8(e, &x[0], &w[0], len(x)/Groups, inv, lo, top, scale, least, absolute)
	}
	return avx2
}

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

//go:noescape
func correlatex24(sx, s2 *[Tries]float32, x, w *float32, n int, inv *[Tries]float32, lo, hi int32)

//go:noescape
func groupSumsx8(sl, sl2, slx *PerGroup, x, w *float32, n int, inv, lo *PerGroup, top int32)

//go:noescape
func groupErrorsx8(e *PerGroup, x, w *float32, n int, inv, lo *PerGroup, top int32, scale, least *PerGroup, absolute bool)

//go:noescape
func codesx8(codes *uint8, x *float32, n int, scale, lo float32, divide bool, least, most, offset int32)

//go:noescape
func decodeF16x8(dst *float32, src *byte, n int) int
