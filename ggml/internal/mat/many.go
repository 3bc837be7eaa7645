package mat

import (
	"unsafe"

	"mptgo/ggml/internal/act"
	"mptgo/ggml/internal/scratch"
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
	// manyBytes is how large a panel may be: it is read from the second-level cache, once for
	// 32 rows of activations.
	manyBytes = 128 << 10

	// manyGroups is how many groups of rows of activations are given to a kernel at a time.
	// A goroutine in it cannot be stopped: with the largest panel it takes some 50 us.
	manyGroups = 8

	// manyLeft is the number of rows in a last group that is not whole from which on the
	// kernels for many rows are faster.
	manyLeft = 7

	// manyBuffer is what sums over blocks take, and cache lines.
	manyBuffer, line = 16 << 10, 64
)

// manyRows returns for how many of the rows of activations, from the first on, the kernels
// for many are used, and how many groups these are. Where they are all rows and the last
// group is not whole, it begins before the end of the one before.
func (p *product) manyRows(k *blockKernels) (rows, groups int) {
	if tile, _ := p.a.Tiles(0, 0); k.many == nil || tile == nil {
		return 0, 0
	}
	groups = p.n / act.TileRows
	rows = groups * act.TileRows
	if left := p.n - rows; left >= manyLeft && groups > 0 && p.n == p.a.N {
		return p.n, groups + 1
	}
	return rows, groups
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
	next := t.panel
	if t.strips == 1 {
		next = 0 // what comes of it is not used
	}
	for g := 0; g < t.groups; g += manyGroups {
		groups := min(manyGroups, t.groups-g)
		a, lda := t.a.Tiles(g, b)
		y := &t.sums[g*act.TileRows*packedStrips*StripRows]
		steps := (groups + 1) / 2 * n
		many.multiply(y, &t.panels[0], next, n, a, lda, groups, &buf[0], t.ahead.Next(steps), t.ahead.Step)
	}
}
