package amd64

import (
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"

	"mptgo/ggml/internal/_gen/kinds"
)

// Stream kernels of types whose blocks are 256 columns. A register holds 32 columns
// of a row; the sums of four rows are brought into one register, each row's first
// 16 columns in the lower half. Scales of the block are unpacked to the stack first.

const eightBlocksRow = "blocks, eight of which are one of the file"

// Registers besides those of all stream kernels: Y2 to Y9 take the sums of rows,
// Y10 to Y12 are free within a step.
var (
	rowAct    = reg.Y1
	rowWeight = reg.Y13 // scales of the block
)

// streamK is how the kernel of a type of blocks of 256 columns is written.
type streamK struct {
	begin func()      // unpacks the scales of a block
	run   func(j int) // adds the products of the j-th 32 columns

	// together is how many runs have no others like them: further on in the block are the same
	// instructions, step bytes later in the rows and distance bytes later in the memory of scales.
	// Where it is 8, nothing repeats.
	together, step, distance int

	scales operand.Mem // in memory; run finds them at runScales
}

// The registers of the loop over runs: where their scales are, and how many times are left.
var (
	runScales = operand.Mem{Base: reg.R13}
	runsLeft  = reg.RBX
)

// emitStreamK writes the kernel of a type.
func emitStreamK(g *gen, t streamTier, typ kinds.Type, setup func(s *stream) streamK) {
	s := newStream(g, t, typ.Name, eightBlocksRow)
	g.SHRQ(operand.Imm(3), s.n)
	k := setup(s)
	runs := func() {
		for j := range k.together {
			s.fetch(typ.Size)
			k.run(j)
			g.ADDQ(operand.U32(kinds.ActSize), s.a)
		}
	}
	g.loop(s.n, func() {
		k.begin()
		s.repeat(k, runs)
		s.advance(g, typ.Size-8/k.together*k.step)
	})
	g.VMOVUPS(result, operand.Mem{Base: s.y})
	g.end()
}

// repeat writes a loop over the runs of a block that are like the first ones.
func (s *stream) repeat(k streamK, runs func()) {
	if k.together == 8 {
		runs()
		return
	}
	s.LEAQ(k.scales, runScales.Base)
	s.MOVQ(operand.U32(8/k.together), runsLeft)
	s.loop(runsLeft, func() {
		runs()
		s.advance(s.gen, k.step)
		s.ADDQ(operand.U32(k.distance), runScales.Base)
	})
}

func emitStreamsK(g *gen, t streamTier) {
	emitStreamQ4K(g, t, kinds.Of("Q4_K"))
	emitStreamQ5K(g, t, kinds.Of("Q5_K"))
	emitStreamQ3K(g, t, kinds.Of("Q3_K"))
	emitStreamQ2K(g, t, kinds.Of("Q2_K"))
}

func emitStreamQ4K(g *gen, t streamTier, typ kinds.Type) {
	emitStreamK(g, t, typ, func(s *stream) streamK {
		scales := s.AllocLocal(8 * 64)
		s.bytes(0x0f0f0f0f, streamMask, reg.EAX)
		return streamK{begin: func() { s.scaleMins(typ, scales) }, run: func(j int) {
			s.sumRows(func(row int, y reg.VecPhysical) { s.nibbleRow(row, typ.Codes, j, y) })
			s.addScaleMin(runScales.Offset(64 * j))
		}, together: 2, step: 32, distance: 2 * 64, scales: scales}
	})
}

func emitStreamQ5K(g *gen, t streamTier, typ kinds.Type) {
	emitStreamK(g, t, typ, func(s *stream) streamK {
		scales := s.AllocLocal(8 * 64)
		s.bytes(0x0f0f0f0f, streamMask, reg.EAX)
		s.bytes(0x10101010, reg.Y12, reg.EAX)
		return streamK{together: 8, begin: func() { s.scaleMins(typ, scales) }, run: func(j int) {
			s.sumRows(func(row int, y reg.VecPhysical) {
				s.nibbleRow(row, typ.Codes, j, y)
				s.bitRow(row, typ.High, j, 4, reg.Y12)
				s.VPOR(reg.Y10, y, y)
			})
			s.addScaleMin(scales.Offset(64 * j))
		}}
	})
}

func emitStreamQ3K(g *gen, t streamTier, typ kinds.Type) {
	emitStreamK(g, t, typ, func(s *stream) streamK {
		scales := s.AllocLocal(4 * 32)
		s.bytes(0x03030303, streamMask, reg.EAX)
		s.bytes(0x04040404, reg.Y12, reg.EAX)
		begin := func() {
			sums := rowWeight // scalesQ3K needs Y0, which is result
			s.VMOVAPS(result, sums)
			scalesQ3K(s.gen, s.rowGroups, ymm(8, 12))
			for i, y := range ymm(8, 12) {
				s.VMOVDQU(y, scales.Offset(32*i))
			}
			s.VMOVAPS(sums, result)
			halfVector(s.gen, s.rowGroups, typ.Scale(), rowWeight)
		}
		return streamK{together: 8, begin: begin, run: func(j int) {
			s.sumHalves(scales, j, func(row int, y reg.VecPhysical) {
				s.twoBitRow(row, typ.Codes, j, y)
				s.bitRow(row, typ.High, j, 2, reg.Y12)
				s.VPOR(reg.Y10, y, y)
			})
			s.pairSums(scales, j)
			s.VPSLLD(operand.Imm(2), reg.Y10, reg.Y10)
			s.VPSUBD(reg.Y10, reg.Y2, reg.Y2)
			s.addSums(reg.Y2, rowWeight)
		}}
	})
}

func emitStreamQ2K(g *gen, t streamTier, typ kinds.Type) {
	emitStreamK(g, t, typ, func(s *stream) streamK {
		scales := s.AllocLocal(2 * 4 * 32) // and minima
		mins := scales.Offset(4 * 32)
		min := reg.Y12
		s.bytes(0x03030303, streamMask, reg.EAX)
		begin := func() {
			halfVector(s.gen, s.rowGroups, typ.Scale(), rowWeight)
			halfVector(s.gen, s.rowGroups, typ.Min(), min)
			s.negate(min)
			for i, y := range transpose(s.gen, s.rowGroups, typ.Small.From, ymm(2, 6), ymm(6, 10)) {
				s.VPAND(s.all("low4", 0x0f), y, reg.Y10)
				s.VMOVDQU(reg.Y10, scales.Offset(32*i))
				s.VPSRLW(operand.Imm(4), y, y)
				s.VPAND(s.all("low4", 0x0f), y, y)
				s.VMOVDQU(y, mins.Offset(32*i))
			}
		}
		return streamK{begin: begin, together: 4, step: 32, distance: 2 * 32, scales: scales, run: func(j int) {
			s.sumHalves(runScales, j, func(row int, y reg.VecPhysical) { s.twoBitRow(row, typ.Codes, j, y) })
			s.addSums(reg.Y2, rowWeight)
			s.pairSums(runScales.Offset(4*32), j)
			s.VCVTDQ2PS(reg.Y10, reg.Y10)
			s.VBROADCASTSS(operand.Mem{Base: s.a, Disp: kinds.ActD}, reg.Y11)
			s.VMULPS(reg.Y11, reg.Y10, reg.Y10)
			s.VFMADD231PS(reg.Y10, min, result)
		}}
	})
}

// scaleMins writes the scales and minima of Q4_K or Q5_K to memory: a vector of
// eight rows of either, run after run.
func (s *stream) scaleMins(typ kinds.Type, to operand.Mem) {
	d, min := rowWeight, reg.Y11
	sums := reg.Y9 // sixBits needs Y0, which is result
	s.VMOVAPS(result, sums)
	halfVector(s.gen, s.rowGroups, typ.Scale(), d)
	halfVector(s.gen, s.rowGroups, typ.Min(), min)
	s.negate(min)
	sixBits(s.gen, s.rowGroups, typ.Small.From, func(j int, x, m reg.VecPhysical) {
		s.VMULPS(d, x, x)
		s.VMULPS(min, m, m)
		s.VMOVUPS(x, to.Offset(64*j))
		s.VMOVUPS(m, to.Offset(64*j+32))
	})
	s.VMOVAPS(sums, result)
}

// nibbleRow loads run j of 32 nibbles of a row; two runs lie in the same bytes.
func (s *stream) nibbleRow(row, offset, j int, y reg.VecPhysical) {
	from := s.at(row, offset+j/2*32)
	if j%2 == 0 {
		s.VPAND(from, streamMask, y)
		return
	}
	s.VMOVDQU(from, y)
	s.VPSRLW(operand.Imm(4), y, y)
	s.VPAND(streamMask, y, y)
}

// twoBitRow loads run j of 32 codes of two bits.
func (s *stream) twoBitRow(row, offset, j int, y reg.VecPhysical) {
	from := s.at(row, offset+j/4*32)
	if j%4 == 0 {
		s.VPAND(from, streamMask, y)
		return
	}
	s.VMOVDQU(from, y)
	shift(s.gen, j%4*2, 0, y, y)
	s.VPAND(streamMask, y, y)
}

// bitRow sets Y10 to bit j of 32 bytes of a row, moved to the bit that mask has.
func (s *stream) bitRow(row, offset, j, to int, mask reg.VecPhysical) {
	if j == to {
		s.VPAND(s.at(row, offset), mask, reg.Y10)
		return
	}
	s.VMOVDQU(s.at(row, offset), reg.Y10)
	shift(s.gen, j, to, reg.Y10, reg.Y10)
	s.VPAND(mask, reg.Y10, reg.Y10)
}

// sumRows sets Y2 to the sums over 32 codes below 32 of eight rows. Four products
// are at most 4*31*127 = 15748 and eight 31496: both pack into int16.
func (s *stream) sumRows(load func(row int, y reg.VecPhysical)) {
	s.VMOVDQU(operand.Mem{Base: s.a}, rowAct)
	for group, y := range [][]reg.VecPhysical{ymm(2, 6), ymm(6, 10)} {
		s.eightProducts(4*group, y, load)
		s.VPMADDWD(ones, y[0], y[0])
	}
	s.joinHalves(reg.Y2, reg.Y6)
}

// eightProducts sets y[0] to sums of eight products of four rows, int16: two for
// each row in either half.
func (s *stream) eightProducts(row int, y []reg.VecPhysical, load func(row int, y reg.VecPhysical)) {
	for i, sum := range y {
		if s.vnni() {
			load(row+i, reg.Y11)
			s.VPXOR(sum, sum, sum)
			s.dotBytes(rowAct, reg.Y11, sum)
			continue
		}
		load(row+i, sum)
		s.VPMADDUBSW(rowAct, sum, sum)
		s.VPMADDWD(ones, sum, sum)
	}
	s.foldPacked(y[0], y[1])
	s.foldPacked(y[2], y[3])
	s.VPACKSSDW(y[2], y[0], y[0])
}

// sumHalves is sumRows with the scales of each 16 columns, in run j.
func (s *stream) sumHalves(scales operand.Mem, j int, load func(row int, y reg.VecPhysical)) {
	mask := s.constant([]string{"rowScales01", "rowScales23"}[j%2], rowScalesOf(j%2))
	s.VMOVDQU(operand.Mem{Base: s.a}, rowAct)
	for group, y := range [][]reg.VecPhysical{ymm(2, 6), ymm(6, 10)} {
		s.eightProducts(4*group, y, load)
		s.VBROADCASTI128(scales.Offset(32*(j/2)+16*group), reg.Y10)
		s.VPSHUFB(mask, reg.Y10, reg.Y10)
		s.VPSRAW(operand.Imm(8), reg.Y10, reg.Y10)
		s.VPMADDWD(reg.Y10, y[0], y[0])
	}
	s.joinHalves(reg.Y2, reg.Y6)
}

// rowScalesOf returns the mask that spreads the scales of four rows, which are the
// first or second pair of bytes in dwords: see rowScales.
func rowScalesOf(pair int) []byte {
	b := make([]byte, 32)
	for i := range b {
		if b[i] = zeroByte; i%2 == 1 {
			b[i] = byte(i%16/4*4 + 2*pair + i/16)
		}
	}
	return b
}

// pairSums sets Y10 to the products of the scales of run j with the sums of the
// activations of each 16 columns.
func (s *stream) pairSums(scales operand.Mem, j int) {
	name, first := "pair01", byte(0)
	if j%2 == 1 {
		name, first = "pair23", 2
	}
	b := make([]byte, 32)
	for i := range b {
		if b[i] = zeroByte; i%2 == 1 {
			b[i] = byte(i%16/4*4+i%4/2) + first
		}
	}
	s.VMOVDQU(scales.Offset(32*(j/2)), reg.Y10)
	s.VPSHUFB(s.constant(name, b), reg.Y10, reg.Y10)
	s.VPSRAW(operand.Imm(8), reg.Y10, reg.Y10)
	s.VPBROADCASTD(operand.Mem{Base: s.a, Disp: kinds.ActHalf}, reg.Y11)
	s.VPMADDWD(reg.Y11, reg.Y10, reg.Y10)
}

// joinHalves adds the lower and upper halves of the sums of eight rows, a having
// the first four, into a. It uses Y10.
func (s *stream) joinHalves(a, b reg.VecPhysical) {
	s.VPERM2I128(operand.Imm(0x31), b, a, reg.Y10)
	s.VPERM2I128(operand.Imm(0x20), b, a, a)
	s.VPADDD(reg.Y10, a, a)
}

// addSums adds integer sums times a scale to the result. It uses Y11.
func (s *stream) addSums(sum, scale reg.VecPhysical) {
	s.VCVTDQ2PS(sum, sum)
	s.VBROADCASTSS(operand.Mem{Base: s.a, Disp: kinds.ActD}, reg.Y11)
	s.VMULPS(scale, reg.Y11, reg.Y11)
	s.VFMADD231PS(sum, reg.Y11, result)
}

// addScaleMin adds the sums in Y2 times the scales, and the minima behind them
// times the sums of the activations, to the result.
func (s *stream) addScaleMin(scales operand.Mem) {
	s.VCVTDQ2PS(reg.Y2, reg.Y2)
	s.VBROADCASTSS(operand.Mem{Base: s.a, Disp: kinds.ActD}, reg.Y11)
	s.VMULPS(scales, reg.Y11, reg.Y11)
	s.VFMADD231PS(reg.Y2, reg.Y11, result)
	s.VBROADCASTSS(operand.Mem{Base: s.a, Disp: kinds.ActS}, reg.Y11)
	s.VFMADD231PS(scales.Offset(32), reg.Y11, result)
}

// emitStreamIQ4 writes the kernels of IQ4_NL and IQ4_XS. As with Q4_0 rows r and
// r+4 share a register.
func emitStreamIQ4(g *gen, t streamTier) {
	nl, xs := kinds.Of("IQ4_NL"), kinds.Of("IQ4_XS")
	emitStreamBlocks(g, t, nl, (*stream).loadTable, func(s *stream) {
		s.loadActs()
		s.sumTable(nl.Codes)
		s.addScaled(nl.Scale(), s.tableZero())
	})

	emitStreamK(g, t, xs, func(s *stream) streamK {
		scales := s.AllocLocal(8 * 32)
		s.loadTable()
		return streamK{together: 1, step: 16, distance: 32, scales: scales, begin: func() {
			g.VMOVAPS(result, reg.Y12)
			scalesIQ4XS(g, s.rowGroups, func(j int, y reg.VecPhysical) { g.VMOVUPS(y, scales.Offset(32*j)) })
			g.VMOVAPS(reg.Y12, result)
		}, run: func(int) {
			s.loadActs()
			s.sumTable(xs.Codes)
			g.VCVTDQ2PS(blockSum, blockSum)
			s.subtractZero(s.tableZero())
			g.VBROADCASTSS(operand.Mem{Base: s.a, Disp: kinds.ActD}, reg.Y9)
			g.VMULPS(runScales, reg.Y9, reg.Y9)
			g.VFMADD231PS(blockSum, reg.Y9, result)
		}}
	})
}

// streamTable is what the nibbles of IQ4 types stand for. VPDPBUSD needs it
// unsigned.
var streamTable = reg.Y13

func (s *stream) loadTable() {
	s.bytes(0x0f0f0f0f, streamMask, reg.EAX)
	s.VBROADCASTI128(nonLinear(s.vnni()), streamTable)
}

// tableZero returns what stands for zero in the table.
func (s *stream) tableZero() int {
	if s.vnni() {
		return 128
	}
	return 0
}

// sumTable sets blockSum to the sums over what 32 nibbles at offset stand for.
func (s *stream) sumTable(offset int) {
	sum := ymm(1, 5)
	for r := range 4 {
		low, high := reg.Y8, reg.Y9
		s.loadPair(r, offset, low)
		s.VPSRLW(operand.Imm(4), low, high)
		for _, w := range []reg.VecPhysical{low, high} {
			s.VPAND(streamMask, w, w)
			s.VPSHUFB(w, streamTable, w)
		}
		s.multiplyTable(low, high, sum[r])
	}
	s.VPHADDD(sum[1], sum[0], sum[0])
	s.VPHADDD(sum[3], sum[2], sum[2])
	s.VPHADDD(sum[2], sum[0], blockSum)
}

// multiplyTable sets sum to the products of entries of the table and activations.
// As in sumSigned the sign moves to the activation where VPDPBUSD is not there: two
// products are at most 2*127*127 = 32258.
func (s *stream) multiplyTable(low, high, sum reg.VecPhysical) {
	if s.vnni() {
		s.multiply(low, high, sum)
		return
	}
	size, p := reg.Y10, []reg.VecPhysical{sum, reg.Y11}
	for i, w := range []reg.VecPhysical{low, high} {
		s.VPABSB(w, size)
		s.VPSIGNB(w, []reg.VecPhysical{actLow, actHigh}[i], w)
		s.VPMADDUBSW(w, size, p[i])
		s.VPMADDWD(ones, p[i], p[i])
	}
	s.VPADDD(p[1], sum, sum)
}
