package train

import (
	"mptgo/ggml/internal/att"
	"mptgo/ggml/internal/scratch"
)

// outerPart is how many tokens of an example a chain of a gradient goes over.
const outerPart = 256

// tile is a tile of sums, [att.GramRows][att.GramColumns].
type tile [att.GramRows * att.GramColumns]float32

// addOuter adds to grad, [rank, wide.Cols], the products of the first rank columns of thin with the
// columns of wide, summed over the tokens of every example: see [Engine.Backward]. The sums of the first
// scaled columns are multiplied by factor, a power of two.
func (e *Engine) addOuter(grad []float32, thin, wide Rows, rank int, examples []Example, scaled int, factor float32) {
	e.sortThin(thin, rank, examples)
	e.run((wide.Cols+att.GramColumns-1)/att.GramColumns, func(task int, s *worker) {
		o := outer{e, s, grad, wide, rank, task * att.GramColumns, factor}
		if scaled <= o.col {
			o.factor = 1
		}
		for k := 0; k < rank; k += att.GramRows {
			for _, x := range examples {
				o.add(k, x, scaled)
			}
		}
	})
}

// sortThin sorts the columns of thin: for each part of tokens, tiles of six columns, each without gaps.
func (e *Engine) sortThin(thin Rows, rank int, examples []Example) {
	height := padded(rank, att.GramRows)
	e.small = scratch.Grow(&e.small, thin.N*height)
	e.run(len(examples), func(task int, _ *worker) {
		x := examples[task]
		for at := 0; at < x.N; at += outerPart {
			n := min(outerPart, x.N-at)
			to := e.small[(x.From+at)*height:][:n*height]
			for j := range height {
				for t := range n {
					v := float32(0)
					if j < rank {
						v = thin.X[(x.From+at+t)*thin.Cols+j]
					}
					to[j*n+t] = v
				}
			}
		}
	})
}

// outer adds to the columns of a gradient from col on.
type outer struct {
	*Engine
	s      *worker
	grad   []float32
	wide   Rows
	rank   int
	col    int
	factor float32
}

// add adds what an example contributes to six rows from row k on.
func (o *outer) add(k int, x Example, scaled int) {
	var sum, part tile
	height, width := padded(o.rank, att.GramRows), min(att.GramColumns, o.wide.Cols-o.col)
	for at := 0; at < x.N; at += outerPart {
		n := min(outerPart, x.N-at)
		thin := o.small[(x.From+at)*height+k*n:][:att.GramRows*n]
		clear(part[:])
		b, ldb := o.columns(x.From+at, n)
		o.att().AddGram(part[:], att.GramColumns, thin, b, ldb, n)
		for i, v := range part {
			sum[i] += v
		}
	}
	for i := range min(att.GramRows, o.rank-k) {
		row := o.grad[(k+i)*o.wide.Cols+o.col:][:width]
		for j, v := range sum[i*att.GramColumns:][:width] {
			if o.col+j < scaled {
				v *= o.factor
			}
			row[j] += v
		}
	}
}

// columns returns sixteen columns of n rows from row i on and how far apart these are.
func (o *outer) columns(i, n int) ([]float32, int) {
	if o.col+att.GramColumns <= o.wide.Cols {
		return o.wide.X[i*o.wide.Cols+o.col:][:(n-1)*o.wide.Cols+att.GramColumns], o.wide.Cols
	}
	b := scratch.Grow(&o.s.b, n*att.GramColumns)
	clear(b)
	for t := range n {
		copy(b[t*att.GramColumns:][:att.GramColumns], o.wide.Row(i + t)[o.col:])
	}
	return b, att.GramColumns
}

// padded returns n rounded up to a multiple of m.
func padded(n, m int) int { return (n + m - 1) / m * m }
