// Package scalar is the arithmetic that assembly has to equal: fused multiply-add, folds,
// elementary functions and binary16, all as fixed sequences of operations in plain Go.
package scalar

import "math"

// FMA returns x*y+z rounded once, as the CPU instruction does.
//
// The product of two float32 is exact in float64, so the sum is rounded to
// float64 and then to float32. The second rounding is right unless the first
// made a number that lies halfway between two float32: the dropped 29 bits are
// then a one and zeros. Numbers below the normal range drop more bits.
func FMA(x, y, z float32) float32 {
	p := float64(x) * float64(y)
	s := p + float64(z)
	const dropped, halfway = 1<<29 - 1, 1 << 28
	if math.Float64bits(s)&dropped != halfway && math.Abs(s) >= 0x1p-126 {
		return float32(s)
	}
	return float32(toOdd(p, float64(z), s))
}

// toOdd returns p+c rounded to odd, given s, the rounded sum: if the sum is
// inexact, the neighbour of it whose last bit is set. That keeps enough of what
// was lost for another rounding to float32 to be right: 53 bits are more than
// twice 24 plus two [Boldo and Melquiond, "Emulation of FMA and correctly
// rounded sums: proved algorithms using rounding to odd", 2008].
func toOdd(p, c, s float64) float64 {
	t := s - p
	e := (p - (s - t)) + (c - t) // what the addition lost (Knuth's TwoSum)
	b := math.Float64bits(s)
	if e == 0 || e != e || math.IsInf(s, 0) || b&1 == 1 {
		return s
	}
	if (e > 0) == (s > 0) {
		return math.Float64frombits(b + 1)
	}
	return math.Float64frombits(b - 1)
}

// lanes are the running sums of a float dot product: see the package comment.
const Lanes = 16

// Fold adds sixteen lanes in halves, the end of every float dot product.
func Fold(a *[16]float32) float32 {
	var b [8]float32
	for i := range b {
		b[i] = a[i] + a[i+8]
	}
	c0, c1, c2, c3 := b[0]+b[4], b[1]+b[5], b[2]+b[6], b[3]+b[7]
	d0, d1 := c0+c2, c1+c3
	return d0 + d1
}
