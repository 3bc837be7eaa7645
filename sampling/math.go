package sampling

import "math"

// ln2 in two parts: the high one has so few bits that its product with any
// exponent is exact.
const (
	ln2High = 6.93147180369123816490e-01
	ln2Low  = 1.90821492927058770002e-10
)

// taylor holds 1/n! from n = 13 down to 0: enough for 2^-54 on |r| <= ln(2)/2.
var taylor = [...]float64{
	1.0 / 6227020800, 1.0 / 479001600, 1.0 / 39916800, 1.0 / 3628800, 1.0 / 362880, 1.0 / 40320,
	1.0 / 5040, 1.0 / 720, 1.0 / 120, 1.0 / 24, 1.0 / 6, 1.0 / 2, 1, 1,
}

// leastExp is what exponentials are 0 below: these would be smaller than the smallest normal float64.
const leastExp = -708

// exp returns e to the power x for x <= 0, with a relative error below 2^-51.
// Results below the smallest normal float64 are 0.
func exp(x float64) float64 {
	if x < leastExp {
		return 0
	}
	x = float64(x) // inlined, x may be a product
	k := math.Floor(float64(x*math.Log2E) + 0.5)
	r := (x - float64(k*ln2High)) - float64(k*ln2Low)
	p := taylor[0]
	for _, t := range taylor[1:] {
		p = float64(p*r) + t
	}
	return p * math.Float64frombits(uint64(int64(k)+1023)<<52)
}

// log returns the natural logarithm of x, which is positive and finite, with a
// relative error below 2^-50.
func log(x float64) float64 {
	m, e := math.Frexp(x)
	if m < math.Sqrt2/2 {
		m, e = m*2, e-1
	}
	// ln(m) = 2 artanh(s); the terms s^(2n+1)/(2n+1) fall by a factor of 33.
	s := (m - 1) / (m + 1)
	z := s * s
	p := 0.0
	for n := 23.0; n >= 1; n -= 2 {
		p = float64(p*z) + 1/n
	}
	k := float64(e)
	return float64(k*ln2High) + (float64(k*ln2Low) + float64(2*s*p))
}

// power returns base to the n for base >= 1 and n >= 0, at most the largest
// float32.
func power(base float64, n int) float64 {
	p := 1.0
	for ; n > 0; n >>= 1 {
		if n&1 != 0 {
			p *= base
		}
		base *= base
	}
	return min(p, math.MaxFloat32)
}
