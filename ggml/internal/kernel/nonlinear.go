package kernel

import "math"

// The functions of this file are made of one exponential and a few plain float32
// operations, so that a tier needs no more than its kernel for [Exp].

// tanhEdge is the argument up to which tanh is a polynomial: from there on the
// form with the exponential does not cancel.
const tanhEdge = 0.625

// Tanh returns the hyperbolic tangent with an error below 2 ulp. From 9.02 on it is
// 1. Tanh(NaN) is NaN.
func Tanh(x float32) float32 { return tanhOf(x, Exp(2*magnitude(x))) }

// tanhOf returns Tanh(x), given exp = [Exp](2|x|): 1 - 2/(exp+1) with the sign of x,
// or x + x³·p(x²) near zero.
func tanhOf(x, exp float32) float32 {
	t := magnitude(x)
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

func magnitude(x float32) float32 { return math.Float32frombits(math.Float32bits(x) &^ signBit) }

// Softcap replaces every x by c·tanh(x/c): nearly x where that is small, within
// [-c, c] everywhere. It computes c·[Tanh](x·(1/c)), every operation rounded.
func (t *Tier) Softcap(x []float32, c float32) { t.vec.softcap(x, c) }

// SiLU replaces every x by x·sigmoid(x) [Elfwing et al., "Sigmoid-weighted linear
// units", 2017], computed as x/(1+[Exp](-x)).
func (t *Tier) SiLU(x []float32) { t.vec.logistic(x, 1, 0) }

// QuickGELU replaces every x by x·sigmoid(1.702·x).
func (t *Tier) QuickGELU(x []float32) { t.vec.logistic(x, 1.702, 0) }

// TanhGELU replaces every x by x/2·(1+tanh(u)) with u = √(2/π)·(x+0.044715·x³), the
// approximation of GELU, which is x·sigmoid(2u).
func (t *Tier) TanhGELU(x []float32) {
	const root8Pi = 1.5957691216057307118 // 2·√(2/π)
	t.vec.logistic(x, root8Pi, root8Pi*0.044715)
}

// ReLU replaces every x below 0 by 0. A NaN stays a NaN.
func (t *Tier) ReLU(x []float32) {
	for i, v := range x {
		if v < 0 {
			x[i] = 0
		}
	}
}

// Mul multiplies y by x, element by element.
func (t *Tier) Mul(y, x []float32) {
	same("Mul", len(y), len(x))
	for i, v := range x {
		y[i] *= v
	}
}

// Div divides y by x, element by element.
func (t *Tier) Div(y, x []float32) {
	same("Div", len(y), len(x))
	for i, v := range x {
		y[i] /= v
	}
}

// expSpan is the number of exponentials that are kept between two passes.
const expSpan = 256

// capArguments multiplies x by 1/c and sets e to the arguments of the exponentials
// that the results need; capped finishes, with the exponentials in e.
func capArguments(e, x []float32, inverse float32) {
	for i, v := range x {
		v *= inverse
		x[i], e[i] = v, 2*magnitude(v)
	}
}

func capped(x, e []float32, c float32) {
	for i, v := range x {
		x[i] = c * tanhOf(v, e[i])
	}
}

// softcapGeneric replaces x by c·tanh(x/c).
func softcapGeneric(x []float32, c float32) {
	inverse := 1 / c
	for i, v := range x {
		x[i] = c * Tanh(float32(v*inverse))
	}
}

// logisticArguments sets e to -x·(c+c3·x²); logisticResults sets x to x/(1+e).
func logisticArguments(e, x []float32, c, c3 float32) {
	for i, v := range x {
		e[i] = -logisticArgument(v, c, c3)
	}
}

func logisticArgument(x, c, c3 float32) float32 {
	if c3 == 0 {
		return x * c // x² might overflow
	}
	return x * (c + float32(c3*float32(x*x)))
}

func logisticResults(x, e []float32) {
	for i, v := range x {
		x[i] = v / (1 + e[i])
	}
}

// logisticGeneric replaces x by x/(1+Exp(-x·(c+c3·x²))).
func logisticGeneric(x []float32, c, c3 float32) {
	for i, v := range x {
		x[i] = v / (1 + Exp(-logisticArgument(v, c, c3)))
	}
}
