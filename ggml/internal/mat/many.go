package mat

import (
	"unsafe"

	"mptgo/ggml/internal/act"
	"mptgo/ggml/internal/scratch"
	"mptgo/gguf"
)

// manyKernels multiply panels with many rows of activations, those of [act.Tile].
type manyKernels struct {
	// multiply adds the products of n blocks of two panels, next bytes apart, with groups
	// of rows of activations to rows of y, which hold the results of two strips. The tiles
	// of a group lie lda bytes after those of the one before; buf has manyBuffer bytes. Now
	// and then it fetches lines at ahead, and moves ahead by step.
	multiply manyFunc

	// signed makes the codes of a panel signed: n blocks of size bytes with a zero point.
	signed func(panel *byte, n, size, zero int)
	zero   int
}

type manyFunc = func(y *float32, panel *byte, next, n int, a *byte, lda, groups int, buf *byte, ahead uintptr, step int)

const (
	// manyStrips is how many strips meet some rows of activations before the next rows: from
	// the third-level cache these would come too slowly for two.
	manyStrips = 2 * packedStrips

	// manyNear is how many rows of activations may stay in the second-level cache.
	manyNear = 256

	// manyBytes is how large a panel may be: it is read from the second-level cache, once for
	// 32 rows of activations.
	manyBytes = 128 << 10

	// manyGroups is how many groups of rows of activations are given to a kernel at a time.
	// A goroutine in it cannot be stopped: with the largest panel it takes 40 to 70 us.
	manyGroups = 4

	// manyLeft is the number of rows in a last group that is not whole from which on the
	// kernels for many rows are faster.
	manyLeft = 7

	// manyBuffer is what sums over blocks take, and cache lines.
	manyBuffer, line = 16 << 10, 64
)

// TaskRows returns how many rows of a matrix are best computed in one call for n rows of
// activations, PackedBatch or more, and if possible not more than most.
func (k *Kernels) TaskRows(typ gguf.Type, n, most int) int {
	const few, many = packedStrips * StripRows, manyStrips * StripRows
	if isBlock(typ) && k.block[typ] != nil && k.block[typ].many != nil && n >= manyNear && most >= many {
		return many
	}
	return few
}

// manyRows returns for how many of the rows of activations, from the first on, the kernels
// for many are used, and how many groups these are. Where they are all rows and the last
// group is not whole, it begins before the end of the one before. One row is never left: the
// other kernels want two.
func (p *product) manyRows(k *blockKernels) (rows, groups int) {
	if tile, _ := p.a.Tiles(0, 0); k.many == nil || tile == nil || p.n < act.TiledRows {
		return 0, 0
	}
	groups = p.n / act.TileRows
	left := p.n % act.TileRows
	switch {
	case p.n == p.a.N && (left == 1 || left >= manyLeft):
		return p.n, groups + 1
	case left == 1:
		groups--
	}
	return groups * act.TileRows, groups
}

// sumsRow returns which row of the running sums belongs to a row of activations.
func (t *packedTiles) sumsRow(i int) int {
	if whole := t.many / act.TileRows * act.TileRows; i >= whole && i < t.many {
		return i - t.many + t.groups*act.TileRows
	}
	return i
}

// multiplyMany adds the products of the panels with the rows of activations for which there
// are groups.
func (t *packedTiles) multiplyMany(b, n int) {
	if t.groups == 0 {
		return
	}
	many := t.k.many
	for j := range t.strips {
		if many.zero != 0 {
			many.signed(&t.panels[j*t.panel], n, t.k.Bytes, many.zero)
		}
	}
	buf := scratch.Grow(&t.s.tiles, manyBuffer+line)
	buf = buf[-uintptr(unsafe.Pointer(&buf[0]))%line:]
	for g := 0; g < t.groups; g += manyGroups {
		groups := min(manyGroups, t.groups-g)
		a, lda := t.a.Tiles(g, b)
		for j := 0; j < t.strips; j += packedStrips {
			next := t.panel
			if j+1 == t.strips {
				next = 0 // what comes of it is not used
			}
			y := &t.sums[(j/packedStrips*t.rows+g*act.TileRows)*packedStrips*StripRows]
			ahead := t.ahead.Next((groups + 1) / 2 * n)
			many.multiply(y, &t.panels[j*t.panel], next, n, a, lda, groups, &buf[0], ahead, t.ahead.Step)
		}
	}
}
