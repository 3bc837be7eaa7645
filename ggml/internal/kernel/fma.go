package kernel

import "math"

// FMA returns x*y+z rounded once, as the CPU instruction does.
//
// The product of two float32 is exact in float64. Their sum with z is rounded
// to odd (if it is inexact the last bit is set), which keeps enough of the
// discarded part for the final rounding to float32 to be right: 53 bits are
// more than twice 24 plus two [Boldo and Melquiond, "Emulation of FMA and
// correctly rounded sums: proved algorithms using rounding to odd", 2008].
func FMA(x, y, z float32) float32 {
	p := float64(x) * float64(y)
	c := float64(z)
	s := p + c
	// TwoSum: e is what the addition lost.
	t := s - p
	e := (p - (s - t)) + (c - t)
	if e != 0 && !math.IsInf(s, 0) && e == e {
		b := math.Float64bits(s)
		if b&1 == 0 {
			if (e > 0) == (s > 0) {
				b++
			} else {
				b--
			}
			s = math.Float64frombits(b)
		}
	}
	return float32(s)
}

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
