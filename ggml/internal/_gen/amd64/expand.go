package amd64

import (
	"fmt"

	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"

	"mptgo/ggml/internal/_gen/kinds"
)

// Expand kernels unpack rows of codebook types to expanded blocks, see
// mat/expand.go; where their fields lie is told in mat/type_iq.go. Indices are put together
// in general registers, since there is no faster way to a table of that size.

// expander is a kernel under construction. In the second half of a register are the
// codes from 16 on.
type expander struct {
	*gen
	typ                 kinds.Type
	w, out, grid, masks reg.GPPhysical
}

// The registers of all expand kernels.
var (
	expandLow   = reg.Y0 // codes 0 to 15, then all
	expandHigh  = reg.Y1
	signLow     = reg.Y2 // 0xff where codes are negative
	signHigh    = reg.Y3
	expandD     = reg.X4
	expandTmp   = reg.X5
	expandBits  = reg.Y14 // bit i%8 in byte i
	expandBytes = reg.Y15 // index i/8 in byte i
)

func emitExpand(g *gen) {
	emitExpander(g, "IQ2_XXS", 1./8, (*expander).iq2xxs)
	emitExpander(g, "IQ2_XS", 1./8, (*expander).iq2xs)
	emitExpander(g, "IQ2_S", 1./8, (*expander).iq2s)
	emitExpander(g, "IQ3_XXS", 1./4, (*expander).iq3xxs)
	emitExpander(g, "IQ3_S", 1, (*expander).iq3s)
	emitExpander(g, "TQ2_0", 1, (*expander).tq2)
	emitExpander(g, "TQ1_0", 1, (*expander).tq1)
}

func (x *expander) iq2xxs(j int) {
	group := x.typ.Codes + 8*j // indices, then a word of signs and the scale
	for l := range 4 {
		x.MOVBLZX(x.at(group+l), reg.EAX)
		x.point8(l, reg.RAX)
		x.evenSigns(l, group+4)
	}
	x.join(true)
	x.MOVL(x.at(group+4), reg.EAX)
	x.SHRL(operand.Imm(28), reg.EAX)
	x.oddScale(j)
}

func (x *expander) iq2xs(j int) {
	for l := range 4 {
		x.MOVWLZX(x.at(x.typ.Codes+8*j+2*l), reg.EAX)
		x.MOVL(reg.EAX, reg.EBX)
		x.ANDL(operand.U32(511), reg.EAX)
		x.SHRL(operand.Imm(9), reg.EBX)
		x.point8(l, reg.RAX)
		x.quarter(l, operand.Mem{Base: x.masks, Index: reg.RBX, Scale: 8}, signLow, signHigh)
	}
	x.join(true)
	x.oddScales(j, x.typ.Small.From+j)
}

func (x *expander) iq2s(j int) {
	x.MOVBLZX(x.at(x.typ.High+j), reg.EDX)
	for l := range 4 {
		x.index(x.typ.Codes+4*j+l, 8-2*l, 0x300)
		x.point8(l, reg.RAX)
	}
	x.signs(x.typ.Signs + 4*j)
	x.join(false)
	x.oddScales(j, x.typ.Small.From+j)
}

func (x *expander) iq3xxs(j int) {
	word := x.typ.Signs + 4*j // and the scale
	for l := range 8 {
		x.MOVBLZX(x.at(x.typ.Codes+8*j+l), reg.EAX)
		x.point4(l, reg.RAX)
	}
	for l := range 4 {
		x.evenSigns(l, word)
	}
	x.join(true)
	x.MOVL(x.at(word), reg.EAX)
	x.SHRL(operand.Imm(28), reg.EAX)
	x.oddScale(j)
}

func (x *expander) iq3s(j int) {
	x.MOVBLZX(x.at(x.typ.High+j), reg.EDX)
	for l := range 8 {
		x.index(x.typ.Codes+8*j+l, 8-l, 0x100)
		x.point4(l, reg.RAX)
	}
	x.signs(x.typ.Signs + 4*j)
	x.join(false)
	x.MOVBLZX(x.at(x.typ.Small.From+j/2), reg.EAX)
	if j%2 == 1 {
		x.SHRL(operand.Imm(4), reg.EAX)
	}
	x.ANDL(operand.U32(15), reg.EAX)
	x.oddScale(j)
}

func (x *expander) tq2(j int) {
	x.VMOVDQU(x.at(x.typ.Codes+j/4*32), expandLow)
	shift(x.gen, j%4*2, 0, expandLow, expandLow)
	x.VPAND(x.all("three", 3), expandLow, expandLow)
	x.lessOne(j)
}

func (x *expander) tq1(j int) {
	x.digits(j)
	x.lessOne(j)
}

// emitExpander writes the kernel of a type whose scale counts factor times. block expands the
// j-th 32 codes.
func emitExpander(g *gen, typ string, factor float32, block func(x *expander, j int)) {
	name := "expand" + typ
	g.fn(name, "dst *byte, w *byte, n int, grid *uint64, masks *uint64", fmt.Sprintf(`
%s expands n blocks of the file to eight times as many at dst. grid are
the points of the codebook, and masks those of signs.`, name))
	x := &expander{gen: g, typ: kinds.Of(typ), w: reg.RSI, out: reg.RDI, grid: reg.R8, masks: reg.R9}
	g.load("dst", x.out)
	g.load("w", x.w)
	g.load("n", reg.RCX)
	g.load("grid", x.grid)
	g.load("masks", x.masks)
	eighths := make([]byte, 32)
	for i := range eighths {
		eighths[i] = byte(i / 8)
	}
	g.VMOVDQU(g.constant("bits", eachBit()), expandBits)
	g.VMOVDQU(g.constant("eighths", eighths), expandBytes)
	g.loop(reg.RCX, func() {
		g.MOVWLZX(x.at(x.typ.Scale()), reg.EAX)
		g.VMOVD(reg.EAX, expandD)
		g.VCVTPH2PS(expandD, expandD)
		if factor != 1 {
			g.MOVL(operand.U32(map[float32]uint32{1. / 8: 0x3e000000, 1. / 4: 0x3e800000}[factor]), reg.EAX)
			g.VMOVD(reg.EAX, expandTmp)
			g.VMULSS(expandTmp, expandD, expandD)
		}
		for j := range 8 {
			block(x, j)
		}
		g.ADDQ(operand.U32(x.typ.Size), x.w)
		g.ADDQ(operand.U32(8*kinds.ExpandedSize), x.out)
	})
	g.end()
}

// at addresses a byte of the block.
func (x *expander) at(offset int) operand.Mem { return operand.Mem{Base: x.w, Disp: offset} }

// field addresses a byte of the j-th expanded block.
func (x *expander) field(j, offset int) operand.Mem {
	return operand.Mem{Base: x.out, Disp: j*kinds.ExpandedSize + offset}
}

// index sets AX to the byte at offset with the bits of DX, shifted left, that mask
// has.
func (x *expander) index(offset, shift int, mask uint32) {
	x.MOVBLZX(x.at(offset), reg.EAX)
	x.MOVL(reg.EDX, reg.EBX)
	x.SHLL(operand.Imm(uint64(shift)), reg.EBX)
	x.ANDL(operand.U32(mask), reg.EBX)
	x.ORL(reg.EBX, reg.EAX)
}

// quarter loads eight bytes into quarter l of two registers.
func (x *expander) quarter(l int, from operand.Mem, low, high reg.VecPhysical) {
	to := []reg.VecPhysical{low, high}[l/2].AsX()
	if l%2 == 0 {
		x.VMOVQ(from, to)
	} else {
		x.VMOVHPS(from, to, to)
	}
}

// point8 loads the l-th point of eight coordinates, point4 that of four.
func (x *expander) point8(l int, index reg.Register) {
	x.quarter(l, operand.Mem{Base: x.grid, Index: index, Scale: 8}, expandLow, expandHigh)
}

func (x *expander) point4(l int, index reg.Register) {
	from := operand.Mem{Base: x.grid, Index: index, Scale: 8}
	to := []reg.VecPhysical{expandLow, expandHigh}[l/4].AsX()
	if l%4 == 0 {
		x.VMOVD(from, to)
	} else {
		x.VPINSRD(operand.Imm(uint64(l%4)), from, to, to)
	}
}

// evenSigns loads the signs that the l-th 7 bits of a word stand for.
func (x *expander) evenSigns(l, word int) {
	x.MOVL(x.at(word), reg.EBX)
	if l > 0 {
		x.SHRL(operand.Imm(uint64(7*l)), reg.EBX)
	}
	x.ANDL(operand.U32(127), reg.EBX)
	x.quarter(l, operand.Mem{Base: x.masks, Index: reg.RBX, Scale: 8}, signLow, signHigh)
}

// signs spreads the 32 signs at offset.
func (x *expander) signs(offset int) {
	x.VPBROADCASTD(x.at(offset), signLow)
	x.VPSHUFB(expandBytes, signLow, signLow)
	x.VPAND(expandBits, signLow, signLow)
	x.VPCMPEQB(expandBits, signLow, signLow)
}

// join brings the codes into one register, and the signs too if they are in two,
// and negates: (v ^ sign) - sign. store writes them.
func (x *expander) join(signs bool) {
	x.VINSERTI128(operand.Imm(1), expandHigh.AsX(), expandLow, expandLow)
	if signs {
		x.VINSERTI128(operand.Imm(1), signHigh.AsX(), signLow, signLow)
	}
	x.VPXOR(signLow, expandLow, expandLow)
	x.VPSUBB(signLow, expandLow, expandLow)
}

// oddScale stores the codes of block j with the scale d*(2s+1), s being in AX.
func (x *expander) oddScale(j int) {
	x.VMOVDQU(expandLow, x.field(j, 0))
	x.LEAL(operand.Mem{Base: reg.RAX, Index: reg.RAX, Scale: 1, Disp: 1}, reg.EAX)
	x.VXORPS(expandTmp, expandTmp, expandTmp)
	x.VCVTSI2SSL(reg.EAX, expandTmp, expandTmp)
	x.VMULSS(expandTmp, expandD, expandTmp)
	x.VMOVSS(expandTmp, x.field(j, kinds.ExpandedD))
	x.MOVL(operand.U32(0x00010001), x.field(j, kinds.ExpandedS))
}

// oddScales stores the codes of block j with d and the scales 2s+1 for each 16, s
// being the nibbles at offset.
func (x *expander) oddScales(j, offset int) {
	x.VMOVDQU(expandLow, x.field(j, 0))
	x.VMOVSS(expandD, x.field(j, kinds.ExpandedD))
	x.MOVBLZX(x.at(offset), reg.EAX)
	x.MOVL(reg.EAX, reg.EBX)
	x.ANDL(operand.U32(15), reg.EAX)
	x.SHRL(operand.Imm(4), reg.EBX)
	x.SHLL(operand.Imm(16), reg.EBX)
	x.ORL(reg.EBX, reg.EAX)
	x.LEAL(operand.Mem{Base: reg.RAX, Index: reg.RAX, Scale: 1, Disp: 0x00010001}, reg.EAX)
	x.MOVL(reg.EAX, x.field(j, kinds.ExpandedS))
}

// lessOne stores the codes of block j, less one, with d.
func (x *expander) lessOne(j int) {
	x.VPSUBB(x.all("one", 1), expandLow, expandLow)
	x.VMOVDQU(expandLow, x.field(j, 0))
	x.VMOVSS(expandD, x.field(j, kinds.ExpandedD))
	x.MOVL(operand.U32(0x00010001), x.field(j, kinds.ExpandedS))
}

// digits sets the codes to the j-th 32 ternary digits of a block of TQ1_0: see
// mat/type_tq.go. Every second byte is multiplied at a time, in a word of its own.
func (x *expander) digits(j int) {
	low, high := expandLow, signLow
	switch {
	case j < 5:
		x.VMOVDQU(x.at(0), low)
	case j < 7:
		x.VBROADCASTI128(x.at(32), low)
	default:
		x.VPBROADCASTD(x.at(48), low)
		x.VINSERTI128(operand.Imm(0), x.at(32), low, low)
	}
	power := x.constant(fmt.Sprintf("powers%d", j), digitPowers(j))
	bytes := x.constant("evenBytes", words(func(int) uint16 { return 0x00ff }))
	three := x.constant("threes", words(func(int) uint16 { return 3 }))
	x.VPSRLW(operand.Imm(8), low, high)
	x.VPAND(bytes, low, low)
	for _, y := range []reg.VecPhysical{low, high} {
		x.VPMULLW(power, y, y)
		x.VPAND(bytes, y, y)
		x.VPMULLW(three, y, y)
	}
	x.VPSRLW(operand.Imm(8), low, low)
	x.VPAND(x.constant("oddBytes", words(func(int) uint16 { return 0xff00 })), high, high)
	x.VPOR(high, low, low)
}

// digitPowers returns what the words of bytes are multiplied with for the j-th 32
// digits: the power of three of each digit's number.
func digitPowers(j int) []byte {
	powers := [5]uint16{1, 3, 9, 27, 81}
	return words(func(i int) uint16 {
		switch {
		case j < 5:
			return powers[j]
		case j < 7:
			return powers[2*(j-5)+i/8]
		case i < 8:
			return powers[4]
		}
		return powers[(i-8)/2]
	})
}

// words returns sixteen words.
func words(word func(i int) uint16) []byte {
	var b []byte
	for i := range 16 {
		b = append(b, byte(word(i)), byte(word(i)>>8))
	}
	return b
}
