package ggml

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
func (o *clamp) apply(e *Exec, y []float32, i, c0 int) { e.tier.Clamp(y, o.c) }

type gelu struct{ x, y *Tensor }

// GELU returns x * Φ(x), the exact form: 0.5 * x * (1 + erf(x/√2))
// [Hendrycks and Gimpel, "Gaussian Error Linear Units", 2016].
func (g *Graph) GELU(name string, x *Tensor) *Tensor {
	return g.add(&gelu{x, g.newTensor(name, x.Cols)})
}

func (o *gelu) kind() string                          { return "gelu" }
func (o *gelu) inputs() []*Tensor                     { return []*Tensor{o.x} }
func (o *gelu) out() *Tensor                          { return o.y }
func (o *gelu) source() *Tensor                       { return o.x }
func (o *gelu) steps(e *Exec) []step                  { return alone(e, o) }
func (o *gelu) apply(e *Exec, y []float32, i, c0 int) { e.tier.GELU(y) }

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
func (o *scale) apply(e *Exec, y []float32, i, c0 int) { e.tier.Scale(y, o.s) }

type add struct{ x, r, y *Tensor }

// Add returns x + residual.
func (g *Graph) Add(name string, x, residual *Tensor) *Tensor {
	must(x.Cols == residual.Cols, "Add of %d and %d columns", x.Cols, residual.Cols)
	return g.add(&add{x, residual, g.newTensor(name, x.Cols)})
}

func (o *add) kind() string         { return "add" }
func (o *add) inputs() []*Tensor    { return []*Tensor{o.x, o.r} }
func (o *add) out() *Tensor         { return o.y }
func (o *add) source() *Tensor      { return o.x }
func (o *add) steps(e *Exec) []step { return alone(e, o) }
func (o *add) apply(e *Exec, y []float32, i, c0 int) {
	e.tier.Add(y, o.r.row(i)[c0:c0+len(y)])
}

// alone runs an elementwise operation that was not joined to a product.
func alone(e *Exec, o elementwise) []step {
	x, y := o.source(), o.out()
	return []step{{perRow, func(i, _ int) {
		copy(y.row(i), x.row(i))
		o.apply(e, y.row(i), i, 0)
	}}}
}
