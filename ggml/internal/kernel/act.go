package kernel

import (
	"fmt"
	"math"
	"unsafe"
)

// Acts are the rows that a matrix is multiplied with: N rows of K float32, and
// for block types the same rows as int8 blocks of 32. One Acts serves all
// matrices that read the same input.
//
// The memory of the quantised form is given by [Acts.Place] and filled row by
// row by [Tier.QuantizeRow].
type Acts struct {
	N, K int
	X    []float32 // [N][K]

	blocks []actBlock  // [N][actStride(K)], K/32 of each row in use
	wide   []wideBlock // likewise

	lanes []float32 // [16][N][K/16], with a gap after each lane
}

// actBlock is a quantised block as the kernels read it. Assembly knows the
// offsets of the fields.
type actBlock struct {
	Q     [actBlockLen]int8
	D     float32  // scale
	S     float32  // D * float32(sum of Q)
	Zero8 float32  // 8 * sum of Q
	Half  [2]int16 // sums of Q[:16] and Q[16:]
}

// wideBlock is the same block for kernels that multiply 16-bit integers.
type wideBlock struct {
	Q [actBlockLen]int16
	D float32
}

const (
	actBlockLen   = 32
	actBlockSize  = int(unsafe.Sizeof(actBlock{}))
	wideBlockSize = int(unsafe.Sizeof(wideBlock{}))
)

// actStride returns how many blocks a row of k values is from the next. A tile
// reads many rows side by side: a multiple of 4 KB apart, all of them would
// share the same few lines of the first-level cache.
func actStride(k int) int {
	n := k / actBlockLen
	if n > 0 && n*actBlockSize%2048 == 0 {
		n++
	}
	return n
}

// ActsBytes returns the memory that [Acts.Place] needs for n rows of k values:
// 0 if k does not divide into blocks, since then no block type has such rows.
func ActsBytes(n, k int) int {
	if k%actBlockLen != 0 {
		return 0
	}
	return n * actStride(k) * (actBlockSize + wideBlockSize)
}

// Place puts the quantised form of a into mem, which holds at least
// [ActsBytes] bytes, begins at a multiple of 4 and is used for nothing else.
func (a *Acts) Place(mem []byte) {
	n := a.N * actStride(a.K)
	if need := ActsBytes(a.N, a.K); len(mem) < need {
		panic(fmt.Sprintf("kernel: %d bytes for quantised rows that take %d", len(mem), need))
	}
	if a.K%actBlockLen != 0 || a.N*a.K == 0 {
		a.blocks, a.wide = nil, nil
		return
	}
	if uintptr(unsafe.Pointer(&mem[0]))%unsafe.Alignof(actBlock{}) != 0 {
		panic("kernel: quantised rows at an odd address")
	}
	a.blocks = unsafe.Slice((*actBlock)(unsafe.Pointer(&mem[0])), n)
	a.wide = unsafe.Slice((*wideBlock)(unsafe.Pointer(&mem[n*actBlockSize])), n)
}

// row returns the blocks of row i.
func (a *Acts) row(i int) []actBlock {
	return a.blocks[i*actStride(a.K):][:a.K/actBlockLen]
}

// wideRow returns the wide blocks of row i.
func (a *Acts) wideRow(i int) []wideBlock {
	return a.wide[i*actStride(a.K):][:a.K/actBlockLen]
}

// QuantizeRow makes the quantised form of row i from X. K must be a multiple of
// 32 and [Acts.Place] must have been called. Different rows may be quantised at
// the same time.
func (t *Tier) QuantizeRow(a *Acts, i int) {
	x := a.X[i*a.K : (i+1)*a.K]
	blocks, wide := a.row(i), a.wideRow(i)
	if len(blocks)*actBlockLen != len(x) {
		panic(fmt.Sprintf("kernel: a row of %d values does not divide into blocks of %d", len(x), actBlockLen))
	}
	if len(blocks) > 0 {
		t.mat.quantize(blocks, wide, x)
	}
}

// quantizeGeneric defines [Tier.QuantizeRow].
func quantizeGeneric(blocks []actBlock, wide []wideBlock, x []float32) {
	for i := range blocks {
		b := &blocks[i]
		b.quantize((*[actBlockLen]float32)(x[i*actBlockLen:]))
		wide[i].D = b.D
		for k, q := range b.Q {
			wide[i].Q[k] = int16(q)
		}
	}
}

// quantize sets b to x. Where 127/a overflows, a being the largest magnitude
// and below 4e-37, the block counts as zero.
func (b *actBlock) quantize(x *[actBlockLen]float32) {
	var top uint32 // magnitudes order like their bits
	for _, v := range x {
		top = max(top, math.Float32bits(v)&^(1<<31))
	}
	a := math.Float32frombits(top)
	inv := 127 / a
	*b = actBlock{}
	if top >= infBits {
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

// infBits are the bits of +Inf: larger ones, without the sign, are NaNs.
const infBits = 0x7f800000
