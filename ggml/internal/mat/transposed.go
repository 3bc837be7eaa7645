package mat

import (
	"fmt"

	"mptgo/ggml/internal/scratch"
)

// transposedPart is how many rows of weights one chain of [Kernels.AddTransposed] goes over.
const transposedPart = 256

// transposedStrips is how many strips of results go through scratch together.
const transposedStrips = 4

// AddTransposed adds to dx[i*ldx+c] the product of column c of w with dy[i*ldy:], which has w.Rows
// values, for c in [c0, c1) and i in [0, n): what a gradient becomes on its way back through a product
// with w. c0 is a multiple of 32, and c1 one or the end of a row. Weights are decoded to float32.
//
// A result is made in parts of 256 rows: in a part one chain of fused multiply-adds,
//
//	sum = fma(w[r][c], dy[i][r], sum)
//
// over the rows r in increasing order, starting from +0; the parts are added to dx in order. So it does
// not depend on n. Different ranges of columns may be computed at the same time, each with its own scratch.
func (k *Kernels) AddTransposed(dx []float32, ldx int, w *Weights, dy []float32, ldy, n, c0, c1 int, s *Scratch) {
	row, err := w.Type.RowBytes(w.Cols)
	if err != nil || !Supported(w.Type) || len(w.Data) < w.Rows*row {
		panic(fmt.Sprintf("mat: %d bytes are not %d rows of %d values of %v", len(w.Data), w.Rows, w.Cols, w.Type))
	}
	if c0 < 0 || c0%32 != 0 || c1 < c0 || c1 > w.Cols || c1 < w.Cols && c1%32 != 0 {
		panic(fmt.Sprintf("mat: columns %d to %d of %d", c0, c1, w.Cols))
	}
	if n == 0 || c0 == c1 || w.Rows == 0 {
		return
	}
	if ldx < c1 || ldy < w.Rows || len(dx) < (n-1)*ldx+c1 || len(dy) < (n-1)*ldy+w.Rows {
		panic(fmt.Sprintf("mat: %d and %d values for %d rows, %d and %d apart", len(dx), len(dy), n, ldx, ldy))
	}
	t := transposed{k: k, product: product{w: *w, row: row, s: s}, c0: c0, c1: c1}
	for r0 := 0; r0 < w.Rows; r0 += transposedPart {
		t.unpack(r0, min(r0+transposedPart, w.Rows))
		for first := 0; first < n; first += chainRows {
			t.add(dx[first*ldx:], ldx, dy[first*ldy+r0:], ldy, min(chainRows, n-first))
		}
	}
}

// transposed is a call of [Kernels.AddTransposed]. The scratch panel holds some rows of the columns:
// [strips][rows][StripRows].
type transposed struct {
	product
	k      *Kernels
	c0, c1 int
	rows   int
}

func (t *transposed) strips() int { return (t.c1 - t.c0 + StripRows - 1) / StripRows }

// unpack sets the panel to rows r0 to r1.
func (t *transposed) unpack(r0, r1 int) {
	t.rows = r1 - r0
	strip := t.rows * StripRows
	panel := scratch.Grow(&t.s.floatPanel, t.strips()*strip)
	if n := t.c1 - t.c0; n%StripRows != 0 {
		clear(panel[n/StripRows*strip:])
	}
	for r := r0; r < r1; r++ {
		at := panel[(r-r0)*StripRows:]
		if isFloat(t.w.Type) {
			t.unpackFloats(at, strip, r)
		} else {
			t.unpackBlocks(at, strip, r)
		}
	}
}

// unpackFloats sets a row of the panel, whose strips are strip values apart, to row r.
func (t *transposed) unpackFloats(panel []float32, strip, r int) {
	size := t.row / t.w.Cols
	values := scratch.Grow(&t.s.row, t.c1-t.c0)
	floatTypes[t.w.Type](values, t.rowData(r)[t.c0*size:t.c1*size])
	for i := 0; len(values) > 0; i++ {
		values = values[copy(panel[i*strip:][:StripRows], values):]
	}
}

// unpackBlocks does the same for weights of a block type.
func (t *transposed) unpackBlocks(panel []float32, strip, r int) {
	var values [32]float32
	data, typ := t.rowData(r), blockTypes[t.w.Type]
	for b := t.c0 / 32; b < t.c1/32; b++ {
		typ.decodeBlock(&values, data, b, &t.s.unpacked)
		at := panel[(b*32-t.c0)/StripRows*strip:]
		*(*[StripRows]float32)(at) = [StripRows]float32(values[:StripRows])
		*(*[StripRows]float32)(at[strip:]) = [StripRows]float32(values[StripRows:])
	}
}

// add adds the products of the panel with n rows of dy.
func (t *transposed) add(dx []float32, ldx int, dy []float32, ldy, n int) {
	panels := &Panels{data: t.s.floatPanel}
	c := chains{w: panels, cols: t.rows, x: dy, ldx: ldy, n: n}
	for first := 0; first < t.strips(); first += transposedStrips {
		strips := min(transposedStrips, t.strips()-first)
		c.ldy = strips * StripRows
		out := scratch.Grow(&t.s.out, n*c.ldy)
		for i := range strips {
			c.y, c.at = out[i*StripRows:], (first+i)*t.rows*StripRows
			c.run(t.k.float)
		}
		from := t.c0 + first*StripRows
		to := min(from+c.ldy, t.c1)
		for i := range n {
			t.k.vec.Add(dx[i*ldx+from:i*ldx+to], out[i*c.ldy:][:to-from])
		}
	}
}
