package mat

import (
	"cmp"
	"unsafe"

	"mptgo/ggml/internal/act"
	"mptgo/ggml/internal/cpu"
	"mptgo/ggml/internal/scratch"
)

// blockKernels are the fast kernels of a block type. A strip is a number of
// rows, stride bytes apart; n counts blocks of 32 columns, even where the
// blocks of the type are longer.
type blockKernels struct {
	// stream sets y[0..7] to the products of a strip of eight rows, as they lie
	// in the file, with a row of activations. For each block it fetches some
	// cache lines at ahead, an address that need not exist, and moves ahead by
	// step.
	stream streamFunc

	// pack unpacks a strip of eight rows into its half of a panel of
	// StripRows: the other half is 32 bytes further on. It fetches like stream.
	pack func(panel, w *byte, stride, n int, ahead uintptr, step int)

	// few, if it is set, sets y[i*ldy..][0..15] to the products of a strip of sixteen rows, as they
	// lie in the file, with row i of 2 to fewRows rows of activations. It fetches like stream.
	few fewFunc

	panel          // what pack makes
	panelBytes int // the bytes of a whole panel at most, if not panelBytes

	many *manyKernels // for many rows of activations, nil if there are none

	// expand, if it is set, makes the blocks that stream and pack read instead of
	// those of the file.
	expand expandFunc
}

type streamFunc = func(y *float32, w *byte, stride, n int, a *byte, ahead uintptr, step int)

type fewFunc = func(y *float32, ldy int, w *byte, stride, n int, a *byte, lda, rows int, ahead uintptr, step int)

// fewRows is how many rows of activations a kernel for a few takes at most, and mostFew up to how many
// rows such kernels are used.
const fewRows, mostFew = 16, 32

// panel is a kind of panel and its tiles. The packages of architectures have the same type.
type panel struct {
	Bytes int  // for 32 columns
	Wide  bool // tiles read wide blocks

	// Tiles[n] adds the products of a panel with n rows of activations, lda bytes
	// apart, to rows of y, ldy bytes apart. It fetches like stream.
	Tiles []tileFunc
}

type tileFunc = func(y *float32, ldy int, panel *byte, n int, a *byte, lda int, ahead uintptr, step int)

// rows returns how many rows of activations a tile takes at most.
func (p *panel) rows() int { return len(p.Tiles) - 1 }

// superBlock is the largest number of 32-column blocks in a block of any type.
// A row is split between multiples of it only.
const superBlock = 8

// packedStrips is how many strips meet a few rows of activations before the
// next rows: activations may come from afar.
const packedStrips = 2

const (
	// panelBytes is how large a panel may be, unless the kernels say otherwise:
	// with the activations of a tile it should stay in a first-level cache of 32 KB.
	panelBytes = 24 << 10

	// With at most someRows rows of activations, filling panels takes most of the time:
	// those that are filled together should stay in the first-level cache, whatever the
	// kernels say.
	someRows      = 64
	someRowsBytes = 10 << 10

	// wideBatch is PackedBatch where weights are unpacked to 16 bits, which takes longer.
	wideBatch = 4
)

// block computes the product with block weights.
func (p *product) block(k *blockKernels) {
	switch {
	case k == nil || p.a.K == 0:
		p.multiplyGeneric()
	case p.n < PackedBatch || k.Wide && p.n < wideBatch:
		p.streamed(k)
	case k.few != nil && p.n <= mostFew && (k.many == nil || p.n < act.TiledRows):
		p.together(k)
	default:
		p.packed(k)
	}
}

// streamed reads the rows in the order of the file, once for the batch: a strip
// stays in the cache until all rows of activations have met it. Meanwhile the
// next strip is fetched.
func (p *product) streamed(k *blockKernels) {
	const height = StripRows / 2
	blocks := p.a.K / act.BlockLen
	for r := p.r0; r < p.r1; r += height {
		w, row := p.strip(r, height), p.row
		if k.expand != nil {
			w, row = p.expanded(k.expand, w, height, blocks)
		}
		y, ldy := p.target(r, height)
		ahead := p.fetch(r, height, p.n*blocks)
		for i := range p.n {
			k.stream(&y[i*ldy], &w[0], row, blocks, p.a.Address(i, 0, false), ahead.Next(blocks), ahead.Step)
		}
		p.deliver(r, height)
	}
}

// together reads the rows in the order of the file, and multiplies each strip with several rows of
// activations at a time.
func (p *product) together(k *blockKernels) {
	blocks, lda := p.a.K/act.BlockLen, act.Stride(p.a.K)*act.BlockSize
	calls := (p.n + fewRows - 1) / fewRows
	for r := p.r0; r < p.r1; r += StripRows {
		w := p.strip(r, StripRows)
		y, ldy := p.target(r, StripRows)
		ahead := p.fetch(r, StripRows, calls*blocks)
		for i := range calls {
			from, to := i*p.n/calls, (i+1)*p.n/calls
			k.few(&y[from*ldy], 4*ldy, &w[0], p.row, blocks, p.a.Address(from, 0, false), lda, to-from,
				ahead.Next(blocks), ahead.Step)
		}
		p.deliver(r, StripRows)
	}
}

// packed unpacks a few strips, as many columns at a time as the caches hold, and
// multiplies all rows of activations with them, while the next strips are
// fetched.
func (p *product) packed(k *blockKernels) {
	blocks := p.a.K / act.BlockLen
	t := packedTiles{product: *p, k: k}
	t.many, t.groups = p.manyRows(k)
	strips := packedStrips
	if t.groups > 0 {
		strips = manyStrips
	}
	height := strips * StripRows
	part := partBlocks(blocks, p.n, t.many, k)
	t.panel = part * k.Bytes
	t.panels = scratch.Grow(&p.s.panel, strips*t.panel)
	t.rows = max(p.n, t.groups*act.TileRows)
	t.sums = scratch.Grow(&p.s.out, t.rows*height)
	calls := (p.n-t.many+k.rows()-1)/k.rows() + (t.groups+3)/4
	for r := p.r0; r < p.r1; r += height {
		clear(t.sums)
		t.strips = (min(height, p.r1-r) + StripRows - 1) / StripRows
		t.ahead = p.fetch(r, height, t.strips*(2+calls)*blocks)
		for b := 0; b < blocks; b += part {
			n := min(part, blocks-b)
			for j := range t.strips {
				t.pack(j, r+j*StripRows, b, n)
			}
			t.multiply(b, n)
		}
		t.finish(r)
	}
}

// packedTiles are the panels of a few strips and what comes of them. The
// running sums of all rows of activations lie side by side: the rows of the
// results may be so far apart that they would share a few lines of the caches.
type packedTiles struct {
	product // a copy: kernels are called through variables, so what they are given counts as escaping
	k       *blockKernels
	strips  int
	panels  []byte
	panel   int       // bytes from one panel to the next
	sums    []float32 // [strips/packedStrips][rows][packedStrips][StripRows]
	rows    int       // of activations, those that are there twice included
	many    int       // rows that are left to the kernels for many
	groups  int       // and how many groups they make
	ahead   cpu.Fetch
}

// pack unpacks n blocks, from block b on, of the rows from row r on into panel j.
func (t *packedTiles) pack(j, r, b, n int) {
	w, row := t.strip(r, StripRows)[t.row*b/(t.a.K/act.BlockLen):], t.row
	if t.k.expand != nil {
		w, row = t.expanded(t.k.expand, w, StripRows, n)
	}
	panel := t.panels[j*t.panel:]
	t.k.pack(&panel[0], &w[0], row, n, t.ahead.Next(n), t.ahead.Step)
	t.k.pack(&panel[32], &w[StripRows/2*row], row, n, t.ahead.Next(n), t.ahead.Step)
}

// multiply adds the products of the panels, which are n blocks from block b on,
// with all rows of activations to the sums.
func (t *packedTiles) multiply(b, n int) {
	const ldy = packedStrips * StripRows
	lda := act.Stride(t.a.K) * act.BlockSize
	if t.k.Wide {
		lda = act.Stride(t.a.K) * act.WideBlockSize
	}
	for i := t.many; i < t.n; {
		rows := t.k.balance(t.n - i)
		a := t.a.Address(i, b, t.k.Wide)
		for j := range t.strips {
			y := &t.sums[(j/packedStrips*t.rows+i)*ldy+j%packedStrips*StripRows]
			panel := &t.panels[j*t.panel]
			t.k.Tiles[rows](y, 4*ldy, panel, n, a, lda, t.ahead.Next(n), t.ahead.Step)
		}
		i += rows
	}
	t.multiplyMany(b, n)
}

// finish brings the sums of the strips from row r on to their places.
func (t *packedTiles) finish(r int) {
	const height = packedStrips * StripRows
	for from := range (t.strips + packedStrips - 1) / packedStrips {
		at := r + from*height
		for i := range t.n {
			copy(t.y[i*t.ldy+at:i*t.ldy+t.r1], t.sums[(from*t.rows+t.sumsRow(i))*height:][:height])
		}
	}
}

// fetch returns a walk, in the given number of steps, through as many rows as a
// strip has, behind the strip of height rows from row r on.
func (p *product) fetch(r, height, steps int) cpu.Fetch {
	data := uintptr(unsafe.Pointer(unsafe.SliceData(p.w.Data)))
	strip := height * p.row
	ahead := (cpu.FetchAhead + strip - 1) / strip * strip
	return cpu.Fetch{At: data + uintptr(r*p.row+ahead), Step: strip / max(steps, 1)}
}

// partBlocks returns how many of a row's blocks go into a panel at a time for n rows of
// activations, so many of them for kernels for many.
func partBlocks(blocks, n, many int, k *blockKernels) int {
	most := cmp.Or(k.panelBytes, panelBytes)
	switch {
	case many > 0:
		most = manyBytes
	case n <= someRows:
		most = someRowsBytes
	}
	parts := (blocks*k.Bytes + most - 1) / most
	part := (blocks + parts - 1) / parts
	return (part + superBlock - 1) / superBlock * superBlock
}

// balance returns the height of the next tile if left rows are left, two or more: with tiles of
// 2, 3 and 4 rows, 7 are 4 and 3, 9 are 3 and 3 and 3. There are as few tiles as the heights
// allow, and none of a single row.
func (p *panel) balance(left int) int {
	for tiles := (left + p.rows() - 1) / p.rows(); ; tiles++ {
		for h := (left + tiles - 1) / tiles; h <= min(left, p.rows()); h++ {
			if p.Tiles[h] != nil && left-h != 1 {
				return h
			}
		}
	}
}

// strip returns the bytes of the weights from row r on: at least height rows.
// If less than that are to be computed, it returns a copy with anything in the
// rows after them.
func (p *product) strip(r, height int) []byte {
	if r+height <= p.r1 {
		return p.w.Data[r*p.row:]
	}
	padded := scratch.Grow(&p.s.padded, height*p.row)
	copy(padded, p.w.Data[r*p.row:p.r1*p.row])
	return padded
}

// target returns where the results of a strip go: row i begins at y[i*ldy].
// That is the final place, or if less than height rows are to be computed
// scratch, see deliver.
func (p *product) target(r, height int) (y []float32, ldy int) {
	if r+height <= p.r1 {
		return p.y[r:], p.ldy
	}
	return scratch.Grow(&p.s.out, p.n*height), height
}

// deliver brings results from scratch to their place.
func (p *product) deliver(r, height int) {
	if r+height <= p.r1 {
		return
	}
	for i := range p.n {
		copy(p.y[i*p.ldy+r:i*p.ldy+p.r1], p.s.out[i*height:])
	}
}
