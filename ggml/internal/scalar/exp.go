package scalar

import "math"

//go:generate go run -C ../_gen ./poly ../scalar/poly.go

// The elementary functions are fixed sequences of float32 operations, so that
// every CPU gives the same bits. Their polynomials are minimax fits made by
// _gen/poly: iteratively reweighted least squares in extended precision, the
// coefficients rounded one after the other, each time fitting the rest anew.

const (
	log2E = 0x1.715476p+0
	// ln2Hi + ln2Lo is ln 2 to twice the precision.
	ln2Hi = 0x1.62e43p-1
	ln2Lo = -0x1.05c61p-29

	// roundBias added to a small float32 leaves its nearest integer, half to
	// even, in the low bits of the sum.
	roundBias = 0x1.8p23

	// Below expLow e^x is taken as 0, above expHigh it is infinite.
	expLow  = -87.33
	expHigh = 0x1.62e42ep+6

	// geluEdge is the argument from which on GELU is 0 or x.
	geluEdge = 6
)

// Exp returns e^x with an error below 1 ulp. Below -87.33, where the results
// come close to the subnormal numbers, it returns 0. Exp(0) is 1 and
// Exp(NaN) is NaN.
func Exp(x float32) float32 {
	if x < expLow {
		return 0
	}
	if !(x <= expHigh) {
		return x * math.MaxFloat32 // infinite, or NaN
	}
	biased := FMA(x, log2E, roundBias)
	n := biased - roundBias
	r := FMA(n, -ln2Lo, FMA(n, -ln2Hi, x))
	return expReduced(biased, r)
}

// expReduced returns 2^n·e^r for |r| ≤ ln(2)/2, n being what biased exceeds
// roundBias by. The result must be a normal number: n is added to its exponent.
func expReduced(biased, r float32) float32 {
	p := horner(expPoly[:], r)
	return math.Float32frombits(math.Float32bits(p) + math.Float32bits(biased)<<23)
}

// gelu returns x·Φ(x) = x/2·(1+erf(x/√2)), where Φ is the standard normal
// distribution, with an error below 2e-7·max(1, |x|). From 6 on it is x, from -6
// down 0.
//
// It computes max(x, 0) - |x|·Q(|x|), where Q = 1-Φ is a power of two whose
// exponent is nearly quadratic: one polynomial serves all x, and the negative
// side keeps its relative accuracy instead of cancelling.
func GELU(x float32) float32 {
	relu := x
	if 0 > x {
		relu = 0
	}
	t := math.Float32frombits(math.Float32bits(x) &^ signBit)
	if !(t <= geluEdge) {
		return relu
	}
	z := horner(tailPoly[:], t)
	biased := z + roundBias
	fraction := z - (biased - roundBias)
	q := expReduced(biased, float32(fraction*ln2Hi))
	return relu - float32(t*q)
}

const signBit = 1 << 31

// horner returns Σ c[k]·x^k, one fused multiply-add for each but the last c.
func horner(c []float32, x float32) float32 {
	p := c[len(c)-1]
	for k := len(c) - 2; k >= 0; k-- {
		p = FMA(p, x, c[k])
	}
	return p
}
