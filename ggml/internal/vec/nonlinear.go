package vec

import (
	"mptgo/ggml/internal/scalar"
)

// The functions of this file are made of one exponential and a few plain float32
// operations, so that a tier needs no more than its kernel for [scalar.Exp]. Those
// that are no field of [Kernels] run as they are here in every tier.

// Softcap replaces every x by c·tanh(x/c): nearly x where that is small, within
// [-c, c] everywhere. It computes c·[scalar.Tanh](x·(1/c)), every operation rounded.
func (k *Kernels) Softcap(x []float32, c float32) { k.softcap(x, c) }

// SiLU replaces every x by x·sigmoid(x) [Elfwing et al., "Sigmoid-weighted linear
// units", 2017], computed as x/(1+[scalar.Exp](-x)).
func (k *Kernels) SiLU(x []float32) { k.logistic(x, 1, 0) }

// QuickGELU replaces every x by x·sigmoid(1.702·x).
func (k *Kernels) QuickGELU(x []float32) { k.logistic(x, 1.702, 0) }

// TanhGELU replaces every x by x/2·(1+tanh(u)) with u = √(2/π)·(x+0.044715·x³), the
// approximation of GELU, which is x·sigmoid(2u).
func (k *Kernels) TanhGELU(x []float32) {
	const root8Pi = 1.5957691216057307118 // 2·√(2/π)
	k.logistic(x, root8Pi, root8Pi*0.044715)
}

// ReLU replaces every x below 0 by 0. A NaN stays a NaN.
func (k *Kernels) ReLU(x []float32) {
	for i, v := range x {
		if v < 0 {
			x[i] = 0
		}
	}
}

// Mul multiplies y by x, element by element.
func (k *Kernels) Mul(y, x []float32) {
	SameLength("Mul", len(y), len(x))
	for i, v := range x {
		y[i] *= v
	}
}

// Div divides y by x, element by element.
func (k *Kernels) Div(y, x []float32) {
	SameLength("Div", len(y), len(x))
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
		x[i], e[i] = v, 2*scalar.Magnitude(v)
	}
}

func capped(x, e []float32, c float32) {
	for i, v := range x {
		x[i] = c * scalar.TanhOf(v, e[i])
	}
}

// SoftcapGeneric replaces x by c·tanh(x/c).
func SoftcapGeneric(x []float32, c float32) {
	inverse := 1 / c
	for i, v := range x {
		x[i] = c * scalar.Tanh(float32(v*inverse))
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
		x[i] = v / (1 + scalar.Exp(-logisticArgument(v, c, c3)))
	}
}
