package amd64

import (
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"

	"mptgo/ggml/internal/_gen/kinds"
)

// The stream kernels with AVX-512 VBMI multiply two blocks of eight rows at a time.
// What lies in many places, scales, codes and fifth bits, is put side by side by
// VPERMB and VPERMW. For codes of four bits that is no faster than half as wide
// registers, of which three can be worked on in a cycle instead of two.
//
// The quarters of a register are row r and row r+4 of the first block, then of the
// second; after the sums, rows 0-3 and 4-7 of the first block, then of the second.

func emitStreamVBMI(g *gen) {
	emitStreamFive(g, kinds.Of("Q5_0"))
	emitStreamFive(g, kinds.Of("Q5_1"))
}

// streamFive is a kernel under construction, of a type of blocks of 32 codes of five bits with a
// minimum or zero point 16.
type streamFive struct {
	*stream
	typ kinds.Type
}

func (s *streamFive) hasMin() bool { return len(s.typ.Halves) > 1 }

// The registers: Y0 is the result, Z1 to Z4 take the sums of row pairs, Z8 to Z13
// are free within a step.
var (
	actLow512, actHigh512 = reg.Z5, reg.Z6
	actScale, actOffset   = reg.Z14, reg.Z15 // of both blocks of activations: d, and s or the zero point
	codeIndex             = reg.Z16          // where the nibbles lie
	headIndex             = reg.Z17          // where scales and minima lie, in words
	ones512               = reg.Z18
	nibbles512            = reg.Z19
	fifthIndex            = reg.Z20 // where the fifth bits lie
	lowFifths, highFifths = reg.Z21, reg.Z22
	fifthMask             = reg.Z23
	fileRow               = []reg.VecPhysical{reg.Z24, reg.Z25, reg.Z26, reg.Z27, reg.Z28, reg.Z29, reg.Z30, reg.Z31}

	rowBytes     = reg.K1 // that may be read of a row
	oddQuarters  = reg.K2
	secondFours  = reg.K3 // of the second block: groups of four 16-bit words
	secondFloats = reg.K4
	oddWords     = reg.K5 // of 16 bits
	oddPairs     = reg.K6 // of words
	oddFours     = reg.K7 // of words
)

func emitStreamFive(g *gen, t kinds.Type) {
	s := &streamFive{beginStream(g, t.Name+"VBMI", "blocks"), t}
	s.indices()
	s.masks()
	g.CMPQ(s.n, operand.Imm(4))
	g.JLT(operand.LabelRef("rest"))
	g.Label("pairs") // with two more blocks behind them: 64 bytes end within the row
	for r, z := range fileRow {
		g.VMOVDQU64(s.at(r, 0), z)
	}
	s.products()
	s.addBlock()
	s.addSecondBlock()
	s.next(2)
	g.CMPQ(s.n, operand.Imm(4))
	g.JGE(operand.LabelRef("pairs"))
	g.Label("rest") // one to three blocks
	s.limit()
	for r, z := range fileRow {
		g.VMOVDQU8_Z(s.at(r, 0), rowBytes, z)
	}
	s.products()
	s.addBlock()
	g.CMPQ(s.n, operand.Imm(1))
	g.JE(operand.LabelRef("end"))
	s.addSecondBlock()
	s.next(2)
	g.JNE(operand.LabelRef("rest"))
	g.Label("end")
	g.VMOVUPS(result, operand.Mem{Base: s.y})
	g.end()
}

// next moves on by n blocks and leaves the flags of those that are left.
func (s *streamFive) next(n int) {
	s.advance(s.gen, n*s.typ.Size)
	s.ADDQ(operand.U32(n*kinds.ActSize), s.a)
	s.SUBQ(operand.Imm(uint64(n)), s.n)
}

// indices loads the registers that say what lies where.
func (s *streamFive) indices() {
	first := func(i int) int { return i / 32 * s.typ.Size } // byte of the block of byte i
	s.vector("codes"+s.typ.Name, codeIndex, func(i int) int { return first(i) + s.typ.Codes + i%16 })
	s.vector("heads"+s.typ.Name, headIndex, func(i int) int {
		if i%2 == 1 { // the upper byte of a word
			return 0
		}
		block, minimum := i/16%2, i/32
		return block*s.typ.Size/2 + minimum
	})
	s.vector("ones", ones512, func(i int) int { return 1 - i%2 })
	s.vector("nibbles", nibbles512, func(int) int { return 0x0f })
	// Of the fifth bits, which fill each word of 64 bits twice, byte i takes the
	// eight that begin four before its own.
	s.vector("fifths"+s.typ.Name, fifthIndex, func(i int) int { return first(i) + s.typ.High + i%4 })
	s.vector("low", lowFifths, func(i int) int { return (i%16 + 60) % 64 })
	s.vector("high", highFifths, func(i int) int { return i%16 + 12 })
	s.vector("fifth", fifthMask, func(int) int { return 0x10 })
}

// vector loads a constant whose byte i is at(i).
func (s *streamFive) vector(name string, dst reg.VecPhysical, at func(i int) int) {
	b := make([]byte, 64)
	for i := range b {
		b[i] = byte(at(i))
	}
	s.VMOVDQU64(s.constant(name, b), dst)
}

// masks sets the masks that do not change, but for the last block.
func (s *streamFive) masks() {
	s.mask(oddQuarters, 0xffff0000ffff0000)
	s.mask(secondFours, 0xf0)
	s.mask(secondFloats, 0xff00)
	s.mask(oddWords, 0xaaaaaaaa)
	s.mask(oddPairs, 0xaaaa)
	s.mask(oddFours, 0xaa)
}

func (s *streamFive) mask(k reg.Register, bits uint64) {
	s.MOVQ(operand.U64(bits), reg.RAX)
	s.KMOVQ(reg.RAX, k)
}

// limit sets the masks so that no more is read than the blocks that are left, and
// no more of them than two.
func (s *streamFive) limit() {
	s.mask(rowBytes, 1<<(2*s.typ.Size)-1)
	s.CMPQ(s.n, operand.Imm(1))
	s.JNE(operand.LabelRef("limited"))
	s.mask(rowBytes, 1<<s.typ.Size-1)
	s.mask(secondFours, 0)
	s.mask(secondFloats, 0)
	s.Label("limited")
}

// products sets Z1 to the sums over both blocks, Z9 to their scales, and Z10 to
// their minima, if there are any.
func (s *streamFive) products() {
	s.fetchOnce(s.ahead, (16*s.typ.Size+63)/64)
	s.LEAQ(operand.Mem{Base: s.ahead, Index: s.stream.step, Scale: 2}, s.ahead)
	for i, y := range []reg.VecPhysical{actLow512, actHigh512} {
		s.VBROADCASTI64X2(operand.Mem{Base: s.a, Disp: 16 * i}, y)
		s.VBROADCASTI64X2(operand.Mem{Base: s.a, Disp: kinds.ActSize + 16*i}, secondFours, y)
	}
	for r := range 4 {
		s.sumPair(r)
	}
	s.fold()
	s.VCVTDQ2PS(reg.Z1, reg.Z1)
	s.heads()
}

// gather sets y to the bytes of rows r and r+4 that index names.
func (s *streamFive) gather(r int, index, y reg.VecPhysical) {
	s.VPERMB(fileRow[r], index, y)
	s.VPERMB(fileRow[r+4], index, oddQuarters, y)
}

// sumPair sets Z1 to Z4 to the sums of rows r and r+4. A 32-bit lane gets eight
// products: 8*31*127 = 31496 at most.
func (s *streamFive) sumPair(r int) {
	low, high, sum := reg.Z8, reg.Z9, []reg.VecPhysical{reg.Z1, reg.Z2, reg.Z3, reg.Z4}[r]
	s.gather(r, codeIndex, low)
	s.VPSRLW(operand.Imm(4), low, high)
	s.VPANDD(nibbles512, low, low)
	s.VPANDD(nibbles512, high, high)
	bits, shifted := reg.Z10, reg.Z11
	s.gather(r, fifthIndex, bits)
	s.VPMULTISHIFTQB(bits, lowFifths, shifted)
	s.VPTERNLOGD(operand.U8(0xf8), fifthMask, shifted, low) // low | shifted & mask
	s.VPMULTISHIFTQB(bits, highFifths, shifted)
	s.VPTERNLOGD(operand.U8(0xf8), fifthMask, shifted, high)
	s.VPXORD(sum, sum, sum)
	s.dotBytes(actLow512, low, sum)
	s.dotBytes(actHigh512, high, sum)
}

// fold adds up the lanes of each quarter of Z1 to Z4 into Z1.
func (s *streamFive) fold() {
	fold := func(a, b reg.VecPhysical) { // as in foldPacked
		s.VPACKSSDW(b, a, a)
		s.VPMADDWD(ones512, a, a)
	}
	fold(reg.Z1, reg.Z2)
	fold(reg.Z3, reg.Z4)
	s.VSHUFPS(operand.Imm(0x88), reg.Z3, reg.Z1, reg.Z2)
	s.VSHUFPS(operand.Imm(0xdd), reg.Z3, reg.Z1, reg.Z1)
	s.VPADDD(reg.Z2, reg.Z1, reg.Z1)
}

// heads sets Z9 to the scales, times those of the activations, and Z10 to the
// minima. It takes the zero point off the sums.
func (s *streamFive) heads() {
	word := []reg.VecPhysical{reg.Z10, reg.Z11, reg.Z12, reg.Z13}
	for i, w := range word {
		s.VPERMW(fileRow[2*i], headIndex, w)
		s.VPERMW(fileRow[2*i+1], headIndex, oddWords, w)
	}
	s.VMOVDQA32(word[1], oddPairs, word[0])
	s.VMOVDQA32(word[3], oddPairs, word[2])
	s.VMOVDQA64(word[2], oddFours, word[0])
	s.perBlock(kinds.ActD, actScale)
	s.VCVTPH2PS(reg.Y10, reg.Z9)
	s.VMULPS(actScale, reg.Z9, reg.Z9)
	if s.hasMin() {
		s.perBlock(kinds.ActS, actOffset)
		s.VEXTRACTI64X4(operand.Imm(1), reg.Z10, reg.Y10)
		s.VCVTPH2PS(reg.Y10, reg.Z10)
		return
	}
	s.perBlock(kinds.ActZero8, actOffset)
	s.VADDPS(actOffset, actOffset, actOffset)
	s.VSUBPS(actOffset, reg.Z1, reg.Z1)
}

// perBlock sets the halves of y to a number of both blocks of activations.
func (s *streamFive) perBlock(offset int, y reg.VecPhysical) {
	s.VBROADCASTSS(operand.Mem{Base: s.a, Disp: offset}, y)
	s.VBROADCASTSS(operand.Mem{Base: s.a, Disp: kinds.ActSize + offset}, secondFloats, y)
}

// addBlock adds what the lower halves say to the result.
func (s *streamFive) addBlock() {
	s.VFMADD231PS(reg.Y1, reg.Y9, result)
	if s.hasMin() {
		s.VFMADD231PS(actOffset.AsY(), reg.Y10, result)
	}
}

// addSecondBlock does it for the upper halves.
func (s *streamFive) addSecondBlock() {
	halves := []reg.VecPhysical{reg.Z1, reg.Z9}
	if s.hasMin() {
		halves = append(halves, actOffset, reg.Z10)
	}
	for _, z := range halves {
		s.VEXTRACTF64X4(operand.Imm(1), z, z.AsY())
	}
	s.addBlock()
}
