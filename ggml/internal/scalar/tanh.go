package scalar

import "math"

// tanhEdge is the argument up to which tanh is a polynomial: from there on the
// form with the exponential does not cancel.
const tanhEdge = 0.625

// Tanh returns the hyperbolic tangent with an error below 2 ulp. From 9.02 on it is
// 1. Tanh(NaN) is NaN.
func Tanh(x float32) float32 { return TanhOf(x, Exp(2*Magnitude(x))) }

// TanhOf returns Tanh(x), given exp = [Exp](2|x|): 1 - 2/(exp+1) with the sign of x,
// or x + x³·p(x²) near zero.
func TanhOf(x, exp float32) float32 {
	t := Magnitude(x)
	if t < tanhEdge {
		z := float32(x * x)
		p := float32(tanhPoly[len(tanhPoly)-1])
		for k := len(tanhPoly) - 2; k >= 0; k-- {
			p = float32(p*z) + tanhPoly[k]
		}
		return x + float32(float32(x*z)*p)
	}
	y := 1 - 2/(exp+1)
	return math.Float32frombits(math.Float32bits(y) | math.Float32bits(x)&signBit)
}

func Magnitude(x float32) float32 { return math.Float32frombits(math.Float32bits(x) &^ signBit) }
