package ggml

import (
	"fmt"

	"mptgo/ggml/internal/att"
)

// Sums are what [Exec.SumInputs] adds the inputs of a product to.
type Sums struct {
	Squares []float64 // of each column
	// Products is nil, or holds Run sums for each column: of the products of
	// its input with those of the columns from itself to the end of its run,
	// where groups of Run columns follow each other.
	Products []float32
	Run      int
}

// SumInputs makes all products of later runs add up the squares of their inputs, and
// perhaps the products of neighbouring columns, in the order of the rows. Sums is
// asked before each product, with its matrix and how many rows of input there are;
// without squares nothing is added. Nil ends it.
//
// Results do not depend on the number of workers or on how rows are spread over
// batches: a column belongs to one task.
func (e *Exec) SumInputs(sums func(w *Matrix, rows int) Sums) { e.sums = sums }

// How many columns a task adds up.
const (
	squareColumns  = 64
	productColumns = att.GramRows
)

// sumInputs adds the input of a product.
func (e *Exec) sumInputs(o *matMul) error {
	s := e.sums(o.w, e.rows(o.x).n)
	if s.Squares == nil {
		return nil
	}
	cols := o.x.Cols
	if len(s.Squares) != cols {
		return fmt.Errorf("ggml: %s: %d sums for %d columns", o.w.Name, len(s.Squares), cols)
	}
	err := e.pool.Run((cols+squareColumns-1)/squareColumns, func(task, _ int) {
		e.sumSquares(o.x, s.Squares, task*squareColumns)
	})
	if err != nil || s.Products == nil {
		return err
	}
	if len(s.Products) != cols*s.Run {
		return fmt.Errorf("ggml: %s: %d sums of products for %d columns", o.w.Name, len(s.Products), cols)
	}
	return e.pool.Run((cols+productColumns-1)/productColumns, func(task, worker int) {
		e.sumProducts(o.x, s, task*productColumns, worker)
	})
}

// sumSquares adds the squares of some columns from the given one on.
func (e *Exec) sumSquares(x *Tensor, sum []float64, from int) {
	to := min(from+squareColumns, len(sum))
	for i := range e.rows(x).n {
		for j, v := range x.row(i)[from:to] {
			sum[from+j] += float64(float64(v) * float64(v))
		}
	}
}

// sumProducts adds the products of some columns from the given one on, each with the
// rest of its run, as tiles of columns from the start of the run. Tiles across the
// diagonal or the end, of the run or of the columns, are added to aside.
func (e *Exec) sumProducts(x *Tensor, s Sums, from, worker int) {
	to := min(from+att.GramRows, x.Cols)
	k, n := &e.scratch[worker].gram, e.rows(x).n
	for at := from / s.Run * s.Run; at < to; at += s.Run {
		// More than one run only if its columns are fewer than a tile has rows.
		first, last, end := max(from, at), min(to, at+s.Run), min(at+s.Run, x.Cols)
		for row := 0; row < n; row += gramBatch {
			g := gramPart{k, x, s, at, end, first, last, row, min(gramBatch, n-row)}
			g.gather()
			for col := at + (first-at)/att.GramColumns*att.GramColumns; col < end; col += att.GramColumns {
				g.tile(&e.tier.Att, col)
			}
		}
	}
}

// gramBatch is how many rows are added at a time: few enough for the tiles' inputs to
// stay in the nearest caches.
const gramBatch = 128

// gramScratch is the memory of one worker.
type gramScratch struct {
	a [att.GramRows * gramBatch]float32       // columns, each without gaps
	b [gramBatch * att.GramColumns]float32    // rows of a tile at an end
	c [att.GramRows * att.GramColumns]float32 // its sums
}

// gramPart is what is added at a time: products of the columns first to before last of
// the run from at to before end, over n rows of x from row on.
type gramPart struct {
	*gramScratch
	x                    *Tensor
	s                    Sums
	at, end, first, last int
	row, n               int
}

// gather copies the columns.
func (g *gramPart) gather() {
	for t := range g.n {
		row := g.x.row(g.row + t)
		for j := g.first; j < g.last; j++ {
			g.a[(j-g.first)*g.n+t] = row[j]
		}
	}
}

// tile adds to the tile of sums that begins with column col.
func (g *gramPart) tile(k *att.Kernels, col int) {
	a := g.a[:att.GramRows*g.n]
	if col >= g.last && col+att.GramColumns <= g.end && g.last-g.first == att.GramRows {
		c := g.s.Products[g.first*g.s.Run+col-g.at:][:(att.GramRows-1)*g.s.Run+att.GramColumns]
		b := g.x.x[g.row*g.x.Cols+col:][:(g.n-1)*g.x.Cols+att.GramColumns]
		k.AddGram(c, g.s.Run, a, b, g.x.Cols, g.n, att.GramColumns)
		return
	}
	width := min(att.GramColumns, g.end-col)
	for i := range g.n {
		copy(g.b[i*att.GramColumns:], g.x.row(g.row + i)[col:col+width])
	}
	sums := func(j int) []float32 { return g.s.Products[j*g.s.Run+col-g.at:][:width] }
	for j := g.first; j < g.last; j++ {
		copy(g.c[(j-g.first)*att.GramColumns:], sums(j))
	}
	k.AddGram(g.c[:], att.GramColumns, a, g.b[:g.n*att.GramColumns], att.GramColumns, g.n, att.GramColumns)
	for j := g.first; j < g.last; j++ {
		skip := min(max(j-col, 0), width)
		copy(sums(j)[skip:], g.c[(j-g.first)*att.GramColumns+skip:][:width-skip])
	}
}
