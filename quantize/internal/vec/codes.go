package vec

import (
	"mptgo/internal/half"
	"mptgo/quantize/internal/num"
)

// Code is how [Codes] turns values to codes: Offset more than (x-Lo)·Scale, or with Divide than
// (x-Lo)/Scale, rounded and limited to Least..Most.
type Code struct {
	Scale, Lo           float32
	Divide              bool
	Least, Most, Offset int32
}

// Codes sets codes to those of x, which are as many and fit into bytes.
func Codes(codes []uint8, x []float32, c *Code) {
	codes = codes[:len(x)]
	for i := codesFast(codes, x, c); i < len(x); i++ {
		v := x[i] - c.Lo
		if c.Divide {
			v /= c.Scale
		} else {
			v *= c.Scale
		}
		codes[i] = uint8(num.Clamp(num.Nearest(v), c.Least, c.Most) + c.Offset)
	}
}

// Truncated sets codes to (x-lo)·scale + half without its fraction, at most most. No sum may be
// negative.
func Truncated(codes []uint8, x []float32, lo, scale, half float32, most int32) {
	codes = codes[:len(x)]
	for i := truncatedFast(codes, x, lo, scale, half, most); i < len(x); i++ {
		codes[i] = uint8(min(int32(float32((x[i]-lo)*scale)+half), most))
	}
}

// Rounded sets codes to x·scale, rounded to the nearest integers, halves away from zero, as
// signed bytes, into which they have to fit.
func Rounded(codes []uint8, x []float32, scale float32) {
	codes = codes[:len(x)]
	for i := roundedFast(codes, x, scale); i < len(x); i++ {
		codes[i] = uint8(num.Round(float32(x[i] * scale)))
	}
}

// Extreme is [num.Extreme].
func Extreme(x []float32) float32 {
	if v, ok := extremeFast(x); ok {
		return v
	}
	return num.Extreme(x)
}

// Span is [num.Span].
func Span(x []float32) (lo, hi float32) {
	// Zeros of both signs are equal, and the first of them counts.
	if lo, hi, ok := spanFast(x); ok && lo != 0 && hi != 0 {
		return lo, hi
	}
	return num.Span(x)
}

// DecodeF16 sets dst to the binary16 numbers in src, which are little-endian.
func DecodeF16(dst []float32, src []byte) {
	src = src[:2*len(dst)]
	for i := decodeF16Fast(dst, src); i < len(dst); i++ {
		dst[i] = half.Get(src[2*i:])
	}
}
