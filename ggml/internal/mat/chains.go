package mat

import (
	"fmt"
	"unsafe"

	"mptgo/ggml/internal/scalar"
	"mptgo/ggml/internal/scratch"
)

// Panels is a matrix of float32, Rows x Cols, in strips of [StripRows] rows that are
// sorted by columns: what a thin matrix, as low-rank adapters have, is multiplied by
// fast with any number of rows of activations. Rows that fill up the last strip are
// zero.
//
// A product with Panels is one chain of fused multiply-adds,
//
//	sum = fma(w[r][c], x[c], sum)
//
// over the columns c in increasing order, starting from +0. Long rows are to be
// multiplied in parts, as [Kernels.SetChains] allows, and the parts to be added.
type Panels struct {
	Rows, Cols int
	data       []float32 // [strips][Cols][StripRows]
}

// NewPanels returns a matrix of zeros.
func NewPanels(rows, cols int) *Panels {
	p := &Panels{Rows: rows, Cols: cols}
	p.data = make([]float32, p.Strips()*cols*StripRows)
	return p
}

// Strips returns the number of strips.
func (p *Panels) Strips() int { return (p.Rows + StripRows - 1) / StripRows }

// SetRow sets row r to the values v.
func (p *Panels) SetRow(r int, v []float32) {
	if r < 0 || r >= p.Rows || len(v) != p.Cols {
		panic(fmt.Sprintf("mat: row %d of %d values in panels of %d x %d", r, len(v), p.Rows, p.Cols))
	}
	strip := p.strip(r/StripRows, 0)
	for c, x := range v {
		strip[c*StripRows+r%StripRows] = x
	}
}

// SetColumn sets column c to the values v, one for each row.
func (p *Panels) SetColumn(c int, v []float32) {
	if c < 0 || c >= p.Cols || len(v) != p.Rows {
		panic(fmt.Sprintf("mat: column %d of %d values in panels of %d x %d", c, len(v), p.Rows, p.Cols))
	}
	for s := range p.Strips() {
		copy(p.strip(s, c)[:StripRows], v[s*StripRows:])
	}
}

// strip returns the values of a strip from column c on.
func (p *Panels) strip(s, c int) []float32 { return p.data[(s*p.Cols+c)*StripRows:] }

// SetChains sets y[i*ldy+r] to the sum over the columns c in [c0, c1) of row r of a
// strip of w, r in [0, StripRows), with x[i*ldx+c], for i in [0, n).
func (k *Kernels) SetChains(y []float32, ldy int, w *Panels, strip, c0, c1 int, x []float32, ldx, n int) {
	if n == 0 {
		return
	}
	checkChains(w, c0, c1, x, ldx, n)
	if strip < 0 || strip >= w.Strips() || ldy < StripRows || len(y) < (n-1)*ldy+StripRows {
		panic(fmt.Sprintf("mat: strip %d of %d into %d rows of %d", strip, w.Strips(), n, ldy))
	}
	c := chains{y: y, ldy: ldy, panel: w.strip(strip, c0), cols: c1 - c0, x: x[c0:], ldx: ldx, n: n}
	c.run(k.float)
}

// AddChains adds to y[i*ldy+r] the product of row r of w with x[i*ldx:], for r in
// [r0, r1), of which r0 is a multiple of StripRows, and i in [0, n).
func (k *Kernels) AddChains(y []float32, ldy int, w *Panels, r0, r1 int, x []float32, ldx, n int, s *Scratch) {
	if n == 0 || r0 == r1 {
		return
	}
	checkChains(w, 0, w.Cols, x, ldx, n)
	if r0 < 0 || r0%StripRows != 0 || r1 < r0 || r1 > w.Rows || ldy < r1 || len(y) < (n-1)*ldy+r1 {
		panic(fmt.Sprintf("mat: rows %d to %d of %d, %d results of %d rows of %d", r0, r1, w.Rows, len(y), n, ldy))
	}
	for first := 0; first < n; first += chainRows {
		rows := min(chainRows, n-first)
		for r := r0; r < r1; {
			end := min(r+max(1, chainRows*4/rows)*StripRows, r1)
			k.addStrips(y[first*ldy:], ldy, w, r, end, x[first*ldx:], ldx, rows, s)
			r = end
		}
	}
}

// chainRows is how many rows of activations a strip is multiplied with at a time: four
// strips of their results, 24 KB, stay in a first-level cache until they are added.
const chainRows = 96

// addStrips is AddChains for as many strips as go through scratch.
func (k *Kernels) addStrips(y []float32, ldy int, w *Panels, r0, r1 int, x []float32, ldx, n int, s *Scratch) {
	width := (r1 - r0 + StripRows - 1) / StripRows * StripRows
	out := scratch.Grow(&s.out, n*width)
	c := chains{ldy: width, cols: w.Cols, x: x, ldx: ldx, n: n}
	for r := r0; r < r1; r += StripRows {
		c.y, c.panel = out[r-r0:], w.strip(r/StripRows, 0)
		c.run(k.float)
	}
	for i := range n {
		k.vec.Add(y[i*ldy+r0:i*ldy+r1], out[i*width:i*width+r1-r0])
	}
}

func checkChains(w *Panels, c0, c1 int, x []float32, ldx, n int) {
	if c0 < 0 || c1 < c0 || c1 > w.Cols || ldx < c1 || len(x) < (n-1)*ldx+c1 {
		panic(fmt.Sprintf("mat: columns %d to %d of %d, %d activations of %d rows of %d", c0, c1, w.Cols, len(x), n, ldx))
	}
}

// chains is a strip, of which panel holds cols columns, on its way through n rows of x.
type chains struct {
	y     []float32
	ldy   int
	panel []float32
	cols  int
	x     []float32
	ldx   int
	n     int
	sum   bool // add to y, whose rows have no gaps
}

// run sets rows of StripRows results to the chains, or if they are sums adds the chains.
func (c *chains) run(k *floatKernels) {
	if k == nil || c.cols == 0 {
		c.generic()
		return
	}
	levels := 0
	if c.sum {
		levels = 1
	}
	for at := 0; at < c.n; {
		height, tiles := k.next(c.n - at)
		y := &c.y[at*c.ldy]
		k.tile[height](y, 4*c.ldy, y, 0, levels, &c.panel[0], c.cols, &c.x[at*c.ldx], 4*c.ldx,
			tiles, uintptr(unsafe.Pointer(&c.panel[0])), 0)
		at += height * tiles
	}
}

// generic defines run.
func (c *chains) generic() {
	for i := range c.n {
		for r := range StripRows {
			var sum float32
			for k := range c.cols {
				sum = scalar.FMA(c.panel[k*StripRows+r], c.x[i*c.ldx+k], sum)
			}
			if c.sum {
				sum += c.y[i*c.ldy+r]
			}
			c.y[i*c.ldy+r] = sum
		}
	}
}

// Values returns all values in an order that is the same for equal matrices.
func (p *Panels) Values() []float32 { return p.data }
