package main

import (
	"math"
	"math/big"
)

// precision is the working precision in bits: the normal equations and the
// tail of the normal distribution cancel many.
const precision = 320

func newFloat() *big.Float                  { return new(big.Float).SetPrec(precision) }
func number(x float64) *big.Float           { return newFloat().SetFloat64(x) }
func product(x, y *big.Float) *big.Float    { return newFloat().Mul(x, y) }
func quotient(x, y *big.Float) *big.Float   { return newFloat().Quo(x, y) }
func difference(x, y *big.Float) *big.Float { return newFloat().Sub(x, y) }

func widen(c []float32) []*big.Float {
	w := make([]*big.Float, len(c))
	for i := range c {
		w[i] = number(float64(c[i]))
	}
	return w
}

// horner returns Σ c[k]·x^k.
func horner(c []*big.Float, x *big.Float) *big.Float {
	p := number(0)
	for k := len(c) - 1; k >= 0; k-- {
		p.Mul(p, x)
		p.Add(p, c[k])
	}
	return p
}

// exp returns e^x by the Taylor series of x/256, squared eight times.
func exp(x *big.Float) *big.Float {
	const halvings = 8
	r := newFloat().SetMantExp(x, -halvings)
	term, sum := number(1), number(1)
	for k := 1.0; term.Sign() != 0 && term.MantExp(nil) > -precision; k++ {
		term = quotient(product(term, r), number(k))
		sum.Add(sum, term)
	}
	for range halvings {
		sum.Mul(sum, sum)
	}
	return sum
}

// naturalLog returns the root y of exp(y) = x, by Newton's method from the float64 logarithm.
func naturalLog(x *big.Float) *big.Float {
	x64, _ := x.Float64()
	y := number(math.Log(x64))
	for range 4 {
		e := exp(y)
		y.Add(y, quotient(difference(x, e), e))
	}
	return y
}

var ln2 = naturalLog(number(2))

// root2Pi is √(2π), by Machin's formula π = 16·atan(1/5) − 4·atan(1/239).
var root2Pi = func() *big.Float {
	pi := difference(product(number(16), atanInverse(5)), product(number(4), atanInverse(239)))
	return newFloat().Sqrt(pi.Add(pi, pi))
}()

// atanInverse returns atan(1/n).
func atanInverse(n float64) *big.Float {
	sum, power := number(0), quotient(number(1), number(n))
	for k := 1.0; power.MantExp(nil) > -precision; k += 2 {
		sum.Add(sum, quotient(power, number(k)))
		power = quotient(power, number(-n*n))
	}
	return sum
}

// log2Tail returns log2 of the probability that a standard normal variable
// exceeds t, 1/2 − (t − t³/6 + t⁵/40 − …)/√(2π).
func log2Tail(t *big.Float) *big.Float {
	sum, power := number(0), newFloat().Set(t)
	// Divided by n+1, the k-th power is (−1)^k·t^n/(2^k·k!) with n = 2k+1.
	for k := 0.0; power.Sign() != 0 && power.MantExp(nil) > -precision; k++ {
		sum.Add(sum, quotient(power, number(2*k+1)))
		power = quotient(product(power, product(t, t)), number(-2*(k+1)))
	}
	tail := difference(number(0.5), quotient(sum, root2Pi))
	return quotient(naturalLog(tail), ln2)
}

// tanhRest returns (tanh(x)/x - 1)/z for z = x², as a continued fraction:
// tanh(x)/x = 1/(1 + z/(3 + z/(5 + ...))).
func tanhRest(z *big.Float) *big.Float {
	const terms = 60 // the rest is far below the precision for z below 1
	tail := number(2*terms + 1)
	for k := terms - 1; k >= 1; k-- {
		tail = newFloat().Add(number(float64(2*k+1)), quotient(z, tail))
	}
	// With t = 3 + z/(5 + ...), 1/(1+z/t) - 1 = -z/(t+z).
	return quotient(number(-1), newFloat().Add(tail, z))
}
