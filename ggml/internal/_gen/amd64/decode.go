package amd64

import (
	"fmt"

	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"

	"mptgo/ggml/internal/_gen/kinds"
)

// A decode kernel sets float32 values to the weights of a row, each rounded as the definition has it: the
// code times the scale, and then plus the minimum. Pieces of sixteen values are a distance apart, so that
// a row may be one of a panel whose strips are sixteen columns.

func emitDecode(g *gen) {
	for _, typ := range []string{"F32", "F16", "BF16"} {
		emitDecodeFloats(g, typ)
	}
	for _, name := range []string{"Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q8_0", "IQ4_NL"} {
		emitDecodeBlocks(g, kinds.Of(name))
	}
	emitDecodeQ4K(g, kinds.Of("Q4_K"))
	emitDecodeQ4K(g, kinds.Of("Q5_K"))
	emitDecodeQ6K(g)
	emitDecodeIQ4XS(g)
	emitDecodeExpanded(g)
}

// decode is a kernel under construction.
//
//	RDI results   RDX their distance   RSI blocks   RCX what is left of them
//	Y0, Y1 values   Y4, Y5 scales   Y6, Y7 minima
type decode struct {
	*gen
	typ kinds.Type
	min bool
}

// decodeMask is 0x0f in every byte, decodeTable what the codes of IQ4 types stand for.
var (
	decodeMask  = reg.Y15
	decodeTable = reg.Y14
)

// newDecode begins a kernel.
func newDecode(g *gen, t kinds.Type, unit string) *decode {
	name := "decode" + t.Name
	g.fn(name, "dst *float32, distance int, w *byte, n int", fmt.Sprintf(`
%s sets pieces of sixteen values, distance bytes apart, to n %s.`, name, unit))
	g.load("dst", reg.RDI)
	g.load("distance", reg.RDX)
	g.load("w", reg.RSI)
	g.load("n", reg.RCX)
	return &decode{g, t, len(t.Halves) > 1}
}

// advance moves on to the next blocks.
func (d *decode) advance(n int) { d.ADDQ(operand.U32(n), reg.RSI) }

// at addresses the block.
func (d *decode) at(offset int) operand.Mem { return operand.Mem{Base: reg.RSI, Disp: offset} }

// half fills y with copies of the binary16 number at offset. It uses AX.
func (d *decode) half(offset int, y reg.VecPhysical) {
	d.MOVWLZX(d.at(offset), reg.EAX)
	d.VMOVD(reg.EAX, y.AsX())
	d.VCVTPH2PS(y.AsX(), y.AsX())
	d.VBROADCASTSS(y.AsX(), y)
}

// piece writes sixteen values: codes is the sixteen signed bytes.
func (d *decode) piece(codes, scale, min reg.VecPhysical) {
	d.VPMOVSXBD(codes.AsX(), reg.Y0)
	d.VPSRLDQ(operand.Imm(8), codes.AsX(), reg.X1)
	d.VPMOVSXBD(reg.X1, reg.Y1)
	for _, y := range ymm(0, 2) {
		d.VCVTDQ2PS(y, y)
		d.VMULPS(scale, y, y)
		if d.min {
			d.VADDPS(min, y, y)
		}
	}
	d.put()
}

// put writes the values in Y0 and Y1.
func (d *decode) put() {
	d.VMOVUPS(reg.Y0, operand.Mem{Base: reg.RDI})
	d.VMOVUPS(reg.Y1, operand.Mem{Base: reg.RDI, Disp: 32})
	d.ADDQ(reg.RDX, reg.RDI)
}

// nibbles sets low and high to the nibbles of sixteen bytes at m.
func (d *decode) nibbles(m operand.Mem, low, high reg.VecPhysical) {
	d.VMOVDQU(m, high.AsX())
	d.VPAND(decodeMask.AsX(), high.AsX(), low.AsX())
	d.VPSRLW(operand.Imm(4), high.AsX(), high.AsX())
	d.VPAND(decodeMask.AsX(), high.AsX(), high.AsX())
}

// minus takes a zero point off codes.
func (d *decode) minus(zero byte, codes ...reg.VecPhysical) {
	for _, x := range codes {
		d.VPSUBB(d.all(fmt.Sprintf("zero%d", zero), zero), x.AsX(), x.AsX())
	}
}

// emitDecodeFloats writes the kernel of a type without blocks, for 32 values at a time.
func emitDecodeFloats(g *gen, typ string) {
	d := newDecode(g, kinds.Type{Name: typ}, "times 32 values")
	d.loop(reg.RCX, func() {
		for piece := range 2 {
			for half := range 2 {
				d.widen(typ, d.at(step(typ)*piece+step(typ)/2*half), ymm(0, 2)[half])
			}
			d.put()
		}
		d.advance(2 * step(typ))
	})
	d.end()
}

// emitDecodeBlocks writes the kernel of a type with blocks of 32.
func emitDecodeBlocks(g *gen, t kinds.Type) {
	d := newDecode(g, t, "blocks")
	d.bytes(0x0f0f0f0f, decodeMask, reg.EAX)
	if t.Name == "IQ4_NL" {
		d.VBROADCASTI128(nonLinear(false), decodeTable)
	}
	scale, min, low, high := reg.Y4, reg.Y6, reg.Y2, reg.Y3
	d.loop(reg.RCX, func() {
		d.half(t.Scale(), scale)
		if d.min {
			d.half(t.Min(), min)
		}
		if t.Name == "Q8_0" {
			d.VMOVDQU(d.at(t.Codes), low.AsX())
			d.VMOVDQU(d.at(t.Codes+16), high.AsX())
		} else {
			d.nibbles(d.at(t.Codes), low, high)
		}
		switch t.Name {
		case "Q4_0":
			d.minus(8, low, high)
		case "Q5_0", "Q5_1":
			d.fifths(low, high)
			if !d.min {
				d.minus(16, low, high)
			}
		case "IQ4_NL":
			for _, x := range []reg.VecPhysical{low, high} {
				d.VPSHUFB(x.AsX(), decodeTable.AsX(), x.AsX())
			}
		}
		d.piece(low, scale, min)
		d.piece(high, scale, min)
		d.advance(t.Size)
	})
	d.end()
}

// fifths adds bit 4 to the codes of a block, from a word with a bit for each.
func (d *decode) fifths(low, high reg.VecPhysical) {
	bits, one := reg.Y8, reg.Y9
	d.VPBROADCASTD(d.at(d.typ.High), bits)
	d.VPSHUFB(d.constant("byteOfBit", bytesOf(func(i int) byte { return byte(i / 8) })), bits, bits)
	d.VMOVDQU(d.constant("bits", eachBit()), one)
	d.VPAND(one, bits, bits)
	d.VPCMPEQB(one, bits, bits)
	d.VPAND(d.all("sixteen", 16), bits, bits)
	d.VPOR(bits.AsX(), low.AsX(), low.AsX())
	d.VEXTRACTI128(operand.Imm(1), bits, bits.AsX())
	d.VPOR(bits.AsX(), high.AsX(), high.AsX())
}

// bytesOf returns 32 bytes.
func bytesOf(f func(i int) byte) []byte {
	b := make([]byte, 32)
	for i := range b {
		b[i] = f(i)
	}
	return b
}

// sixBitsOfRow sets eight scales and eight minima of Q4_K or Q5_K, in memory at R8, to those of the runs
// times those of the block: see sixBits in mat/type_q4_k.go. It uses AX, BX, R10 to R13, and Y0 to Y3.
func (d *decode) sixBitsOfRow() {
	a, b, c := reg.R10, reg.R11, reg.R12
	for i, r := range []reg.GPPhysical{a, b, c} {
		d.MOVL(d.at(d.typ.Small.From+4*i), r.As32())
	}
	// The upper four of each take the upper bits of a and b, and the nibbles of c.
	d.upperFour(c, a, reg.RAX)
	d.SHRL(operand.Imm(4), c.As32())
	d.upperFour(c, b, reg.RBX)
	for i, r := range []reg.GPPhysical{a, b} {
		d.ANDL(operand.U32(0x3f3f3f3f), r.As32())
		upper := []reg.GPPhysical{reg.RAX, reg.RBX}[i]
		d.SHLQ(operand.Imm(32), upper)
		d.ORQ(upper, r)
		x, y := ymm(0, 2)[i], ymm(2, 4)[i]
		d.VMOVQ(r, x.AsX())
		d.VPMOVZXBD(x.AsX(), x)
		d.VCVTDQ2PS(x, x)
		d.half([]int{d.typ.Scale(), d.typ.Min()}[i], y)
		if i == 1 {
			d.negate(y)
		}
		d.VMULPS(y, x, x)
		d.VMOVUPS(x, operand.Mem{Base: reg.R8, Disp: 32 * i})
	}
}

// upperFour sets to to four bytes of which the lower nibbles of nibbles are bits 0 to 3, and the upper two
// bits of the bytes of bits are bits 4 and 5. It uses R13.
func (d *decode) upperFour(nibbles, bits, to reg.GPPhysical) {
	d.MOVL(bits.As32(), to.As32())
	d.SHRL(operand.Imm(2), to.As32())
	d.ANDL(operand.U32(0x30303030), to.As32())
	d.MOVL(nibbles.As32(), reg.R13L)
	d.ANDL(operand.U32(0x0f0f0f0f), reg.R13L)
	d.ORL(reg.R13L, to.As32())
}

// emitDecodeQ4K writes the kernel of Q4_K or Q5_K: two runs of 32 codes share 32 bytes.
func emitDecodeQ4K(g *gen, t kinds.Type) {
	d := newDecode(g, t, "blocks of 256")
	d.LEAQ(d.AllocLocal(64), reg.R8)
	d.bytes(0x0f0f0f0f, decodeMask, reg.EAX)
	codes, fifth := ymm(8, 12), ymm(12, 14)
	d.loop(reg.RCX, func() {
		d.sixBitsOfRow()
		for i := range fifth {
			if t.High != 0 {
				d.VMOVDQU(d.at(t.High+16*i), fifth[i].AsX())
			}
		}
		d.LEAQ(d.at(t.Codes), reg.R10)
		d.MOVQ(reg.R8, reg.R11)
		d.MOVQ(operand.U32(4), reg.R9)
		d.loop(reg.R9, func() {
			for i := range 2 {
				d.nibbles(operand.Mem{Base: reg.R10, Disp: 16 * i}, codes[i], codes[2+i])
				if t.High != 0 {
					d.fifthOfPair(fifth[i], codes[i], codes[2+i])
				}
			}
			for run := range 2 {
				d.VBROADCASTSS(operand.Mem{Base: reg.R11, Disp: 4 * run}, reg.Y4)
				d.VBROADCASTSS(operand.Mem{Base: reg.R11, Disp: 32 + 4*run}, reg.Y6)
				d.piece(codes[2*run], reg.Y4, reg.Y6)
				d.piece(codes[2*run+1], reg.Y4, reg.Y6)
			}
			d.ADDQ(operand.Imm(32), reg.R10)
			d.ADDQ(operand.Imm(8), reg.R11)
		})
		d.advance(t.Size)
	})
	d.end()
}

// fifthOfPair adds bits 0 and 1 of the bytes of bits, as bit 4, to codes of two runs, and moves the bits of
// the next two there. It uses Y0.
func (d *decode) fifthOfPair(bits, first, second reg.VecPhysical) {
	x := reg.X0
	for i, codes := range []reg.VecPhysical{first, second} {
		d.VPSLLW(operand.Imm(uint64(4-i)), bits.AsX(), x)
		d.VPAND(d.all("sixteen", 16), x, x)
		d.VPOR(x, codes.AsX(), codes.AsX())
	}
	d.VPSRLW(operand.Imm(2), bits.AsX(), bits.AsX())
}

// emitDecodeQ6K writes the kernel of Q6_K: see mat/type_q6_k.go for the layout.
func emitDecodeQ6K(g *gen) {
	t := kinds.Of("Q6_K")
	d := newDecode(g, t, "blocks of 256")
	d.LEAQ(d.AllocLocal(64), reg.R8)
	d.bytes(0x0f0f0f0f, decodeMask, reg.EAX)
	codes, high := ymm(6, 14), ymm(2, 4)
	d.loop(reg.RCX, func() {
		d.half(t.Scale(), reg.Y4)
		for i, y := range ymm(0, 2) {
			d.VPMOVSXBD(d.at(t.Small.From+8*i), y)
			d.VCVTDQ2PS(y, y)
			d.VMULPS(reg.Y4, y, y)
			d.VMOVUPS(y, operand.Mem{Base: reg.R8, Disp: 32 * i})
		}
		d.LEAQ(d.at(t.Codes), reg.R10)
		d.LEAQ(d.at(t.High), reg.R12)
		d.MOVQ(reg.R8, reg.R11)
		d.MOVQ(operand.U32(2), reg.R9)
		d.loop(reg.R9, func() {
			for i := range 2 { // the halves of the runs
				d.VMOVDQU(operand.Mem{Base: reg.R12, Disp: 16 * i}, high[i].AsX())
				d.nibbles(operand.Mem{Base: reg.R10, Disp: 16 * i}, codes[i], codes[4+i])
				d.nibbles(operand.Mem{Base: reg.R10, Disp: 32 + 16*i}, codes[2+i], codes[6+i])
			}
			for i, y := range codes {
				shiftTo4(g, i/2*2, high[i%2].AsX().(reg.VecPhysical), reg.X0)
				d.VPAND(d.all("high2", 0x30), reg.X0, reg.X0)
				d.VPOR(reg.X0, y.AsX(), y.AsX())
				d.VPSUBB(d.all("zero32", 32), y.AsX(), y.AsX())
				d.VBROADCASTSS(operand.Mem{Base: reg.R11, Disp: 4 * i}, reg.Y4)
				d.piece(y, reg.Y4, nil)
			}
			d.ADDQ(operand.Imm(64), reg.R10)
			d.ADDQ(operand.Imm(32), reg.R12)
			d.ADDQ(operand.Imm(32), reg.R11)
		})
		d.advance(t.Size)
	})
	d.end()
}

// emitDecodeIQ4XS writes the kernel of IQ4_XS: see mat/type_iq4.go for the layout.
func emitDecodeIQ4XS(g *gen) {
	t := kinds.Of("IQ4_XS")
	d := newDecode(g, t, "blocks of 256")
	d.LEAQ(d.AllocLocal(32), reg.R8)
	d.bytes(0x0f0f0f0f, decodeMask, reg.EAX)
	d.VBROADCASTI128(nonLinear(false), decodeTable)
	s, high, low := reg.Y0, reg.Y1, reg.Y2
	d.loop(reg.RCX, func() {
		d.VPBROADCASTD(d.at(t.Small.From+2), s)
		d.VPSRLVD(d.constant("four", dwordsTimes(4)), s, s)
		d.VPAND(d.dwordsOf("dword0f", 0x0f), s, s)
		d.MOVWLZX(d.at(t.Small.From), reg.EAX)
		d.SHLL(operand.Imm(4), reg.EAX)
		d.VMOVD(reg.EAX, high.AsX())
		d.VPBROADCASTD(high.AsX(), high)
		d.VPSRLVD(d.constant("two", dwordsTimes(2)), high, high)
		d.VPAND(d.dwordsOf("dword30", 0x30), high, high)
		d.VPOR(high, s, s)
		d.VPSUBD(d.dwordsOf("dword32", 32), s, s)
		d.VCVTDQ2PS(s, s)
		d.half(t.Scale(), reg.Y4)
		d.VMULPS(reg.Y4, s, s)
		d.VMOVUPS(s, operand.Mem{Base: reg.R8})
		d.LEAQ(d.at(t.Codes), reg.R10)
		d.MOVQ(reg.R8, reg.R11)
		d.MOVQ(operand.U32(8), reg.R9)
		d.loop(reg.R9, func() {
			d.nibbles(operand.Mem{Base: reg.R10}, low, reg.Y3)
			d.VBROADCASTSS(operand.Mem{Base: reg.R11}, reg.Y4)
			for _, codes := range []reg.VecPhysical{low, reg.Y3} {
				d.VPSHUFB(codes.AsX(), decodeTable.AsX(), codes.AsX())
				d.piece(codes, reg.Y4, nil)
			}
			d.ADDQ(operand.Imm(16), reg.R10)
			d.ADDQ(operand.Imm(4), reg.R11)
		})
		d.advance(t.Size)
	})
	d.end()
}

// dwordsTimes returns the dwords 0, n, 2n, ... 7n.
func dwordsTimes(n int) []byte {
	return bytesOf(func(i int) byte {
		if i%4 != 0 {
			return 0
		}
		return byte(i / 4 * n)
	})
}

// emitDecodeExpanded writes the kernel of expanded blocks: see mat/expand.go.
func emitDecodeExpanded(g *gen) {
	d := newDecode(g, kinds.Type{Name: "Expanded"}, "expanded blocks")
	d.loop(reg.RCX, func() {
		for half, codes := range ymm(2, 4) {
			d.VMOVDQU(d.at(16*half), codes.AsX())
			d.MOVWLSX(d.at(kinds.ExpandedS+2*half), reg.EAX)
			d.VMOVD(reg.EAX, reg.X4)
			d.VPBROADCASTD(reg.X4, reg.Y4)
			d.VCVTDQ2PS(reg.Y4, reg.Y4)
			d.VBROADCASTSS(d.at(kinds.ExpandedD), reg.Y5)
			d.VMULPS(reg.Y5, reg.Y4, reg.Y4)
			d.piece(codes, reg.Y4, nil)
		}
		d.advance(kinds.ExpandedSize)
	})
	d.end()
}
