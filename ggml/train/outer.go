package train

import (
	"mptgo/ggml/internal/att"
	"mptgo/ggml/internal/scratch"
)

// outerPart is how many tokens of an example a chain of a gradient goes over.
const outerPart = 256

// outerColumns is how many columns of a gradient one task takes.
const outerColumns = 2 * att.GramColumns

// addOuter adds to grad, [rank, wide.Cols], the products of the first rank columns of thin with the
// columns of wide, summed over the tokens of every example: see [Engine.Backward]. The sums of the first
// scaled columns are multiplied by factor, a power of two.
func (e *Engine) addOuter(grad []float32, thin, wide Rows, rank int, examples []Example, scaled int, factor float32) {
	e.sortThin(thin, rank, examples)
	e.run((wide.Cols+outerColumns-1)/outerColumns, func(task int, s *worker) {
		o := outer{e, s, wide, rank, task * outerColumns}
		for _, x := range examples {
			o.sum(x)
			o.deliver(grad, scaled, factor)
		}
	})
}

// sortThin sorts the columns of thin: for each part of tokens, tiles of six columns, each without gaps.
func (e *Engine) sortThin(thin Rows, rank int, examples []Example) {
	height := padded(rank, att.GramRows)
	e.small = scratch.Grow(&e.small, thin.N*height)
	e.run(len(examples)*height, func(task int, _ *worker) {
		x, j := examples[task/height], task%height
		for at := 0; at < x.N; at += outerPart {
			n := min(outerPart, x.N-at)
			to := e.small[(x.From+at)*height+j*n:][:n]
			for t := range to {
				v := float32(0)
				if j < rank {
					v = thin.X[(x.From+at+t)*thin.Cols+j]
				}
				to[t] = v
			}
		}
	})
}

// outer makes the columns of a gradient from col on.
type outer struct {
	*Engine
	s    *worker
	wide Rows
	rank int
	col  int
}

// sum sets the worker's tiles, [rank][outerColumns], to what an example contributes.
func (o *outer) sum(x Example) {
	height := padded(o.rank, att.GramRows)
	sums := scratch.Grow(&o.s.tiles, height*outerColumns)
	clear(sums)
	var part [att.GramRows * outerColumns]float32
	for at := 0; at < x.N; at += outerPart {
		n := min(outerPart, x.N-at)
		b := o.columns(x.From+at, n)
		for k := 0; k < height; k += att.GramRows {
			thin := o.small[(x.From+at)*height+k*n:][:att.GramRows*n]
			clear(part[:])
			o.att().AddGram(part[:], outerColumns, thin, b, outerColumns, n, outerColumns)
			o.vec().Add(sums[k*outerColumns:][:len(part)], part[:])
		}
	}
}

// deliver adds the tiles to grad; those of the first scaled columns are multiplied by factor.
func (o *outer) deliver(grad []float32, scaled int, factor float32) {
	width := min(outerColumns, o.wide.Cols-o.col)
	first := min(max(scaled-o.col, 0), width) // that is not multiplied
	for k := range o.rank {
		sums := o.s.tiles[k*outerColumns:][:width]
		o.vec().Scale(sums[:first], factor)
		o.vec().Add(grad[k*o.wide.Cols+o.col:][:width], sums)
	}
}

// columns returns the columns of n rows from row i on, without what lies between them and filled up with
// zeros: rows a power of two apart would share a few places of the caches, for every tile anew.
func (o *outer) columns(i, n int) []float32 {
	b := scratch.Grow(&o.s.b, n*outerColumns)
	width := min(outerColumns, o.wide.Cols-o.col)
	if width < outerColumns {
		clear(b)
	}
	for t := range n {
		copy(b[t*outerColumns:][:width], o.wide.Row(i + t)[o.col:])
	}
	return b
}

// padded returns n rounded up to a multiple of m.
func padded(n, m int) int { return (n + m - 1) / m * m }
