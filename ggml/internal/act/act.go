// Package act makes activations ready for products: quantised in blocks, and sorted by lanes.
package act

import (
	"fmt"
	"math"
	"unsafe"

	"mptgo/ggml/internal/cpu"
	"mptgo/ggml/internal/scalar"
)

// Kernels are the kernels of a tier that make activations ready for products. Where sort is
// nil the definition runs in its place.
type Kernels struct {
	Quantize func(blocks []Block, wide []WideBlock, x []float32)

	// sort sorts 128*n values by lanes, which are lane bytes apart.
	sort func(lanes *float32, lane int, x *float32, n int)
}

var Generic = Kernels{Quantize: quantizeGeneric}

// For returns the kernels of a level: those that its name has in the table of the
// architecture. It panics if the table lacks it.
func For(l cpu.Level) Kernels {
	if k, ok := levels[l.Name]; ok {
		return k
	}
	if l.Name != "generic" {
		panic("act: no kernels of activations for the level " + l.Name)
	}
	return Generic
}

// Acts are the rows that a matrix is multiplied with: N rows of K float32, and
// for block types the same rows as int8 blocks of 32. One Acts serves all
// matrices that read the same input.
//
// The memory of the quantised form is given by [Acts.Place] and filled row by
// row by [Kernels.QuantizeRow].
type Acts struct {
	N, K int
	X    []float32 // [N][K]

	blocks []Block     // [N][Stride(K)], K/32 of each row in use
	wide   []WideBlock // likewise
	tiles  []Tile      // for each [TileRows] rows K/32 tiles, if this CPU has kernels that read them

	lanes []float32 // [16][N][K/16], with a gap after each lane
}

// Block is a quantised block as the kernels read it. Assembly knows the
// offsets of the fields.
type Block struct {
	Q     [BlockLen]int8
	D     float32  // scale
	S     float32  // D * float32(sum of Q)
	Zero8 float32  // 8 * sum of Q
	Half  [2]int16 // sums of Q[:16] and Q[16:]
}

// WideBlock is the same block for kernels that multiply 16-bit integers.
type WideBlock struct {
	Q [BlockLen]int16
	D float32
}

const (
	BlockLen      = 32
	BlockSize     = int(unsafe.Sizeof(Block{}))
	WideBlockSize = int(unsafe.Sizeof(WideBlock{}))
)

// Stride returns how many blocks a row of k values is from the next. A tile
// reads many rows side by side: a multiple of 4 KB apart, all of them would
// share the same few lines of the first-level cache.
func Stride(k int) int {
	n := k / BlockLen
	if n > 0 && n*BlockSize%2048 == 0 {
		n++
	}
	return n
}

// BlocksBytes returns the memory that [Acts.Place] needs for n rows of k values:
// 0 if k does not divide into blocks, since then no block type has such rows.
func BlocksBytes(n, k int) int {
	if k%BlockLen != 0 {
		return 0
	}
	return n*Stride(k)*(BlockSize+WideBlockSize) + TilesBytes(n, k)
}

// Place puts the quantised form of a into mem, which holds at least
// [BlocksBytes] bytes, begins at a multiple of 4 and is used for nothing else.
func (a *Acts) Place(mem []byte) {
	n := a.N * Stride(a.K)
	if need := BlocksBytes(a.N, a.K); len(mem) < need {
		panic(fmt.Sprintf("act: %d bytes for quantised rows that take %d", len(mem), need))
	}
	if a.K%BlockLen != 0 || a.N*a.K == 0 {
		a.blocks, a.wide, a.tiles = nil, nil, nil
		return
	}
	if uintptr(unsafe.Pointer(&mem[0]))%unsafe.Alignof(Block{}) != 0 {
		panic("act: quantised rows at an odd address")
	}
	a.blocks = unsafe.Slice((*Block)(unsafe.Pointer(&mem[0])), n)
	a.wide = unsafe.Slice((*WideBlock)(unsafe.Pointer(&mem[n*BlockSize])), n)
	a.placeTiles(mem[n*(BlockSize+WideBlockSize):])
}

// row returns the blocks of row i.
func (a *Acts) Row(i int) []Block {
	return a.blocks[i*Stride(a.K):][:a.K/BlockLen]
}

// wideRow returns the wide blocks of row i.
func (a *Acts) wideRow(i int) []WideBlock {
	return a.wide[i*Stride(a.K):][:a.K/BlockLen]
}

// quantisedBlocks returns how many blocks there is memory for.
func (a *Acts) QuantisedBlocks() int { return len(a.blocks) }

// address returns where block b of row i is.
func (a *Acts) Address(i, b int, wide bool) *byte {
	b += i * Stride(a.K)
	if wide {
		return (*byte)(unsafe.Pointer(&a.wide[b]))
	}
	return (*byte)(unsafe.Pointer(&a.blocks[b]))
}

// QuantizeRow makes the quantised form of row i from X, for products with n rows,
// of which there may be fewer than a has room for. K must be a multiple of
// 32 and [Acts.Place] must have been called. Different rows may be quantised at
// the same time.
func (k *Kernels) QuantizeRow(a *Acts, i, n int) {
	x := a.X[i*a.K : (i+1)*a.K]
	blocks, wide := a.Row(i), a.wideRow(i)
	if len(blocks)*BlockLen != len(x) {
		panic(fmt.Sprintf("act: a row of %d values does not divide into blocks of %d", len(x), BlockLen))
	}
	if len(blocks) > 0 {
		k.Quantize(blocks, wide, x)
		a.fillTiles(i, n)
	}
}

// quantizeGeneric defines [Kernels.QuantizeRow].
func quantizeGeneric(blocks []Block, wide []WideBlock, x []float32) {
	for i := range blocks {
		b := &blocks[i]
		b.quantize((*[BlockLen]float32)(x[i*BlockLen:]))
		wide[i].D = b.D
		for k, q := range b.Q {
			wide[i].Q[k] = int16(q)
		}
	}
}

// quantize sets b to x. Where 127/a overflows, a being the largest magnitude
// and below 4e-37, the block counts as zero.
func (b *Block) quantize(x *[BlockLen]float32) {
	var top uint32 // magnitudes order like their bits
	for _, v := range x {
		top = max(top, math.Float32bits(v)&^(1<<31))
	}
	a := math.Float32frombits(top)
	inv := 127 / a
	*b = Block{}
	if top >= scalar.InfBits {
		b.D = float32(math.NaN())
		b.S = b.D
		return
	}
	if math.IsInf(float64(inv), 0) {
		return
	}
	b.D = a / 127
	for k, v := range x {
		q := int16(math.RoundToEven(float64(v * inv)))
		b.Q[k] = int8(q)
		b.Half[k/16] += q
	}
	sum := float32(b.Half[0]) + float32(b.Half[1])
	b.S = b.D * sum
	b.Zero8 = 8 * sum
}
