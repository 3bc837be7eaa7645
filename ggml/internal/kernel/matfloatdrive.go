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

	// tile adds the products of a panel with 2 to floatTileRows rows of
	// activations, ldx bytes apart, to the lanes of each. It fetches like dot.
	tile [floatTileRows + 1]floatTileFunc

	// fold ends the products of n rows of activations: it sets four results in
	// each of n rows of y, ldy bytes apart.
	fold func(y *float32, ldy int, lanes *float32, n int)
}

type floatTileFunc = func(lanes, panel *float32, n int, x *float32, ldx int, ahead uintptr, step int)

// floatTypeKernels are those that read the weights as they lie in the file.
type floatTypeKernels struct {
	// dot adds the products of a strip with a row of activations to the lanes
	// of four results. For each step it fetches some cache lines at ahead, an
	// address that need not exist, and moves ahead by step.
	dot func(lanes *float32, w *byte, stride int, x *float32, n int, ahead uintptr, step int)

	// pack unpacks a strip into a panel: for each step lanes 0-7 of the four
	// rows, then lanes 8-15. It fetches like dot.
	pack func(panel *float32, w *byte, stride, n int, ahead uintptr, step int)
}

const (
	floatRows     = 4  // of a strip
	floatTileRows = 3  // of activations at most
	floatStrip    = 8  // rows that are unpacked together
	floatSteps    = 32 // and steps: 16 KB
	floatBatch    = 5  // activation rows from which on unpacking is faster
	floatChunk    = 96 // activation rows whose lanes are kept: 48 KB
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
	for i := 0; i < p.n; {
		part := *p
		part.y = p.y[i*p.ldy:]
		part.first, part.n = i, balance(p.n-i, floatChunk)
		for r := p.r0; r < p.r1; r += floatStrip {
			part.floatTiles(k, r)
		}
		i += part.n
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
	ahead := p.fetch(r, floatRows, p.n*steps)
	for i := range p.n {
		clear(sums)
		if steps > 0 {
			dot := k.types[p.w.Type].dot
			dot(&sums[0], &w[0], p.row, &p.a.X[i*p.a.K], steps, ahead.next(steps), ahead.step)
		}
		if rest > 0 {
			k.types[gguf.F32].dot(&sums[0], &last[0], 4*lanes, &p.s.tails[i*lanes], 1, ahead.at, 0)
		}
		k.fold(&y[i*ldy], 4*ldy, &sums[0], 1)
	}
	p.deliver(r, floatRows)
}

// floatTiles multiplies up to floatStrip rows from row r on with all rows of
// activations, while the next strip is fetched.
func (p *product) floatTiles(k *floatKernels, r int) {
	quads := (min(floatStrip, p.r1-r) + floatRows - 1) / floatRows
	t := floatTile{k: k, s: p.s, quads: quads, n: p.n}
	t.sums = grow(&p.s.lanes, quads*p.n*floatRows*lanes)
	clear(t.sums)
	steps, rest := p.a.K/lanes, p.a.K%lanes
	tiles := (p.n + floatTileRows - 1) / floatTileRows
	t.ahead = p.fetch(r, floatStrip, quads*(1+tiles)*steps)
	for step := 0; step < steps; step += floatSteps {
		t.steps = min(floatSteps, steps-step)
		for q := range quads {
			w := p.strip(r+q*floatRows, floatRows)
			t.pack(p.w.Type, q, w[p.row/p.a.K*step*lanes:], p.row)
		}
		t.multiply(p.a.X[p.first*p.a.K+step*lanes:], p.a.K)
	}
	if rest > 0 {
		t.steps = 1
		for q := range quads {
			t.pack(gguf.F32, q, p.lastColumns(p.strip(r+q*floatRows, floatRows)), 4*lanes)
		}
		t.multiply(p.s.tails[p.first*lanes:], lanes)
	}
	for q := range quads {
		y, ldy := p.target(r+q*floatRows, floatRows)
		k.fold(&y[0], 4*ldy, &t.sums[q*p.n*floatRows*lanes], p.n)
		p.deliver(r+q*floatRows, floatRows)
	}
}

// floatTile is a panel of a few strips with what belongs to it.
type floatTile struct {
	k     *floatKernels
	s     *MatScratch
	quads int       // strips of four rows
	steps int       // of 16 columns
	n     int       // rows of activations
	sums  []float32 // [quads][n][4][16]
	ahead fetch
}

// panel returns where the panel of strip q is.
func (t *floatTile) panel(q int) *float32 {
	const size = floatSteps * floatRows * lanes
	return &grow(&t.s.floatPanel, floatStrip/floatRows*size)[q*size]
}

// pack unpacks the columns at the start of w, four rows of the given type, into
// panel q.
func (t *floatTile) pack(typ gguf.Type, q int, w []byte, stride int) {
	t.k.types[typ].pack(t.panel(q), &w[0], stride, t.steps, t.ahead.next(t.steps), t.ahead.step)
}

// multiply adds the products of the panel with n rows of activations, ldx
// values apart, to the sums.
func (t *floatTile) multiply(x []float32, ldx int) {
	for i := 0; i < t.n; {
		rows := balance(t.n-i, floatTileRows)
		for q := range t.quads {
			sums := &t.sums[(q*t.n+i)*floatRows*lanes]
			t.k.tile[rows](sums, t.panel(q), t.steps, &x[i*ldx], 4*ldx, t.ahead.next(t.steps), t.ahead.step)
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
