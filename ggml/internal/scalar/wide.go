package scalar

import "math"

// Functions in float64 for the few numbers of a graph that need the accuracy:
// angles of rotary positions, factors of queries. They are plain sequences of float64
// operations, every product rounded before it is added (the conversions forbid the
// compiler to fuse), because those of package math differ from CPU to CPU.

const (
	halfPi1 = 0x1.921fb54p+00       // the first 27 bits of π/2: a product with an integer below 2^26 is exact
	halfPi2 = 0x1.10b461p-30        // the next 27
	halfPi3 = 0x1.a62633145c06ep-58 // and those after

	ln2Wide1 = 0x1.62e42fee00000p-01 // the first 33 bits of ln 2
	ln2Wide2 = 0x1.a39ef35793c76p-33
)

// SinCos64 returns the sine and the cosine of x, |x| ≤ 2^25, with an error of a few
// 1e-16.
func SinCos64(x float64) (sin, cos float64) {
	k := math.Floor(float64(x*(2/math.Pi)) + 0.5)
	r := x - float64(k*halfPi1)
	r -= float64(k * halfPi2)
	r -= float64(k * halfPi3)
	s, c := sinReduced(r), cosReduced(r)
	switch int64(k) & 3 {
	case 0:
		return s, c
	case 1:
		return c, -s
	case 2:
		return -s, -c
	}
	return -c, s
}

// sinReduced and cosReduced are Taylor series for |r| ≤ π/4, whose first term left
// out is below 1e-18.
func sinReduced(r float64) float64 {
	z := float64(r * r)
	p := 1.0
	for n := 16.0; n > 0; n -= 2 {
		p = 1 - float64(z*p)/(n*(n+1))
	}
	return r * p
}

func cosReduced(r float64) float64 {
	z := float64(r * r)
	p := 1.0
	for n := 18.0; n > 0; n -= 2 {
		p = 1 - float64(z*p)/(n*(n-1))
	}
	return p
}

// Log64 returns the natural logarithm of x, a positive normal number, with an
// error of a few ulp.
func Log64(x float64) float64 {
	m, e := math.Frexp(x)
	if m < math.Sqrt2/2 {
		m, e = 2*m, e-1
	}
	f := (m - 1) / (m + 1)
	z := float64(f * f)
	p := 0.0
	for n := 25.0; n > 0; n -= 2 { // 2·atanh(f) = 2f·(1 + z/3 + z²/5 + ...)
		p = 1/n + float64(z*p)
	}
	k := float64(e)
	return float64(k*ln2Wide1) + (float64(k*ln2Wide2) + float64(2*f*p))
}

// Exp64 returns e^x, |x| ≤ 700, with an error of a few ulp.
func Exp64(x float64) float64 {
	k := math.Floor(float64(x*math.Log2E) + 0.5)
	r := x - float64(k*ln2Wide1)
	r -= float64(k * ln2Wide2)
	p := 1.0
	for n := 16.0; n > 0; n-- {
		p = 1 + float64(r*p)/n
	}
	return math.Ldexp(p, int(k))
}

// Pow64 returns b^e for a positive b, with an error of a few ulp times the logarithm
// of the result.
func Pow64(b, e float64) float64 { return Exp64(float64(e * Log64(b))) }
