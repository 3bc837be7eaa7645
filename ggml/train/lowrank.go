package train

import (
	"fmt"

	"mptgo/ggml/internal/mat"
	"mptgo/ggml/internal/scratch"
)

// LowRank is a change of a matrix W that is trained: x·Wᵀ becomes x·Wᵀ + Scale·(x·Aᵀ)·Bᵀ [Hu et al.,
// "LoRA: Low-Rank Adaptation of Large Language Models", 2021].
type LowRank struct {
	Rank, In, Out int
	Scale         float32

	// Factor, a power of two, multiplies the first Queries rows of B: those of the model were multiplied
	// by it when its file was made, and the adapter is for the model as it was before.
	Queries int
	Factor  float32

	A, B   []float32 // [Rank, In], [Rank, Out]: B lies transposed
	GA, GB []float32 // their gradients

	a, b   *mat.Panels // [Rank, In], [Out, Rank]
	at, bt *mat.Panels // [In, Rank], [Rank, Out]
}

// NewLowRank returns a change of a matrix with out rows of in values, whose A and B are zero. Sizes below 1
// and matrices that are too large for this machine are errors.
func NewLowRank(rank, in, out int, scale float32) (*LowRank, error) {
	if !mat.PanelsFit(rank, in) || !mat.PanelsFit(in, rank) || !mat.PanelsFit(rank, out) || !mat.PanelsFit(out, rank) {
		return nil, fmt.Errorf("train: a change of rank %d of %d x %d values: want sizes of at least 1, as large as memory can be",
			rank, out, in)
	}
	l := &LowRank{Rank: rank, In: in, Out: out, Scale: scale, Factor: 1}
	l.A, l.GA = make([]float32, rank*in), make([]float32, rank*in)
	l.B, l.GB = make([]float32, rank*out), make([]float32, rank*out)
	l.a, l.b = mat.NewPanels(rank, in), mat.NewPanels(out, rank)
	l.at, l.bt = mat.NewPanels(in, rank), mat.NewPanels(rank, out)
	return l, nil
}

// Width returns the columns of the products with A and with Bᵀ, of which Rank are in use.
func (l *LowRank) Width() int { return l.a.Strips() * mat.StripRows }

// Pack has the operations see A and B as they are now.
func (e *Engine) Pack(changes []*LowRank) {
	e.run(len(changes), func(task int, s *worker) {
		l := changes[task]
		row := scratch.Grow(&s.a, l.Out)
		for j := range l.Rank {
			a := l.A[j*l.In : (j+1)*l.In]
			l.a.SetRow(j, a)
			l.at.SetColumn(j, a)
			copy(row, l.B[j*l.Out:(j+1)*l.Out])
			for k := range row[:l.Queries] {
				row[k] *= l.Factor
			}
			l.bt.SetRow(j, row)
			l.b.SetColumn(j, row)
		}
	})
}

const lowRankPart = 512 // columns of a chain of a product with A, as in package ggml

// lowRankRows returns how many of n rows one task takes: few enough that there are some tasks for each worker.
func (e *Engine) lowRankRows(n int) int {
	const least, most, each = 6, 84, 4
	return min(max(n/(each*e.Workers()), least), most)
}

// Forward sets z, [N, Width], to Scale·x·Aᵀ and adds z·Bᵀ to y.
func (e *Engine) Forward(y, z, x Rows, l *LowRank) {
	e.reduce(z, x, l.a, l.Scale)
	e.expand(y, z, l.b)
}

// Reduce sets z alone.
func (e *Engine) Reduce(z, x Rows, l *LowRank) { e.reduce(z, x, l.a, l.Scale) }

// Backward is for the change that Forward made: it sets d, [N, Width], to Scale·dY·B, adds to the
// gradients of A and B, and unless the input needs no gradient adds d·A to dX, which is nil then.
//
// Of every example the gradients are made in parts of 256 tokens, each a chain in the order of the
// tokens; the parts are added in order, and the examples are.
func (e *Engine) Backward(dx *Rows, d, dy, z, x Rows, l *LowRank, examples []Example) {
	e.reduce(d, dy, l.bt, l.Scale)
	e.addOuter(l.GB, z, dy, l.Rank, examples, l.Queries, l.Factor)
	e.addOuter(l.GA, d, x, l.Rank, examples, 0, 1)
	if dx != nil {
		e.expand(*dx, d, l.at)
	}
}

// reduce sets z to scale·x·Pᵀ: chains of 512 columns, added in order.
func (e *Engine) reduce(z, x Rows, p *mat.Panels, scale float32) {
	width := p.Strips() * mat.StripRows
	rows := e.lowRankRows(x.N)
	e.run((x.N+rows-1)/rows, func(task int, s *worker) {
		first := task * rows
		n := min(rows, x.N-first)
		out := z.X[first*width : (first+n)*width]
		part := scratch.Grow(&s.a, n*width)
		for c0 := 0; c0 < p.Cols; c0 += lowRankPart {
			to := part
			if c0 == 0 {
				to = out
			}
			for strip := range p.Strips() {
				e.tier.Mat.SetChains(to[strip*mat.StripRows:], width, p, strip, c0, min(c0+lowRankPart, p.Cols), x.X[first*x.Cols:], x.Cols, n)
			}
			if c0 > 0 {
				e.vec().Add(out, part)
			}
		}
		e.vec().Scale(out, scale)
	})
}

// expand adds z·Pᵀ to y.
func (e *Engine) expand(y, z Rows, p *mat.Panels) {
	rows := e.lowRankRows(y.N)
	e.run((y.N+rows-1)/rows, func(task int, s *worker) {
		first := task * rows
		e.tier.Mat.AddChains(y.X[first*y.Cols:], y.Cols, p, 0, p.Rows, z.X[first*z.Cols:], z.Cols, min(rows, y.N-first), &s.mat)
	})
}
