package train

import (
	"math"

	"mptgo/ggml/internal/scalar"
	"mptgo/ggml/internal/scratch"
)

// Logits says what becomes of the products with the output matrix.
type Logits struct {
	Scale float32 // they are multiplied by it
	Cap   float32 // and limited softly to [-Cap, Cap]; 0 = not at all
}

// Losses sets nll[i] to the negative log-likelihood of the token targets[i] by the products x.Row(i).
// Unless weight is 0 it replaces these by the gradient of weight times the sum of nll.
//
// The softmax has one maximum and a sum in float64 of the float32 exponentials: four sums, of every
// fourth, which are added in order.
func (e *Engine) Losses(nll []float64, x Rows, targets []int32, o Logits, weight float64) {
	e.run(x.N, func(i int, s *worker) { nll[i] = e.loss(x.Row(i), int(targets[i]), o, weight, s) })
}

func (e *Engine) loss(x []float32, target int, o Logits, weight float64, s *worker) float64 {
	if o.Scale != 1 {
		e.vec().Scale(x, o.Scale)
	}
	if o.Cap != 0 {
		e.vec().Softcap(x, o.Cap)
	}
	top := float32(math.Inf(-1))
	for _, v := range x {
		top = max(top, v)
	}
	exp := scratch.Grow(&s.a, len(x))
	for j, v := range x {
		exp[j] = v - top
	}
	e.vec().Exp(exp, exp)
	total := sum(len(x), func(j int) float64 { return float64(exp[j]) })
	nll := scalar.Log64(total) + float64(top) - float64(x[target])
	if weight != 0 {
		lossBack(x, exp, target, o, weight, weight/total)
	}
	return nll
}

// lossBack replaces logits by gradients: softmax less 1 at the target, times weight, and back through
// cap and scale. exp are the exponentials, share is the weight over their sum.
func lossBack(x, exp []float32, target int, o Logits, weight, share float64) {
	scale := float64(o.Scale)
	for j, v := range exp {
		g := float64(float64(v) * share)
		if j == target {
			g -= weight
		}
		if o.Cap != 0 {
			t := float64(x[j]) / float64(o.Cap)
			g *= 1 - float64(t*t)
		}
		x[j] = float32(g * scale)
	}
}
