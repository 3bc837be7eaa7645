package mat

import (
	"fmt"

	"mptgo/ggml/internal/scratch"
)

// transposedPart is how many rows of weights one chain of [Kernels.AddTransposed] goes over.
const transposedPart = 256

// transposedRow is how far apart rows of gradients are in scratch: where a matrix has a power of two as its
// number of rows, they would fall on the same places of a cache as they lie.
const transposedRow = transposedPart + 16

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
	t := transposed{k: k, product: product{w: *w, row: row, s: s, n: n}, c0: c0, c1: c1}
	sums := scratch.Grow(&s.out, t.strips()*n*StripRows)
	t.eachSum(dx, ldx, sums, func(sum, dx []float32) { copy(sum, dx) })
	for r0 := 0; r0 < w.Rows; r0 += transposedPart {
		t.unpack(r0, min(r0+transposedPart, w.Rows))
		for first := 0; first < n; first += chainRows {
			t.add(sums[first*StripRows:], dy[first*ldy+r0:], ldy, min(chainRows, n-first))
		}
	}
	t.eachSum(dx, ldx, sums, func(sum, dx []float32) { copy(dx, sum) })
}

// transposed is a call of [Kernels.AddTransposed]. The scratch panel holds some rows of the columns:
// [strips][rows][StripRows], with a gap after each strip.
type transposed struct {
	product
	k      *Kernels
	c0, c1 int
	rows   int
}

// eachSum calls f for the results of a row in every strip, and their place in dx.
func (t *transposed) eachSum(dx []float32, ldx int, sums []float32, f func(sum, dx []float32)) {
	for i := range t.n {
		row := dx[i*ldx+t.c0 : i*ldx+t.c1]
		for strip := range t.strips() {
			f(sums[(strip*t.n+i)*StripRows:][:StripRows], row[strip*StripRows:min((strip+1)*StripRows, len(row))])
		}
	}
}

func (t *transposed) strips() int { return (t.c1 - t.c0 + StripRows - 1) / StripRows }

// unpack sets the panel to rows r0 to r1.
func (t *transposed) unpack(r0, r1 int) {
	t.rows = r1 - r0
	panel := scratch.Grow(&t.s.floatPanel, t.strips()*t.strip())
	if n := t.c1 - t.c0; n%StripRows != 0 {
		clear(panel[n/StripRows*t.strip():])
	}
	for r := r0; r < r1; r++ {
		t.decodeColumns(t.k.float, panel[(r-r0)*StripRows:], t.strip(), r, t.c0, t.c1)
	}
}

// strip returns how far apart strips are in the panel: an odd number of cache lines, so that the pieces of a
// row do not all fall on the same place of a cache.
func (t *transposed) strip() int { return (t.rows | 1) * StripRows }

// add adds the products of the panel with n rows of dy to rows of sums: [strips][all rows][StripRows].
func (t *transposed) add(sums, dy []float32, ldy, n int) {
	x := scratch.Grow(&t.s.gradients, n*transposedRow)
	for i := range n {
		copy(x[i*transposedRow:], dy[i*ldy:][:t.rows])
	}
	c := chains{ldy: StripRows, w: &Panels{data: t.s.floatPanel}, cols: t.rows, x: x, ldx: transposedRow, n: n, sum: true}
	for i := range t.strips() {
		c.y, c.at = sums[i*t.n*StripRows:], i*t.strip()
		c.run(t.k.float)
	}
}
