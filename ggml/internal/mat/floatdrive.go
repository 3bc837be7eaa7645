package mat

import (
	"slices"
	"unsafe"

	"mptgo/ggml/internal/cpu"
	"mptgo/ggml/internal/scalar"
	"mptgo/ggml/internal/scratch"
	"mptgo/gguf"
)

// floatKernels are the fast kernels of float products. n counts steps of sixteen
// columns; within one lane a step is one column. The running sums of a result
// are its lanes, sixteen float32.
//
// There are two ways. For a few rows of activations, dots read four rows of
// weights as they lie in the file, and the lanes of a result lie side by side. For
// more, weights and activations are sorted by lanes, and each lane is a matrix
// product of its own, whose results are added up as [scalar.Fold] does.
type floatKernels struct {
	types [len(floatTypes)]floatTypeKernels // by gguf.Type

	// wide are tiles of float32 for panels of two strips, side by side in every column, with sums
	// of two strips. They are optional, and there need not be one of a single row.
	wide floatTiles

	near int // how far ahead dots of one or two rows of activations fetch, if not four rows of weights

	// decode are the decoders, by gguf.Type; what has none is left to the definition.
	decode [len(blockTypes)]decoder

	// fold ends the products of n rows of activations by dots: it sets four
	// results in each of n rows of y, ldy bytes apart.
	fold func(y *float32, ldy int, lanes *float32, n int)
}

type dotFunc = func(lanes *float32, w *byte, stride int, x *float32, ldx, n int, ahead uintptr, step int)

type floatTileFunc = func(y *float32, ldy int, older *float32, level, levels int, panel *byte, n int, x *float32, ldx, tiles int, ahead uintptr, step int)

// floatTypeKernels are those that read the weights as they lie in the file, or in a panel of values
// of the type.
type floatTypeKernels struct {
	// dots, by the number of rows of activations, add the products of four rows, stride
	// bytes apart, with those, ldx bytes apart, to the lanes of four results for each. For
	// each step of a row they fetch at ahead, an address that need not exist, and move ahead by
	// step. There is one for 1.
	dots []dotFunc

	// pack unpacks eight rows into their part of a panel, sorted by lanes, which are
	// lane bytes apart; columns of a lane are width bytes apart.
	pack func(panel *float32, lane int, w *byte, stride, n, width int)

	// tile, by the number of rows of activations of a tile, multiplies one lane of
	// a panel, n columns, with a number of tiles of rows, ldx bytes apart. It
	// sets sixteen results in each row of y, ldy bytes apart: the sums, plus
	// those of older lanes, of which there are a number of levels, level bytes
	// apart, each with rows of sixteen. For each column it fetches at ahead and
	// moves ahead by step.
	tile floatTiles

	// thin multiplies a number of panels of n columns, stride bytes apart, each with
	// n values of one row of activations, next bytes apart. It sets sixteen results
	// for each panel, ldy bytes apart, or adds to them if add is not 0.
	thin func(y *float32, ldy, add int, panel *byte, stride, n int, x *float32, next, count int)
}

// floatTiles are the tiles of a type by their heights; nil stands where there is none of a height.
type floatTiles []floatTileFunc

// least returns the smallest height.
func (k floatTiles) least() int {
	return slices.IndexFunc(k, func(tile floatTileFunc) bool { return tile != nil })
}

// next returns the height of the next tiles if left rows of activations are left, and how many follow each
// other. Where done rows before those may be computed once more, a last tile may be higher than what is left.
func (k floatTiles) next(left, done int) (height, tiles int) {
	switch most := len(k) - 1; {
	case left%most == 0:
		return most, left / most
	case left >= 3*most:
		return most, left/most - 2
	}
	height = k.height(left, done)
	for tiles = 1; left >= (tiles+1)*height && k.height(left-tiles*height, done+tiles*height) == height; tiles++ {
	}
	return height, tiles
}

// height returns that of the next tile: there are as few as the heights allow, and they differ little.
func (k floatTiles) height(left, done int) int {
	return balanced(left, left+done, len(k)-1, func(h int) bool { return k[h] != nil })
}

// balanced returns a height of which as few make left rows as can be: one that there is, of at most limit and
// most rows.
func balanced(left, limit, most int, is func(h int) bool) int {
	for tiles := (left + most - 1) / most; ; tiles++ {
		for h := (left + tiles - 1) / tiles; h <= min(limit, most); h++ {
			if is(h) {
				return h
			}
		}
	}
}

// tiles returns how many tiles n rows of activations are, if rows may be computed twice.
func (k floatTiles) tiles(n int) (all int) {
	for at := 0; at < n; {
		height, tiles := k.next(n-at, at)
		at += height * tiles
		all += tiles
	}
	return all
}

const (
	floatRows   = 4  // of weights that dot reads together
	floatStrips = 2  // that are unpacked together
	floatChunk  = 98 // activation rows whose sums are kept at most: 25 KB for a strip
	packSteps   = 16 // that a call of pack takes: a few lines of each lane

	// dotsBatch is LanesBatch where dots take several rows of activations.
	dotsBatch = 24
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
	row := scratch.Grow(&p.s.row, floatStrips*StripRows*cols)
	for r := p.r0; r < p.r1; r += floatStrips * StripRows {
		rows := min(floatStrips*StripRows, p.r1-r)
		for i := range rows {
			p.decodeColumns(k, row[i*cols:], StripRows, r+i, 0, cols)
		}
		part := *p
		part.w = Weights{gguf.F32, rows, cols, scratch.Bytes(row[:rows*cols])}
		part.row = 4 * cols
		part.y = p.y[r:]
		part.r0, part.r1 = 0, rows
		part.floats(k)
	}
}

// floats computes the product with weights of a float type.
func (p *product) floats(k *floatKernels) {
	if p.n < LanesBatch || p.n < dotsBatch && len(k.types[p.w.Type].dots) > 2 {
		p.padTails()
		for r := p.r0; r < p.r1; r += floatRows {
			p.dots(k, r)
		}
		return
	}
	for r := p.r0; r < p.r1; r += floatStrips * StripRows {
		p.laned(k, r)
	}
}

// dots multiplies four rows from row r on, as they lie in the file, with all
// rows of activations.
func (p *product) dots(k *floatKernels, r int) {
	w := p.strip(r, floatRows)
	y, ldy := p.target(r, floatRows)
	sums := scratch.Grow(&p.s.lanes, p.n*floatRows*scalar.Lanes)
	clear(sums)
	steps, rest := p.a.K/scalar.Lanes, p.a.K%scalar.Lanes
	last := p.lastColumns(w, floatRows)
	dots := k.types[p.w.Type].dots
	ahead := p.fetchDots(k, r, floatRows*steps*groups(dots, p.n))
	for i := 0; i < p.n && steps > 0; {
		height := dotHeight(dots, p.n-i)
		dots[height](&sums[i*floatRows*scalar.Lanes], &w[0], p.row, &p.a.X[i*p.a.K], 4*p.a.K, steps,
			ahead.Next(floatRows*steps), ahead.Step)
		i += height
	}
	for i := 0; i < p.n && rest > 0; i++ {
		k.types[gguf.F32].dots[1](&sums[i*floatRows*scalar.Lanes], &last[0], 4*scalar.Lanes, &p.s.tails[i*scalar.Lanes], 0, 1,
			ahead.At, 0)
	}
	k.fold(&y[0], 4*ldy, &sums[0], p.n)
	p.deliver(r, floatRows)
}

// dotHeight returns how many of n rows of activations the next call of dots takes.
func dotHeight(dots []dotFunc, n int) int {
	return balanced(n, n, len(dots)-1, func(h int) bool { return dots[h] != nil })
}

// groups returns how many calls of dots n rows of activations take.
func groups(dots []dotFunc, n int) (count int) {
	for ; n > 0; count++ {
		n -= dotHeight(dots, n)
	}
	return count
}

// fetchDots returns a walk, in the given number of steps, through the rows behind those from row r on. It goes
// to the first-level cache, so not further ahead than it has to: memory is read in the order in which it
// lies there, and what of it is needed first is the beginning of the last row.
func (p *product) fetchDots(k *floatKernels, r, steps int) cpu.Fetch {
	data, ahead := uintptr(unsafe.Pointer(unsafe.SliceData(p.w.Data))), floatRows*p.row
	if p.n <= 2 && k.near > 0 {
		ahead = k.near
	}
	return cpu.Fetch{At: data + uintptr(r*p.row+ahead), Step: floatRows * p.row / max(steps, 1)}
}

// padTails copies the last columns of the activations, if they do not fill 16
// lanes, and fills up with zeros.
func (p *product) padTails() {
	cols, rest := p.a.K, p.a.K%scalar.Lanes
	if rest == 0 {
		return
	}
	tails := scratch.Grow(&p.s.tails, p.n*scalar.Lanes)
	clear(tails)
	for i := range p.n {
		copy(tails[i*scalar.Lanes:], p.a.X[(i+1)*cols-rest:(i+1)*cols])
	}
}

// lastColumns decodes the columns of a strip that do not fill 16 lanes and
// fills up with zeros. It returns nil if there are none.
func (p *product) lastColumns(w []byte, height int) []byte {
	cols, rest := p.a.K, p.a.K%scalar.Lanes
	if rest == 0 {
		return nil
	}
	last := scratch.Grow(&p.s.last, height*scalar.Lanes)
	clear(last)
	for i := range height {
		end := w[i*p.row : (i+1)*p.row]
		floatTypes[p.w.Type](last[i*scalar.Lanes:][:rest], end[p.row/cols*(cols-rest):])
	}
	return scratch.Bytes(last)
}
