package ggml

// layerNorm normalises every row and quantises the result where a product
// wants it, while the row is in the cache.
type layerNorm struct {
	x    *Tensor
	w, b []float32
	eps  float32
	y    *Tensor
}

// LayerNorm returns (x - mean) / sqrt(var + eps) * w + b of every row. w has
// x.Cols values, b as many or none.
func (g *Graph) LayerNorm(name string, x *Tensor, w, b []float32, eps float32) *Tensor {
	must(len(w) == x.Cols && (b == nil || len(b) == x.Cols), "LayerNorm of %d columns with %d weights, %d biases", x.Cols, len(w), len(b))
	return g.add(&layerNorm{x, w, b, eps, g.newTensor(name, x.Cols)})
}

func (o *layerNorm) kind() string      { return "norm" }
func (o *layerNorm) inputs() []*Tensor { return []*Tensor{o.x} }
func (o *layerNorm) out() *Tensor      { return o.y }

func (o *layerNorm) steps(e *Exec) []step {
	return []step{{perRow, func(i, _ int) {
		e.tier.LayerNorm(o.y.row(i), o.x.row(i), o.w, o.b, o.eps)
		if o.y.quantise {
			e.tier.QuantizeRow(&o.y.acts, i)
		}
	}}}
}

// quantises reports whether the operation quantises its own result.
func (o *layerNorm) quantises() {}
