package ggml

import (
	"math"

	"mptgo/ggml/internal/scalar"
	"mptgo/quantize"
)

// addPositions adds the row of a table for its position to every row.
type addPositions struct {
	w    *Matrix
	x, y *Tensor
}

// AddPositions returns x plus, in the row of position p, row p of w. Batches must end
// before position w.Rows.
func (g *Graph) AddPositions(name string, x *Tensor, w *Matrix) *Tensor {
	must(w.Cols == x.Cols, "%s: positions of %d columns added to %d", w.Name, w.Cols, x.Cols)
	return g.add(&addPositions{w, x, g.newTensor(name, x.Cols)})
}

func (o *addPositions) kind() string      { return "positions" }
func (o *addPositions) inputs() []*Tensor { return []*Tensor{o.x} }
func (o *addPositions) out() *Tensor      { return o.y }

func (o *addPositions) steps(e *Exec) []step {
	size := len(o.w.Data) / o.w.Rows
	return []step{{perRow, func(i, _ int) {
		p := e.rows(o.y).rows[i].pos
		if err := quantize.DecodeRow(o.w.Type, o.y.row(i), o.w.Data[p*size:(p+1)*size]); err != nil {
			panic(err) // the type was checked when the matrix was made
		}
		e.tier.Vec.Add(o.y.row(i), o.x.row(i))
	}}}
}

// temper scales queries by their position.
type temper struct {
	x, y         *Tensor
	cols         int
	scale, floor float64
}

// Temper returns x with the first cols columns of the row of position p multiplied by
// 1 + scale·ln(1 + ⌊(p+1)/floor⌋), a factor that sharpens attention over long contexts.
func (g *Graph) Temper(name string, x *Tensor, cols int, scale, floor float32) *Tensor {
	must(cols <= x.Cols && floor > 0, "%s: %d columns of %d, floor %v", name, cols, x.Cols, floor)
	return g.add(&temper{x, g.newTensor(name, x.Cols), cols, float64(scale), float64(floor)})
}

func (o *temper) kind() string      { return "temper" }
func (o *temper) inputs() []*Tensor { return []*Tensor{o.x} }
func (o *temper) out() *Tensor      { return o.y }

func (o *temper) steps(e *Exec) []step {
	return []step{{perRow, func(i, _ int) {
		copy(o.y.row(i), o.x.row(i))
		e.tier.Vec.Scale(o.y.row(i)[:o.cols], o.factor(e.rows(o.y).rows[i].pos))
	}}}
}

// Temperature returns the factor by which [Graph.Temper] multiplies the row of position p.
func Temperature(scale, floor float32, p int) float32 {
	return (&temper{scale: float64(scale), floor: float64(floor)}).factor(p)
}

func (o *temper) factor(p int) float32 {
	periods := math.Floor(float64(p+1) / o.floor) // no int: there may be too many, and CPUs differ in what comes of that
	return float32(1 + float64(o.scale*scalar.Log64(1+periods)))
}
