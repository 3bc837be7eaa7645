package mat

import (
	"fmt"
	"unsafe"

	"mptgo/ggml/internal/scalar"
	"mptgo/ggml/internal/scratch"
)

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
	c := chains{y: y, ldy: ldy, w: w, at: (strip*w.Cols + c0) * StripRows, cols: c1 - c0, x: x[c0:], ldx: ldx, n: n}
	c.run(k.float)
}

// SetParts sets y[j*ldy+r] to the sum over part j of the columns of row r of a strip of w, r in
// [0, StripRows), with one row of activations: the columns from c0 to c1 are cut into parts of so
// many, the last of which may be shorter.
func (k *Kernels) SetParts(y []float32, ldy int, w *Panels, strip, c0, c1, part int, x []float32) {
	checkChains(w, c0, c1, x, len(x), 1)
	count, whole := (c1-c0+part-1)/part, (c1-c0)/part
	if strip < 0 || strip >= w.Strips() || ldy < StripRows || count > 0 && len(y) < (count-1)*ldy+StripRows {
		panic(fmt.Sprintf("mat: strip %d of %d into %d parts, %d apart", strip, w.Strips(), count, ldy))
	}
	if k.float == nil {
		whole = 0
	}
	if whole > 0 {
		k.float.types[w.typ].thin(&y[0], 4*ldy, 0, w.first((strip*w.Cols+c0)*StripRows),
			part*StripRows*w.size(), part, &x[c0], 4*part, whole)
	}
	for j := whole; j < count; j++ {
		k.SetChains(y[j*ldy:], ldy, w, strip, c0+j*part, min(c0+(j+1)*part, c1), x, len(x), 1)
	}
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
	if n == 1 && k.float != nil && w.Cols > 0 {
		r0 = k.addThin(y, w, r0, r1, x)
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

// addThin is AddChains for one row of activations and whole strips. It returns the row that is next.
func (k *Kernels) addThin(y []float32, w *Panels, r0, r1 int, x []float32) int {
	strips := (r1 - r0) / StripRows
	if strips > 0 {
		k.float.types[w.typ].thin(&y[r0], 4*StripRows, 1, w.first(r0*w.Cols), w.Cols*StripRows*w.size(), w.Cols, &x[0], 0, strips)
	}
	return r0 + strips*StripRows
}

// chainRows is how many rows of activations a strip is multiplied with at a time: four
// strips of their results, 24 KB, stay in a first-level cache until they are added.
const chainRows = 96

// addStrips is AddChains for as many strips as go through scratch.
func (k *Kernels) addStrips(y []float32, ldy int, w *Panels, r0, r1 int, x []float32, ldx, n int, s *Scratch) {
	width := (r1 - r0 + StripRows - 1) / StripRows * StripRows
	out := scratch.Grow(&s.out, n*width)
	c := chains{ldy: width, w: w, cols: w.Cols, x: x, ldx: ldx, n: n}
	for r := r0; r < r1; r += StripRows {
		c.y, c.at = out[r-r0:], r*w.Cols
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

// chains are cols columns of a strip of w, from value at on, on their way through n rows of x.
type chains struct {
	y    []float32
	ldy  int
	w    *Panels
	at   int
	cols int
	x    []float32
	ldx  int
	n    int
	sum  bool // add to y, whose rows have no gaps
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
	tile, panel := k.types[c.w.typ].tile, c.w.first(c.at)
	for at := 0; at < c.n; {
		height, tiles := tile.next(c.n-at, 0)
		y := &c.y[at*c.ldy]
		tile[height](y, 4*c.ldy, y, 0, levels, panel, c.cols, &c.x[at*c.ldx], 4*c.ldx, tiles, uintptr(unsafe.Pointer(panel)), 0)
		at += height * tiles
	}
}

// generic defines run.
func (c *chains) generic() {
	for i := range c.n {
		for r := range StripRows {
			var sum float32
			for k := range c.cols {
				sum = scalar.FMA(c.w.value(c.at+k*StripRows+r), c.x[i*c.ldx+k], sum)
			}
			if c.sum {
				sum += c.y[i*c.ldy+r]
			}
			c.y[i*c.ldy+r] = sum
		}
	}
}
