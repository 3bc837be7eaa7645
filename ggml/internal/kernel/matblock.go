package kernel

import (
	"encoding/binary"
	"math"

	"mptgo/gguf"
)

// unpacked is 32 consecutive weights of a row in the terms of the definition:
// weight k is d*s[k/16]*q[k] + m.
type unpacked struct {
	q    [32]int16 // codes less the zero point
	s    [2]int32  // scales within a larger block, 1 where there is none
	d, m float32
}

// blockType says what the blocks of a type mean. With it a type is complete,
// if slow; [blockKernels] make it fast.
type blockType struct {
	min    bool                                 // has m
	unpack func(u *unpacked, row []byte, b int) // sets u to the b-th 32 weights of row
}

// blockTypes is indexed by gguf.Type. A new type is a new file and a row here.
var blockTypes = [...]*blockType{
	gguf.Q4_0: &blockQ4_0,
	gguf.Q4_1: &blockQ4_1,
	gguf.Q5_0: &blockQ5_0,
	gguf.Q5_1: &blockQ5_1,
	gguf.Q8_0: &blockQ8_0,
	gguf.Q6_K: &blockQ6_K,
}

// multiplyGeneric defines the product with block weights.
func (p *product) multiplyGeneric() {
	t := blockTypes[p.w.Type]
	u := &p.s.unpacked
	for r := p.r0; r < p.r1; r++ {
		for i := range p.n {
			p.y[i*p.ldy+r] = 0
		}
		row := p.rowData(r)
		for b := range p.a.K / actBlockLen {
			t.unpack(u, row, b)
			for i := range p.n {
				acc := &p.y[i*p.ldy+r]
				*acc = u.add(*acc, &p.a.row(i)[b], t.min)
			}
		}
	}
}

// add returns acc plus the dot product of u and a.
func (u *unpacked) add(acc float32, a *actBlock, min bool) float32 {
	var s0, s1 int32
	for k := range 16 {
		s0 += int32(u.q[k]) * int32(a.Q[k])
		s1 += int32(u.q[k+16]) * int32(a.Q[k+16])
	}
	// At most 2*128*16*32*127 < 1<<24: the conversion is exact.
	acc = FMA(float32(u.d*a.D), float32(u.s[0]*s0+u.s[1]*s1), acc)
	if min {
		acc = FMA(u.m, a.S, acc)
	}
	return acc
}

// decode sets dst to the values of a row, each rounded as the format says. It
// works in u.
func (t *blockType) decode(dst []float32, row []byte, u *unpacked) {
	for b := range len(dst) / 32 {
		t.unpack(u, row, b)
		part := (*[32]float32)(dst[b*32:])
		for k, q := range u.q {
			v := float32(float32(u.d*float32(u.s[k/16])) * float32(q))
			if t.min {
				v += u.m
			}
			part[k] = v
		}
	}
}

// float16 returns the binary16 number at the start of b.
func float16(b []byte) float32 {
	h := uint32(binary.LittleEndian.Uint16(b))
	sign, rest := h>>15<<31, h&0x7fff
	switch {
	case rest >= 0x7c00: // infinity, NaN
		return math.Float32frombits(sign | infBits | rest<<13)
	case rest >= 0x0400:
		return math.Float32frombits(sign | (rest<<13 + (127-15)<<23))
	}
	v := float32(rest) / (1 << 24)
	return math.Float32frombits(sign | math.Float32bits(v))
}
