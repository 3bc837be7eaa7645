package jinja

import (
	"math"
	"math/big"
)

// Go's powers of floats may be off by a last digit, which Python prints. These are
// computed with enough bits to be rounded once.

const powerBits = 160

func wide(x float64) *big.Float { return new(big.Float).SetPrec(powerBits).SetFloat64(x) }

// nearestPower returns x to the power of y: x is positive, not 1, and the power neither
// too large nor too small for a float.
func nearestPower(x, y float64) float64 {
	fraction, exponent := math.Frexp(x)
	ln2 := logarithm(wide(2))
	t := logarithm(wide(fraction))
	t.Add(t, new(big.Float).Mul(ln2, wide(float64(exponent))))
	t.Mul(t, wide(y))
	twos, _ := new(big.Float).Quo(t, ln2).Int64()
	t.Sub(t, new(big.Float).Mul(ln2, wide(float64(twos))))
	z := exponential(t)
	f, _ := z.SetMantExp(z, int(twos)).Float64()
	return f
}

// logarithm returns ln x for x from a half to 2: twice the area tangent of (x-1)/(x+1).
func logarithm(x *big.Float) *big.Float {
	z := new(big.Float).Quo(new(big.Float).Sub(x, wide(1)), new(big.Float).Add(x, wide(1)))
	square, term, sum := new(big.Float).Mul(z, z), z, wide(0)
	for n := 1.; n < 110 && term.Sign() != 0; n += 2 {
		sum.Add(sum, new(big.Float).Quo(term, wide(n)))
		term = new(big.Float).Mul(term, square)
	}
	return sum.Mul(sum, wide(2))
}

// exponential returns e to the power of x for |x| below 1.
func exponential(x *big.Float) *big.Float {
	term, sum := wide(1), wide(1)
	for n := 1.; n < 40; n++ {
		term = new(big.Float).Quo(new(big.Float).Mul(term, x), wide(n))
		sum.Add(sum, term)
	}
	return sum
}
