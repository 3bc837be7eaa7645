package ggml

import "mptgo/ggml/internal/vec"

// Norm is a normalisation of vectors: (x - mean) / sqrt(variance + Eps) * Weight + Bias,
// or for RMS x / sqrt(mean of squares + Eps) * Weight.
type Norm struct {
	Weight []float32
	Bias   []float32 // nil if there is none, as always for RMS
	Eps    float32
	RMS    bool
}

// check panics if the norm is not one of vectors of n values.
func (m *Norm) check(name string, n int) {
	must(len(m.Weight) == n && (m.Bias == nil || len(m.Bias) == n && !m.RMS),
		"%s: norm of %d values with %d weights, %d biases", name, n, len(m.Weight), len(m.Bias))
}

// apply sets y to x, normalised. y may be x.
func (m *Norm) apply(k *vec.Kernels, y, x []float32) {
	if m.RMS {
		k.RMSNorm(y, x, m.Weight, m.Eps)
	} else {
		k.LayerNorm(y, x, m.Weight, m.Bias, m.Eps)
	}
}

// norm normalises every row and quantises the result where a product
// wants it, while the row is in the cache.
type norm struct {
	Norm
	x, y *Tensor
}

// Norm returns every row of x normalised by m.
func (g *Graph) Norm(name string, x *Tensor, m Norm) *Tensor {
	m.check(name, x.Cols)
	return g.add(&norm{m, x, g.newTensor(name, x.Cols)})
}

func (o *norm) kind() string      { return "norm" }
func (o *norm) inputs() []*Tensor { return []*Tensor{o.x} }
func (o *norm) out() *Tensor      { return o.y }

func (o *norm) steps(e *Exec) []step {
	return []step{{perRow, func(i, _ int) {
		o.apply(&e.tier.Vec, o.y.row(i), o.x.row(i))
		if o.y.quantise {
			e.tier.Act.QuantizeRow(&o.y.acts, i, e.rows(o.y).n)
		}
	}}}
}

// quantises reports whether the operation quantises its own result.
func (o *norm) quantises() {}

// A Part is Count vectors of the size of a norm's weight that follow each other in a
// row from column From on.
type Part struct {
	Norm
	From, Count int
}

// normParts normalises vectors inside of rows.
type normParts struct {
	x, y  *Tensor
	parts []Part
}

// NormParts returns x with the vectors of the given parts normalised, each by itself,
// and the rest as it is.
func (g *Graph) NormParts(name string, x *Tensor, parts ...Part) *Tensor {
	for _, p := range parts {
		p.check(name, len(p.Weight))
		must(p.From >= 0 && p.From+p.Count*len(p.Weight) <= x.Cols, "%s: %d vectors of %d from column %d of %d", name, p.Count, len(p.Weight), p.From, x.Cols)
	}
	return g.add(&normParts{x, g.newTensor(name, x.Cols), parts})
}

func (o *normParts) kind() string      { return "norm" }
func (o *normParts) inputs() []*Tensor { return []*Tensor{o.x} }
func (o *normParts) out() *Tensor      { return o.y }

func (o *normParts) steps(e *Exec) []step {
	return []step{{perRow, func(i, _ int) {
		y := o.y.row(i)
		copy(y, o.x.row(i))
		for k := range o.parts {
			p := &o.parts[k]
			for c, size := p.From, len(p.Weight); c < p.From+p.Count*size; c += size {
				p.apply(&e.tier.Vec, y[c:c+size], y[c:c+size])
			}
		}
	}}}
}
