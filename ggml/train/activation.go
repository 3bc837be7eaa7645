package train

import (
	"fmt"
	"math"

	"mptgo/ggml"
	"mptgo/ggml/internal/scratch"
	"mptgo/ggml/internal/vec"
)

// activate replaces every x by a(x).
func activate(k *vec.Kernels, a ggml.Activation, x []float32) {
	switch a {
	case ggml.GELU:
		k.GELU(x)
	case ggml.TanhGELU:
		k.TanhGELU(x)
	case ggml.QuickGELU:
		k.QuickGELU(x)
	case ggml.SiLU:
		k.SiLU(x)
	case ggml.ReLU:
		k.ReLU(x)
	default:
		panic(fmt.Sprintf("train: no activation %q", a))
	}
}

// Activate sets y to a(u).
func (e *Engine) Activate(y, u Rows, a ggml.Activation) {
	e.perRows(u.N, func(i int, _ *worker) {
		copy(y.Row(i), u.Row(i))
		activate(e.vec(), a, y.Row(i))
	})
}

// ActivateBack multiplies d by a'(u).
func (e *Engine) ActivateBack(d, u Rows, a ggml.Activation) {
	e.perRows(u.N, func(i int, s *worker) {
		slope := scratch.Grow(&s.a, u.Cols)
		derivative(e.vec(), a, slope, u.Row(i), &s.b)
		e.vec().Mul(d.Row(i), slope)
	})
}

// Gate sets y to up·a(gate).
func (e *Engine) Gate(y, up, gate Rows, a ggml.Activation) {
	e.perRows(up.N, func(i int, s *worker) {
		g := scratch.Grow(&s.a, gate.Cols)
		copy(g, gate.Row(i))
		activate(e.vec(), a, g)
		copy(y.Row(i), up.Row(i))
		e.vec().Mul(y.Row(i), g)
	})
}

// GateBack replaces d, the gradient of what Gate made, by that of up, and sets dGate.
func (e *Engine) GateBack(d, dGate, up, gate Rows, a ggml.Activation) {
	e.perRows(up.N, func(i int, s *worker) {
		v := scratch.Grow(&s.a, gate.Cols)
		derivative(e.vec(), a, v, gate.Row(i), &s.b)
		to := dGate.Row(i)
		for j, g := range d.Row(i) {
			to[j] = float32(g*up.X[i*up.Cols+j]) * v[j]
		}
		copy(v, gate.Row(i))
		activate(e.vec(), a, v)
		e.vec().Mul(d.Row(i), v)
	})
}

// derivative sets s to a'(x). buf is memory to work in. An activation without a case of its own is taken
// for x·σ(x): one that is something else needs a case here, or a pair of factors in logistic.
func derivative(k *vec.Kernels, a ggml.Activation, s, x []float32, buf *[]float32) {
	t := scratch.Grow(buf, len(x))
	copy(s, x)
	activate(k, a, s)
	switch a {
	case ggml.GELU:
		for i, v := range x {
			t[i] = float32(v*v) * -0.5
		}
		k.Exp(t, t)
		for i, v := range x {
			s[i] = share(s[i], v) + float32(float32(v*t[i])*density)
		}
	case ggml.ReLU:
		for i, v := range x {
			s[i] = 0
			if v > 0 {
				s[i] = 1
			}
		}
	default:
		c, c3 := logistic(a)
		for i, v := range x {
			s[i] = logisticSlope(share(s[i], v), v, c, c3)
		}
	}
}

// density is that of the standard normal distribution at 0.
const density = 0.39894228040143267794

// share returns y/x, which for an activation y = x·s(x) is s(x); s(0) = 1/2 for all of them.
func share(y, x float32) float32 {
	if x > -math.SmallestNonzeroFloat32*(1<<30) && x < math.SmallestNonzeroFloat32*(1<<30) {
		return 0.5
	}
	return y / x
}

// logistic returns c and c3 of the activations that are x·σ(x·(c+c3·x²)), σ(v) = 1/(1+e^-v).
func logistic(a ggml.Activation) (c, c3 float32) {
	switch a {
	case ggml.TanhGELU:
		const root8Pi = 1.5957691216057307118 // 2·√(2/π)
		return root8Pi, root8Pi * 0.044715
	case ggml.QuickGELU:
		return 1.702, 0
	case ggml.SiLU:
		return 1, 0
	}
	panic(fmt.Sprintf("train: no slope of activation %q", a))
}

// logisticSlope returns σ + x·σ·(1-σ)·(c+3·c3·x²) for the given σ.
func logisticSlope(s, x, c, c3 float32) float32 {
	if rest := s * (1 - s); rest != 0 {
		return s + float32(float32(x*rest)*(c+float32(3*c3*float32(x*x))))
	}
	return s // 0 or 1, where x² may be infinite
}
