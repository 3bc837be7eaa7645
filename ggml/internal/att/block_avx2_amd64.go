//go:build !purego

package att

import (
	"mptgo/ggml/internal/cpu"
	"mptgo/gguf"
)

// scoreBlocks adds to the 32 elements of c the products of a lone query with the keys of
// a tile of a block type.
func (a *attention) scoreBlocks(c []float32, keys []byte, ahead cpu.Fetch) {
	if a.kv.KeyType == gguf.Q8_0 {
		scoreQ8(&c[0], &a.s.query[0], &keys[0], a.kv.Dim, ahead.At, ahead.Step)
	} else {
		scoreQ4(&c[0], &a.s.query[0], &keys[0], a.kv.Dim, ahead.At, 2*ahead.Step)
	}
}

// weighBlocks adds to c the first n values of a block type, each times its weight, in
// passes over some elements of them.
func (a *attention) weighBlocks(c, weights []float32, values []byte, n int, ahead cpu.Fetch) {
	typ, stride, row := a.kv.ValueType, a.kv.ValueStride(), a.kv.RowBytes()
	ahead.Step /= a.blockPasses()
	for e := 0; e < stride; {
		width, lone := a.blockWidth(stride - e)
		scales := &values[stride*cacheBits(typ)/8+e/cacheBlock*2]
		switch {
		case lone:
			a.lone.weighQ8(&c[e], &weights[0], &values[e], scales, row, n, width, ahead.Next(n), ahead.Step)
		case typ == gguf.Q8_0:
			weighQ8(&c[e], &weights[0], &values[e], scales, row, n, width, ahead.Next(n), ahead.Step)
		default:
			weighQ4(&c[e], &weights[0], &values[e/2], scales, row, n, width, ahead.Next(n), ahead.Step)
		}
		e += width
	}
}

// blockPasses returns how many passes there are over a value.
func (a *attention) blockPasses() (n int) {
	for left := a.kv.ValueStride(); left > 0; n++ {
		width, _ := a.blockWidth(left)
		left -= width
	}
	return n
}

// blockWidth returns how many of the elements left the next pass takes, and whether it is one of
// the kernel for lone queries.
func (a *attention) blockWidth(left int) (width int, lone bool) {
	lone = a.lone != nil && a.lone.weighQ8 != nil && a.kv.ValueType == gguf.Q8_0
	switch {
	case lone && left >= 128:
		return 128, true
	case lone && left == 112:
		return 112, true
	case left >= 64:
		return 64, lone
	}
	return left, false
}

// columnsQ8 sets rows rows of 32 elements to what the rows of a block of keys of Q8_0
// stand for.
//
//go:noescape
func columnsQ8(dst *float32, block *byte, rows int)

// columnsQ4 does the same for a block of Q4_0, a row of which is two of dst.
//
//go:noescape
func columnsQ4(dst *float32, block *byte, rows int)

// rowQ8 sets dst to what groups of eight codes of Q8_0 stand for; four groups have a scale.
//
//go:noescape
func rowQ8(dst *float32, codes, scales *byte, groups int)

// rowQ4 does the same for groups of sixteen codes of Q4_0, two of which have a scale.
//
//go:noescape
func rowQ4(dst *float32, codes, scales *byte, groups int)

// scoreQ8 adds to 32 elements of c the product of a, [dim], and a tile of keys. For each
// row of codes it fetches a cache line at ahead and moves ahead by step.
//
//go:noescape
func scoreQ8(c, a *float32, tile *byte, dim int, ahead uintptr, step int)

// scoreQ4 does the same for Q4_0. If dim is odd it reads an element of a more, which must
// be zero.
//
//go:noescape
func scoreQ4(c, a *float32, tile *byte, dim int, ahead uintptr, step int)

// weighQ8 adds to width elements of c, a multiple of 8 up to 64, n positions' codes times
// scale times the position's element of a. For each position it fetches a cache line.
//
//go:noescape
func weighQ8(c, a *float32, codes, scales *byte, row, n, width int, ahead uintptr, step int)

// weighQ4 does the same for Q4_0; width is a multiple of 16.
//
//go:noescape
func weighQ4(c, a *float32, codes, scales *byte, row, n, width int, ahead uintptr, step int)
