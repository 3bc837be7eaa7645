package mat

import (
	"mptgo/ggml/internal/act"
	"mptgo/ggml/internal/scalar"
	"mptgo/gguf"
)

// unpacked is 32 consecutive weights of a row in the terms of the definition:
// weight k is d*s[k/16]*q[k] + m*z[k/16].
//
// Where a larger block has one integer scale for these 32, d is their product:
// 11 bits of a binary16 number times at most 6 bits are exact in a float32. So is
// m. Only scales for 16 stay integers, to be multiplied with exact sums.
type unpacked struct {
	q    [32]int16 // codes less the zero point
	s, z [2]int32  // scales and minima within a larger block, 1 where there are none
	d, m float32
}

// simple sets u to have one scale and no minimum, or that minimum.
func (u *unpacked) simple(d, m float32) {
	u.d, u.m, u.s, u.z = d, m, [2]int32{1, 1}, [2]int32{1, 1}
}

// blockType says what the blocks of a type mean. With it a type is complete,
// if slow; [blockKernels] make it fast.
type blockType struct {
	min    bool                                 // has m
	unpack func(u *unpacked, row []byte, b int) // sets u to the b-th 32 weights of row
}

// blockTypes is indexed by gguf.Type. A new type is a new file and a row here.
var blockTypes = [...]*blockType{
	gguf.Q4_0:    &blockQ4_0,
	gguf.Q4_1:    &blockQ4_1,
	gguf.Q5_0:    &blockQ5_0,
	gguf.Q5_1:    &blockQ5_1,
	gguf.Q8_0:    &blockQ8_0,
	gguf.Q2_K:    &blockQ2_K,
	gguf.Q3_K:    &blockQ3_K,
	gguf.Q4_K:    &blockQ4_K,
	gguf.Q5_K:    &blockQ5_K,
	gguf.Q6_K:    &blockQ6_K,
	gguf.IQ2_XXS: &blockIQ2_XXS,
	gguf.IQ2_XS:  &blockIQ2_XS,
	gguf.IQ3_XXS: &blockIQ3_XXS,
	gguf.IQ1_S:   &blockIQ1_S,
	gguf.IQ4_NL:  &blockIQ4_NL,
	gguf.IQ3_S:   &blockIQ3_S,
	gguf.IQ2_S:   &blockIQ2_S,
	gguf.IQ4_XS:  &blockIQ4_XS,
	gguf.IQ1_M:   &blockIQ1_M,
	gguf.TQ1_0:   &blockTQ1_0,
	gguf.TQ2_0:   &blockTQ2_0,
	gguf.MXFP4:   &blockMXFP4,
}

// blockSizes are the bytes of a block, by gguf.Type.
var blockSizes = func() (sizes [len(blockTypes)]int) {
	for typ, t := range blockTypes {
		if t != nil {
			_, sizes[typ] = gguf.Type(typ).Block()
		}
	}
	return sizes
}()

// multiplyGeneric defines the product with block weights.
func (p *product) multiplyGeneric() {
	t := blockTypes[p.w.Type]
	u := &p.s.unpacked
	for r := p.r0; r < p.r1; r++ {
		for i := range p.n {
			p.y[i*p.ldy+r] = 0
		}
		row := p.rowData(r)
		for b := range p.a.K / act.BlockLen {
			t.unpack(u, row, b)
			for i := range p.n {
				acc := &p.y[i*p.ldy+r]
				*acc = u.add(*acc, &p.a.Row(i)[b], t.min)
			}
		}
	}
}

// add returns acc plus the dot product of u and a.
func (u *unpacked) add(acc float32, a *act.Block, min bool) float32 {
	var s0, s1 int32
	for k := range 16 {
		s0 += int32(u.q[k]) * int32(a.Q[k])
		s1 += int32(u.q[k+16]) * int32(a.Q[k+16])
	}
	// At most 2*128*16*32*127 < 1<<24: the conversion is exact.
	acc = scalar.FMA(float32(u.d*a.D), float32(u.s[0]*s0+u.s[1]*s1), acc)
	if min {
		// Where z is 1, this is a.S.
		sum := float32(u.z[0]*int32(a.Half[0]) + u.z[1]*int32(a.Half[1]))
		acc = scalar.FMA(u.m, float32(a.D*sum), acc)
	}
	return acc
}

// decode sets dst to the values of a row, each rounded as the format says. It
// works in u.
func (t *blockType) decode(dst []float32, row []byte, u *unpacked) {
	for b := range len(dst) / 32 {
		t.decodeBlock((*[32]float32)(dst[b*32:]), row, b, u)
	}
}

// decodeBlock sets part to the b-th 32 values of a row.
func (t *blockType) decodeBlock(part *[32]float32, row []byte, b int, u *unpacked) {
	t.unpack(u, row, b)
	for half := range 2 {
		q, to := u.q[16*half:][:16], part[16*half:][:16]
		scale, least := float32(u.d*float32(u.s[half])), float32(u.m*float32(u.z[half]))
		if t.min {
			for k, v := range q {
				to[k] = float32(scale*float32(v)) + least
			}
			continue
		}
		for k, v := range q {
			to[k] = scale * float32(v)
		}
	}
}
