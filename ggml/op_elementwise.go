package ggml

import "mptgo/ggml/internal/vec"

// The elementwise operations exist for themselves and as epilogues of a matrix
// product: [Compile] joins one to the product whose result only it reads, and
// the product then applies it to each piece of its output while that is hot.

// elementwise is y = f(x) for every value, in a function of rows or of parts of
// rows: columns [c0, c0+len(y)) of row i, in place.
type elementwise interface {
	op
	source() *Tensor
	apply(e *Exec, y []float32, i, c0 int)
}

// stripwise is an operation that takes columns [c0, c1) of all rows together, in place, and
// only so. Of the epilogues of a product such ones come first.
type stripwise interface {
	elementwise
	applyStrip(e *Exec, y *Tensor, c0, c1, worker int)
}

func isStripwise(f elementwise) bool { _, ok := f.(stripwise); return ok }

type clamp struct {
	x, y *Tensor
	c    float32
}

// Clamp returns x limited to [-c, c].
func (g *Graph) Clamp(name string, x *Tensor, c float32) *Tensor {
	return g.add(&clamp{x, g.newTensor(name, x.Cols), c})
}

func (o *clamp) kind() string                          { return "clamp" }
func (o *clamp) inputs() []*Tensor                     { return []*Tensor{o.x} }
func (o *clamp) out() *Tensor                          { return o.y }
func (o *clamp) source() *Tensor                       { return o.x }
func (o *clamp) steps(e *Exec) []step                  { return alone(e, o) }
func (o *clamp) apply(e *Exec, y []float32, i, c0 int) { e.tier.Vec.Clamp(y, o.c) }

// Activation is an elementwise function between the layers of a network.
type Activation string

// The activations. GELU is the exact form x·Φ(x) = x/2·(1+erf(x/√2)) [Hendrycks and
// Gimpel, "Gaussian Error Linear Units", 2016]; TanhGELU is its approximation by tanh,
// QuickGELU x·sigmoid(1.702x), SiLU x·sigmoid(x).
const (
	GELU      Activation = "gelu"
	TanhGELU  Activation = "gelu_tanh"
	QuickGELU Activation = "quick_gelu"
	SiLU      Activation = "silu"
	ReLU      Activation = "relu"
)

var activations = map[Activation]func(k *vec.Kernels, x []float32){
	GELU:      (*vec.Kernels).GELU,
	TanhGELU:  (*vec.Kernels).TanhGELU,
	QuickGELU: (*vec.Kernels).QuickGELU,
	SiLU:      (*vec.Kernels).SiLU,
	ReLU:      (*vec.Kernels).ReLU,
}

// Known reports whether there is an activation of that name.
func (a Activation) Known() bool { return activations[a] != nil }

type activate struct {
	x, y *Tensor
	name Activation
	f    func(k *vec.Kernels, x []float32)
}

// Activate returns a(x).
func (g *Graph) Activate(name string, x *Tensor, a Activation) *Tensor {
	must(a.Known(), "%s: no activation %q", name, a)
	return g.add(&activate{x, g.newTensor(name, x.Cols), a, activations[a]})
}

func (o *activate) kind() string                          { return string(o.name) }
func (o *activate) inputs() []*Tensor                     { return []*Tensor{o.x} }
func (o *activate) out() *Tensor                          { return o.y }
func (o *activate) source() *Tensor                       { return o.x }
func (o *activate) steps(e *Exec) []step                  { return alone(e, o) }
func (o *activate) apply(e *Exec, y []float32, i, c0 int) { o.f(&e.tier.Vec, y) }

type softcap struct {
	x, y *Tensor
	c    float32
}

// Softcap returns c·tanh(x/c).
func (g *Graph) Softcap(name string, x *Tensor, c float32) *Tensor {
	return g.add(&softcap{x, g.newTensor(name, x.Cols), c})
}

func (o *softcap) kind() string                          { return "softcap" }
func (o *softcap) inputs() []*Tensor                     { return []*Tensor{o.x} }
func (o *softcap) out() *Tensor                          { return o.y }
func (o *softcap) source() *Tensor                       { return o.x }
func (o *softcap) steps(e *Exec) []step                  { return alone(e, o) }
func (o *softcap) apply(e *Exec, y []float32, i, c0 int) { e.tier.Vec.Softcap(y, o.c) }

// columns is an operation of every row with one vector.
type columns struct {
	x, y *Tensor
	name string
	v    []float32
	f    func(k *vec.Kernels, y, v []float32)
}

// Bias returns x + b for every row; without a bias, which is nil, x itself.
func (g *Graph) Bias(name string, x *Tensor, b []float32) *Tensor {
	return g.columns(name, "bias", x, b, (*vec.Kernels).Add)
}

// Divide returns x / v for every row; if v is nil, x itself.
func (g *Graph) Divide(name string, x *Tensor, v []float32) *Tensor {
	return g.columns(name, "divide", x, v, (*vec.Kernels).Div)
}

func (g *Graph) columns(name, kind string, x *Tensor, v []float32, f func(k *vec.Kernels, y, v []float32)) *Tensor {
	if v == nil {
		return x
	}
	must(len(v) == x.Cols, "%s: a vector of %d with %d columns", name, len(v), x.Cols)
	return g.add(&columns{x, g.newTensor(name, x.Cols), kind, v, f})
}

func (o *columns) kind() string                          { return o.name }
func (o *columns) inputs() []*Tensor                     { return []*Tensor{o.x} }
func (o *columns) out() *Tensor                          { return o.y }
func (o *columns) source() *Tensor                       { return o.x }
func (o *columns) steps(e *Exec) []step                  { return alone(e, o) }
func (o *columns) apply(e *Exec, y []float32, i, c0 int) { o.f(&e.tier.Vec, y, o.v[c0:c0+len(y)]) }

type scale struct {
	x, y *Tensor
	s    float32
}

// Scale returns x * s.
func (g *Graph) Scale(name string, x *Tensor, s float32) *Tensor {
	return g.add(&scale{x, g.newTensor(name, x.Cols), s})
}

func (o *scale) kind() string                          { return "scale" }
func (o *scale) inputs() []*Tensor                     { return []*Tensor{o.x} }
func (o *scale) out() *Tensor                          { return o.y }
func (o *scale) source() *Tensor                       { return o.x }
func (o *scale) steps(e *Exec) []step                  { return alone(e, o) }
func (o *scale) apply(e *Exec, y []float32, i, c0 int) { e.tier.Vec.Scale(y, o.s) }

// pair is an operation of two tensors: x, in place, and another.
type pair struct {
	x, r, y *Tensor
	name    string
	f       func(k *vec.Kernels, y, r []float32)
}

// Add returns x + residual.
func (g *Graph) Add(name string, x, residual *Tensor) *Tensor {
	return g.pair(name, "add", x, residual, (*vec.Kernels).Add)
}

// Mul returns x * gate, element by element.
func (g *Graph) Mul(name string, x, gate *Tensor) *Tensor {
	return g.pair(name, "mul", x, gate, (*vec.Kernels).Mul)
}

func (g *Graph) pair(name, kind string, x, r *Tensor, f func(k *vec.Kernels, y, r []float32)) *Tensor {
	must(x.Cols == r.Cols, "%s: %s of %d and %d columns", name, kind, x.Cols, r.Cols)
	return g.add(&pair{x, r, g.newTensor(name, x.Cols), kind, f})
}

func (o *pair) kind() string                          { return o.name }
func (o *pair) inputs() []*Tensor                     { return []*Tensor{o.x, o.r} }
func (o *pair) out() *Tensor                          { return o.y }
func (o *pair) source() *Tensor                       { return o.x }
func (o *pair) steps(e *Exec) []step                  { return alone(e, o) }
func (o *pair) apply(e *Exec, y []float32, i, c0 int) { o.f(&e.tier.Vec, y, o.r.row(i)[c0:c0+len(y)]) }

// alone runs an elementwise operation that was not joined to a product.
func alone(e *Exec, o elementwise) []step {
	x, y := o.source(), o.out()
	return []step{{perRow, func(i, _ int) {
		copy(y.row(i), x.row(i))
		o.apply(e, y.row(i), i, 0)
	}}}
}
