package kernel

import (
	"unsafe"

	"mptgo/gguf"
)

// floatKernels are the fast kernels of float products. A strip is four rows,
// stride bytes apart; n counts steps of sixteen columns. The running sums of a
// result are its lanes, sixteen float32; those of the four rows of a strip lie
// side by side.
type floatKernels struct {
	types [len(floatTypes)]floatTypeKernels // by gguf.Type

	// tile adds the products of a panel with 1 to len(tile) rows of
	// activations, ldx bytes apart, to the lanes of each.
	tile [3]floatTileFunc

	// fold ends the products of n rows of activations: it sets four results in
	// each of n rows of y, ldy bytes apart.
	fold func(y *float32, ldy int, lanes *float32, n int)
}

type floatTileFunc = func(lanes, panel *float32, n int, x *float32, ldx int)

// floatTypeKernels are those that read the weights as they lie in the file.
type floatTypeKernels struct {
	// dot adds the products of a strip with a row of activations to the lanes
	// of four results. Soon what lies ahead bytes further on will be read.
	dot func(lanes *float32, w *byte, stride int, x *float32, n int, ahead int)

	// pack unpacks a strip into a panel: for each step lanes 0-7 of the four
	// rows, then lanes 8-15.
	pack func(panel *float32, w *byte, stride, n int)
}

const (
	floatRows  = 4  // of a strip
	floatStrip = 8  // rows that are unpacked together
	floatSteps = 32 // and steps: 16 KB
	floatBatch = 6  // activation rows from which on unpacking is faster
	floatChunk = 96 // activation rows whose lanes are kept: 48 KB
)

// float computes the product with float weights, or decoded ones.
func (p *product) float(k *floatKernels) {
	switch {
	case k == nil || p.a.K == 0:
		p.dotGeneric()
	case isBlock(p.w.Type):
		p.decoded(k)
	default:
		p.floats(k)
	}
}

// decoded decodes a few rows of block weights at a time, for exact mode.
func (p *product) decoded(k *floatKernels) {
	cols := p.a.K
	row := grow(&p.s.row, floatStrip*cols)
	for r := p.r0; r < p.r1; r += floatStrip {
		rows := min(floatStrip, p.r1-r)
		for i := range rows {
			p.decode(row[i*cols:(i+1)*cols], r+i)
		}
		part := *p
		part.w = Weights{gguf.F32, rows, cols, floatBytes(row[:rows*cols])}
		part.row = 4 * cols
		part.y = p.y[r:]
		part.r0, part.r1 = 0, rows
		part.floats(k)
	}
}

// floatBytes returns the memory of x as bytes.
func floatBytes(x []float32) []byte {
	return unsafe.Slice((*byte)(unsafe.Pointer(&x[0])), 4*len(x))
}

// floats computes the product with weights of a float type.
func (p *product) floats(k *floatKernels) {
	p.padTails()
	if p.n < floatBatch {
		for r := p.r0; r < p.r1; r += floatRows {
			p.dots(k, r)
		}
		return
	}
	for first := 0; first < p.n; first += floatChunk {
		for r := p.r0; r < p.r1; r += floatStrip {
			p.floatTiles(k, r, first, min(floatChunk, p.n-first))
		}
	}
}

// dots multiplies four rows from row r on, as they lie in the file, with all
// rows of activations.
func (p *product) dots(k *floatKernels, r int) {
	w := p.strip(r, floatRows)
	y, ldy := p.target(r, floatRows)
	sums := grow(&p.s.lanes, floatRows*lanes)
	steps, rest := p.a.K/lanes, p.a.K%lanes
	last := p.lastColumns(w)
	for i := range p.n {
		clear(sums)
		if steps > 0 {
			dot := k.types[p.w.Type].dot
			dot(&sums[0], &w[0], p.row, &p.a.X[i*p.a.K], steps, floatRows*p.row)
		}
		if rest > 0 {
			k.types[gguf.F32].dot(&sums[0], &last[0], 4*lanes, &p.s.tails[i*lanes], 1, 0)
		}
		k.fold(&y[i*ldy], 4*ldy, &sums[0], 1)
	}
	p.deliver(r, floatRows)
}

// floatTiles multiplies up to floatStrip rows from row r on with n rows of
// activations from row first on.
func (p *product) floatTiles(k *floatKernels, r, first, n int) {
	quads := (min(floatStrip, p.r1-r) + floatRows - 1) / floatRows
	sums := grow(&p.s.lanes, quads*n*floatRows*lanes)
	clear(sums)
	steps, rest := p.a.K/lanes, p.a.K%lanes
	for step := 0; step < steps; step += floatSteps {
		t := floatTile{k: k, quads: quads, steps: min(floatSteps, steps-step), sums: sums, n: n}
		for q := range quads {
			w := p.strip(r+q*floatRows, floatRows)
			k.types[p.w.Type].pack(t.panel(p.s, q), &w[p.row/p.a.K*step*lanes], p.row, t.steps)
		}
		t.x, t.ldx = p.a.X[first*p.a.K+step*lanes:], p.a.K
		t.run(p.s)
	}
	if rest > 0 {
		t := floatTile{k: k, quads: quads, steps: 1, sums: sums, n: n}
		for q := range quads {
			last := p.lastColumns(p.strip(r+q*floatRows, floatRows))
			k.types[gguf.F32].pack(t.panel(p.s, q), &last[0], 4*lanes, 1)
		}
		t.x, t.ldx = p.s.tails[first*lanes:], lanes
		t.run(p.s)
	}
	for q := range quads {
		y, ldy := p.target(r+q*floatRows, floatRows)
		k.fold(&y[first*ldy], 4*ldy, &sums[q*n*floatRows*lanes], n)
		p.deliver(r+q*floatRows, floatRows)
	}
}

// floatTile is a panel of a few strips with the activations and lanes that
// belong to it.
type floatTile struct {
	k     *floatKernels
	quads int // strips of four rows
	steps int // of 16 columns
	n     int // rows of activations
	x     []float32
	ldx   int
	sums  []float32 // [quads][n][4][16]
}

// panel returns where the panel of strip q is.
func (t *floatTile) panel(s *MatScratch, q int) *float32 {
	const size = floatSteps * floatRows * lanes
	return &grow(&s.floatPanel, floatStrip/floatRows*size)[q*size]
}

// run multiplies the panel with all rows of activations.
func (t *floatTile) run(s *MatScratch) {
	for i := 0; i < t.n; {
		rows := balance(t.n-i, len(t.k.tile))
		for q := range t.quads {
			sums := &t.sums[(q*t.n+i)*floatRows*lanes]
			t.k.tile[rows-1](sums, t.panel(s, q), t.steps, &t.x[i*t.ldx], 4*t.ldx)
		}
		i += rows
	}
}

// padTails copies the last columns of the activations, if they do not fill 16
// lanes, and fills up with zeros.
func (p *product) padTails() {
	cols, rest := p.a.K, p.a.K%lanes
	if rest == 0 {
		return
	}
	tails := grow(&p.s.tails, p.n*lanes)
	clear(tails)
	for i := range p.n {
		copy(tails[i*lanes:], p.a.X[(i+1)*cols-rest:(i+1)*cols])
	}
}

// lastColumns decodes the columns of a strip that do not fill 16 lanes and
// fills up with zeros. It returns nil if there are none.
func (p *product) lastColumns(w []byte) []byte {
	cols, rest := p.a.K, p.a.K%lanes
	if rest == 0 {
		return nil
	}
	last := grow(&p.s.last, floatRows*lanes)
	clear(last)
	for i := range floatRows {
		end := w[i*p.row : (i+1)*p.row]
		floatTypes[p.w.Type](last[i*lanes:][:rest], end[p.row/cols*(cols-rest):])
	}
	return floatBytes(last)
}
