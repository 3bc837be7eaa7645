package ggml

import (
	"math"

	"mptgo/ggml/internal/scalar"
)

// Rotary describes rotary positions [Su et al., "RoFormer: Enhanced Transformer with
// Rotary Position Embedding", 2021]: component k and component k+Dim/2 of a vector at
// position p, k < Dim/2, are a point of the plane that is turned by the angle p·f(k).
type Rotary struct {
	Dim   int     // components of a head that are turned: its first ones; even
	Theta float32 // f(k) = Theta^(-2k/Dim), before scaling

	Scaling string  // how longer contexts are reached: RotaryPlain, ...
	Factor  float32 // by which the context is longer than the trained one
	Context int     // the trained one, in tokens

	// For RotaryLlama3: wavelengths above Context/Low are stretched by Factor, those
	// below Context/High are kept, and what lies between is blended.
	Low, High float32
}

// The scalings of rotary positions.
const (
	RotaryPlain  = ""
	RotaryLinear = "linear" // all angles are divided by Factor

	// RotaryDynamic raises Theta by (Factor·n/Context - (Factor-1))^(Dim/(Dim-2)) for a
	// token that is the n-th, if n is larger than Context. The base is that of the token
	// and not of the call, so that results do not depend on how a text is cut into calls.
	RotaryDynamic = "dynamic"

	RotaryLlama3 = "llama3"
)

// frequencies sets f to those of position p. They have the precision of float32, as
// have the angles, since models were trained with such.
func (r *Rotary) frequencies(f []float32, p int) {
	theta := float64(r.Theta)
	if r.Scaling == RotaryDynamic && p+1 > r.Context {
		factor := float64(r.Factor)
		stretch := float64(factor*float64(p+1))/float64(r.Context) - (factor - 1)
		theta = float64(float32(theta * scalar.Pow64(stretch, float64(r.Dim)/float64(r.Dim-2))))
	}
	for k := range f {
		f[k] = r.scaled(1 / float32(scalar.Pow64(theta, float64(float32(2*k)/float32(r.Dim)))))
	}
}

// scaled applies the scalings that do not depend on the position.
func (r *Rotary) scaled(f float32) float32 {
	switch r.Scaling {
	case RotaryLinear:
		return f / r.Factor
	case RotaryLlama3:
		turns := float64(r.Context) * float64(f) / (2 * math.Pi) // in the trained context
		low, high, factor := float64(r.Low), float64(r.High), float64(r.Factor)
		switch {
		case turns < low:
			return float32(float64(f) / factor)
		case turns <= high:
			keep := (turns - low) / (high - low)
			return float32(float64((1-keep)*float64(f))/factor + float64(keep*float64(f)))
		}
	}
	return f
}

// angles computes the sines and cosines that a batch needs.
type angles struct {
	Rotary
	fixed []float32 // frequencies, unless they depend on the position
	y     *Tensor
}

// Angles returns, for the position of every row, the Dim/2 cosines and behind them the
// Dim/2 sines by which [Graph.Rotate] turns vectors.
func (g *Graph) Angles(name string, r Rotary) *Tensor {
	must(r.Dim > 0 && r.Dim%2 == 0 && r.Theta > 0, "%s: %+v", name, r)
	o := &angles{Rotary: r, y: g.newTensor(name, r.Dim)}
	if r.Scaling != RotaryDynamic {
		o.fixed = make([]float32, r.Dim/2)
		r.frequencies(o.fixed, 0)
	}
	return g.add(o)
}

func (o *angles) kind() string      { return "angles" }
func (o *angles) inputs() []*Tensor { return nil }
func (o *angles) out() *Tensor      { return o.y }

func (o *angles) steps(e *Exec) []step {
	return []step{{perRow, func(i, _ int) { o.fill(o.y.row(i), e.all.rows[i].pos) }}}
}

func (o *angles) fill(y []float32, p int) {
	cos, sin := y[:o.Dim/2], y[o.Dim/2:]
	f := o.fixed
	if f == nil {
		f = sin // replaced one after the other
		o.frequencies(f, p)
	}
	for k := range cos {
		s, c := scalar.SinCos64(float64(float32(p) * f[k]))
		cos[k], sin[k] = float32(c), float32(s)
	}
}

// Table returns, for every position below n, the row that [Graph.Angles] computes: [n, Dim].
func (r Rotary) Table(n int) []float32 {
	o := newGraph().Angles("", r).op.(*angles)
	table := make([]float32, n*r.Dim)
	for p := range n {
		o.fill(table[p*r.Dim:(p+1)*r.Dim], p)
	}
	return table
}

// rotate turns vectors by their position.
type rotate struct {
	x, angles, y    *Tensor
	vectors, stride int
}

// Rotate returns x with the first vectors of each row, which begin stride columns
// apart, turned by the angles of its position: of (a, b) comes (a·cos - b·sin,
// b·cos + a·sin), every product rounded.
func (g *Graph) Rotate(name string, x, angles *Tensor, vectors, stride int) *Tensor {
	must(vectors*stride <= x.Cols && angles.Cols <= stride, "%s: %d vectors of %d in %d columns, %d angles", name, vectors, stride, x.Cols, angles.Cols)
	return g.add(&rotate{x, angles, g.newTensor(name, x.Cols), vectors, stride})
}

func (o *rotate) kind() string      { return "rotate" }
func (o *rotate) inputs() []*Tensor { return []*Tensor{o.x, o.angles} }
func (o *rotate) out() *Tensor      { return o.y }

func (o *rotate) steps(e *Exec) []step {
	half := o.angles.Cols / 2
	return []step{{perRow, func(i, _ int) {
		cos, sin, y := o.angles.row(i)[:half], o.angles.row(i)[half:], o.y.row(i)
		copy(y, o.x.row(i))
		for v := range o.vectors {
			turn(y[v*o.stride:][:half], y[v*o.stride+half:][:half], cos, sin)
		}
	}}}
}

func turn(a, b, cos, sin []float32) {
	for k, c := range cos {
		s, x, y := sin[k], a[k], b[k]
		a[k] = float32(x*c) - float32(y*s)
		b[k] = float32(y*c) + float32(x*s)
	}
}
