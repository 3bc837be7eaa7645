package num

import "math"

// Inverse returns 1/d, or 0 if that is infinite.
func Inverse(d float32) float32 {
	if Abs(d) <= 0x1p-128 {
		return 0
	}
	return 1 / d
}

// Nearest returns x rounded to the nearest integer, halves to even, if
// |x| <= 4194303. Beyond that the result is arbitrary but the same as the
// reference's, which uses the same trick.
func Nearest(x float32) int32 {
	const shift = 3 << 22 // at this size a float32 has no room for a fraction
	return int32(math.Float32bits(float32(x)+shift)&0x7fffff) - 0x400000
}

// Tiny reports whether m is too small to be divided by.
func Tiny(m float32) bool { return Abs(m) < 1e-15 }

func Clamp(v, lo, hi int32) int32 { return min(max(v, lo), hi) }

func Abs(x float32) float32 { return math.Float32frombits(math.Float32bits(x) &^ (1 << 31)) }

// Sqrt is rounded correctly: float64 has more than twice the precision needed.
func Sqrt(x float32) float32 { return float32(math.Sqrt(float64(x))) }

// Extreme returns the first value of greatest magnitude, or 0 if all are 0. A
// NaN counts as the greatest, so that the overflow of a fit cannot get lost.
func Extreme(x []float32) (m float32) {
	var top uint32 // without sign, floats are ordered like their bits
	for _, v := range x {
		if a := math.Float32bits(v) &^ (1 << 31); a > top {
			top, m = a, v
		}
	}
	return m
}

// Span returns the smallest and the largest value of x, the first of equals.
func Span(x []float32) (lo, hi float32) {
	lo, hi = x[0], x[0]
	for _, v := range x[1:] {
		if v < lo {
			lo = v
		}
		if v > hi {
			hi = v
		}
	}
	return lo, hi
}

// Largest returns the largest value of x.
func Largest(x []float32) float32 {
	_, hi := Span(x)
	return hi
}

func MeanSquare(x []float32) float32 { return SumSquares(x) / float32(len(x)) }

func SumSquares(x []float32) (sum float32) {
	for _, v := range x {
		sum += float32(v * v)
	}
	return sum
}

// Sum returns Σ x.
func Sum(x []float32) (s float32) {
	for _, v := range x {
		s += v
	}
	return s
}

// Round returns x rounded to the nearest integer, halves away from zero, for
// |x| < 2^31. The addition is exact enough in float64: it cannot carry a float32
// below one half up to one.
func Round(x float32) int32 {
	return int32(float64(x) + math.Copysign(0.5, float64(x)))
}
