package amd64

import (
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"

	"mptgo/ggml/internal/_gen/kinds"
)

// Q6_K has 32 columns of one row in a register: the first 16, with a scale of
// their own, in the lower half. See mat/type_q6_k.go for the layout.

var typeQ6 = kinds.Of("Q6_K")

// Registers besides those of all stream kernels.
var (
	q6Act    = reg.Y1
	q6Zero   = reg.Y2  // 32 times the sums of four activations, int16
	q6Upper  = reg.Y12 // 0x30
	q6Weight = reg.Y13 // scales of the block, float32
)

func emitStreamQ6K(g *gen) {
	s := newStream(g, streamTier{}, "Q6_K", "blocks, eight of which are one of the file")
	g.SHRQ(operand.Imm(3), s.n)
	scales := g.AllocLocal(8 * 16)
	g.bytes(0x0f0f0f0f, streamMask, reg.EAX)
	g.bytes(0x30303030, q6Upper, reg.EAX)
	g.loop(s.n, func() {
		halfVector(g, s.rowGroups, typeQ6.Scale(), q6Weight)
		s.transposeScales(scales)
		for run := range 8 {
			s.fetch(typeQ6.Size)
			s.run6(run, scales.Offset(8*run))
			g.ADDQ(operand.U32(kinds.ActSize), s.a)
		}
		s.advance(g, typeQ6.Size)
	})
	g.VMOVUPS(result, operand.Mem{Base: s.y})
	g.end()
}

// transposeScales writes the pairs of int8 scales of each run of 32 columns to
// memory: rows 0 to 3 side by side, run after run, then rows 4 to 7.
func (s *stream) transposeScales(to operand.Mem) {
	r := []reg.Register{reg.X1, reg.X2, reg.X3, reg.X4}
	t := []reg.Register{reg.X5, reg.X6, reg.X7, reg.X8}
	for group := range 2 {
		for i, x := range r {
			s.VMOVDQU(s.at(4*group+i, typeQ6.Small.From), x)
		}
		s.VPUNPCKLWD(r[1], r[0], t[0])
		s.VPUNPCKLWD(r[3], r[2], t[1])
		s.VPUNPCKHWD(r[1], r[0], t[2])
		s.VPUNPCKHWD(r[3], r[2], t[3])
		s.VPUNPCKLDQ(t[1], t[0], r[0])
		s.VPUNPCKHDQ(t[1], t[0], r[1])
		s.VPUNPCKLDQ(t[3], t[2], r[2])
		s.VPUNPCKHDQ(t[3], t[2], r[3])
		for i, x := range r {
			s.VMOVDQU(x, to.Offset(64*group+16*i))
		}
	}
}

// run6 adds the products of 32 columns. scales is where their scales are.
//
// The sums of four products, at most 4*63*127 = 32004, become signed with the
// zero point and then fit int16 twice as long: 8*32*127 = 32512.
func (s *stream) run6(run int, scales operand.Mem) {
	s.VMOVDQU(operand.Mem{Base: s.a}, q6Act)
	s.bytes(0x20202020, q6Zero, reg.EAX)
	s.VPMADDUBSW(q6Act, q6Zero, q6Zero)
	s.VPMADDWD(ones, q6Zero, q6Zero)
	s.VPACKSSDW(q6Zero, q6Zero, q6Zero)
	sums := [2]reg.VecPhysical{reg.Y3, reg.Y4} // of rows 0-3 and 4-7
	for group, sum := range sums {
		for pair := range 2 {
			part := []reg.VecPhysical{sum, reg.Y5}[pair]
			s.sum6(run, 4*group+2*pair, part, reg.Y6)
			s.sum6(run, 4*group+2*pair+1, reg.Y7, reg.Y6)
			s.VPACKSSDW(reg.Y7, part, part)
			s.VPSUBW(q6Zero, part, part)
			s.VPMADDWD(ones, part, part)
		}
		s.VPACKSSDW(reg.Y5, sum, sum)
		s.VPBROADCASTQ(scales.Offset(64*group), reg.Y6)
		s.VPSHUFB(s.constant("rowScales", rowScales()), reg.Y6, reg.Y6)
		s.VPSRAW(operand.Imm(8), reg.Y6, reg.Y6)
		s.VPMADDWD(reg.Y6, sum, sum)
	}
	s.addHalves(sums)
}

// sum6 sets sum to the sums of four products of a row, int32.
func (s *stream) sum6(run, row int, sum, tmp reg.VecPhysical) {
	half, j := run/4, run%4
	s.VMOVDQU(s.at(row, typeQ6.Codes+64*half+32*(j%2)), sum)
	if j >= 2 {
		s.VPSRLW(operand.Imm(4), sum, sum)
	}
	s.VPAND(streamMask, sum, sum)
	high := s.at(row, typeQ6.High+32*half)
	if j == 2 {
		s.VPAND(high, q6Upper, tmp)
	} else {
		s.VMOVDQU(high, tmp)
		shiftTo4(s.gen, 2*j, tmp, tmp)
		s.VPAND(q6Upper, tmp, tmp)
	}
	s.VPOR(tmp, sum, sum)
	s.VPMADDUBSW(q6Act, sum, sum)
	s.VPMADDWD(ones, sum, sum)
}

// rowScales returns the mask that spreads the scale pairs of four rows: the first
// scale of a pair to the upper bytes of two words in the lower half of a
// register, the second in the upper half.
func rowScales() []byte {
	b := make([]byte, 32)
	for i := range b {
		if b[i] = zeroByte; i%2 == 1 {
			b[i] = byte(i%16/4*2 + i/16)
		}
	}
	return b
}

// addHalves adds the lower and upper halves of the sums of eight rows, and
// these to the result.
func (s *stream) addHalves(sums [2]reg.VecPhysical) {
	low, high, d := reg.Y6, reg.Y7, reg.Y5
	s.VPERM2I128(operand.Imm(0x20), sums[1], sums[0], low)
	s.VPERM2I128(operand.Imm(0x31), sums[1], sums[0], high)
	s.VPADDD(high, low, low)
	s.VBROADCASTSS(operand.Mem{Base: s.a, Disp: kinds.ActD}, d)
	s.VMULPS(d, q6Weight, d)
	s.VCVTDQ2PS(low, low)
	s.VFMADD231PS(low, d, result)
}
