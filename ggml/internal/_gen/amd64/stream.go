package amd64

import (
	"fmt"

	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"

	"mptgo/ggml/internal/_gen/kinds"
)

// A stream kernel multiplies eight rows of blocks, as they lie in the file,
// with one row of activations. Rows r and r+4 share a register, one in each
// half; the sums over a block are brought into one register, row after row,
// without a step across the halves.
//
// All of this is meant to run at the speed at which memory delivers the rows.
// The hardware does not see that eight streams are one, so each step fetches its
// share of the next strip, which lies in one piece.

func emitStream(g *gen) {
	emitStreamTier(streamTier{})(g)
	q8 := kinds.Of("Q8_0")
	emitStreamBlocks(g, streamTier{}, q8, func(*stream) {}, func(s *stream) {
		s.loadActs()
		s.sumSigned(q8.Codes)
		s.addScaled(q8.Scale(), 0)
	})
	emitStreamQ6K(g)
	emitStreamExpanded(g, "Expanded", false)
	emitStreamExpanded(g, "ExpandedHalves", true)
}

// streamTier says what a kernel multiplies with: VPDPBUSD if it is named, else
// VPMADDUBSW.
type streamTier struct{ name string }

func (t streamTier) vnni() bool { return t.name != "" }

// emitStreamTier writes the kernels that VPDPBUSD makes faster.
func emitStreamTier(t streamTier) func(*gen) {
	return func(g *gen) {
		emitStreamNibbles(g, t)
		emitStreamsK(g, t)
		emitStreamIQ4(g, t)
	}
}

// emitStreamNibbles writes the kernels of types with nibbles and no table.
func emitStreamNibbles(g *gen, t streamTier) {
	for _, x := range []struct {
		name string
		zero int
	}{{"Q4_0", 8}, {"Q4_1", 0}, {"Q5_0", 16}, {"Q5_1", 0}} {
		typ := kinds.Of(x.name)
		constants := (*stream).loadNibbleMask
		if typ.High != 0 {
			constants = (*stream).loadFifthMasks
		}
		emitStreamBlocks(g, t, typ, constants, func(s *stream) {
			s.loadActs()
			if typ.High == 0 {
				s.sumNibbles(typ.Codes, nil)
			} else {
				s.sumNibbles(typ.Codes, s.fifths(typ.High))
			}
			s.addScaled(typ.Scale(), x.zero)
			if len(typ.Halves) > 1 {
				s.addMin(typ.Min())
			}
		})
	}
}

// stream is a kernel under construction.
type stream struct {
	*gen
	rowGroups
	y, a, n, ahead, step reg.GPPhysical
	streamTier
}

// The registers of all stream kernels. Y1 to Y4 take the sums of rows 0 and 4,
// 1 and 5, …; Y8 to Y11 are free within a step.
var (
	result   = reg.Y0
	blockSum = reg.Y1
	actLow   = reg.Y5 // activations 0-15, in both halves
	actHigh  = reg.Y6 // activations 16-31
)

func newStream(g *gen, t streamTier, typ, unit string) *stream {
	s := beginStream(g, typ+t.name, unit)
	s.streamTier = t
	g.ones16(ones)
	return s
}

// beginStream begins the function and loads its parameters.
func beginStream(g *gen, typ, unit string) *stream {
	name := "stream" + typ
	g.fn(name, "y *float32, w *byte, stride int, n int, a *byte, ahead uintptr, step int", fmt.Sprintf(`
%s sets y to the products of eight rows of n %s,
stride bytes apart, with a. For each block it fetches some lines at ahead and
moves ahead by step.`, name, unit))
	s := &stream{gen: g, y: reg.RDI, a: reg.RDX, n: reg.RCX, ahead: reg.R11, step: reg.R12}
	s.rowGroups = newRowGroups(g)
	g.load("y", s.y)
	g.load("n", s.n)
	g.load("a", s.a)
	g.load("ahead", s.ahead)
	g.load("step", s.step)
	g.VXORPS(result, result, result)
	return s
}

// emitStreamBlocks writes the kernel of a type with blocks of 32: constants fills the registers
// that body, which adds the products of a block to the result, needs before the first.
func emitStreamBlocks(g *gen, t streamTier, typ kinds.Type, constants, body func(*stream)) {
	s := newStream(g, t, typ.Name, "blocks")
	constants(s)
	g.loop(s.n, func() {
		s.fetch(8 * typ.Size)
		body(s)
		s.advance(g, typ.Size)
		g.ADDQ(operand.U32(kinds.ActSize), s.a)
	})
	g.VMOVUPS(result, operand.Mem{Base: s.y})
	g.end()
}

// Constants of the kernels with nibbles and fifth bits.
var (
	streamMask = reg.Y14 // 0x0f
	fifthBits  = reg.Y12 // bit i%8 in byte i
	fifthValue = reg.Y13 // 0x10
)

func (s *stream) loadNibbleMask() { s.bytes(0x0f0f0f0f, streamMask, reg.EAX) }

func (s *stream) loadFifthMasks() {
	s.bytes(0x10101010, fifthValue, reg.EAX)
	s.VMOVDQU(s.constant("bits", eachBit()), fifthBits)
	s.loadNibbleMask()
}

// fetch prefetches the cache lines of the next n bytes.
func (s *stream) fetch(n int) {
	s.fetchOnce(s.ahead, (n+63)/64)
	s.ADDQ(s.step, s.ahead)
}

// loadActs loads the activations of a block.
func (s *stream) loadActs() {
	s.VBROADCASTI128(operand.Mem{Base: s.a}, actLow)
	s.VBROADCASTI128(operand.Mem{Base: s.a, Disp: 16}, actHigh)
}

// loadPair loads 16 bytes at offset of rows r and r+4.
func (s *stream) loadPair(r, offset int, y reg.VecPhysical) {
	s.VMOVDQU(s.at(r, offset), y.AsX())
	s.VINSERTI128(operand.Imm(1), s.at(r+4, offset), y, y)
}

// sumNibbles sets blockSum to the sums over 32 codes, whose nibbles are at
// offset. add, if any, adds the fifth bits of row pair r.
//
// An int16 lane gets four products, then eight in int32: 15240 at most for
// nibbles and 31496 for five bits, which still packs into int16. With nibbles
// the next step does too.
func (s *stream) sumNibbles(offset int, add func(r int, low, high reg.VecPhysical)) {
	sum := ymm(1, 5)
	for r := range 4 {
		low, high := reg.Y8, reg.Y11
		s.loadPair(r, offset, low)
		s.VPSRLW(operand.Imm(4), low, high)
		s.VPAND(streamMask, low, low)
		s.VPAND(streamMask, high, high)
		if add != nil {
			add(r, low, high)
		}
		s.multiply(low, high, sum[r])
	}
	s.foldPacked(sum[0], sum[1])
	s.foldPacked(sum[2], sum[3])
	if add != nil {
		s.VPHADDD(sum[2], sum[0], blockSum)
		return
	}
	s.foldPacked(sum[0], sum[2])
}

// multiply sets sum to the products of codes and activations, eight in a lane of
// int32.
func (s *stream) multiply(low, high, sum reg.VecPhysical) {
	if s.vnni() {
		s.VPXOR(sum, sum, sum)
		s.dotBytes(actLow, low, sum)
		s.dotBytes(actHigh, high, sum)
		return
	}
	s.VPMADDUBSW(actLow, low, low)
	s.VPMADDUBSW(actHigh, high, high)
	s.VPADDW(low, high, high) // four products fit int16
	s.VPMADDWD(ones, high, sum)
}

// foldPacked adds neighbouring int32 of a, then of b, into a. The values must
// fit int16.
func (s *stream) foldPacked(a, b reg.VecPhysical) {
	s.VPACKSSDW(b, a, a)
	s.VPMADDWD(ones, a, a)
}

// fifths returns the function that adds the fifth bits, which begin at offset.
// The 16 bytes read there lie within the block.
func (s *stream) fifths(offset int) func(r int, low, high reg.VecPhysical) {
	masks := [2]operand.Mem{s.constant("byte01", spread(0, 1)), s.constant("byte23", spread(2, 3))}
	return func(r int, low, high reg.VecPhysical) {
		word, v := reg.Y9, reg.Y10
		s.loadPair(r, offset, word)
		for i, code := range []reg.VecPhysical{low, high} {
			s.VPSHUFB(masks[i], word, v)
			s.VPAND(fifthBits, v, v)
			s.VPCMPEQB(fifthBits, v, v)
			s.VPAND(fifthValue, v, v)
			s.VPOR(v, code, code)
		}
	}
}

// eachBit returns bytes with bit i%8 set.
func eachBit() []byte {
	b := make([]byte, 32)
	for i := range b {
		b[i] = 1 << (i % 8)
	}
	return b
}

// spread returns a mask that copies byte first to the lower eight bytes of both
// halves and byte second to the upper.
func spread(first, second byte) []byte {
	b := make([]byte, 32)
	for i := range b {
		if b[i] = first; i%16 >= 8 {
			b[i] = second
		}
	}
	return b
}

// sumSigned sets blockSum to the sums over 32 signed bytes at offset. The
// unsigned factor is |w|, at most 128, and w's sign moves to the activation,
// which is never -128: two products are at most 2*128*127 = 32512.
func (s *stream) sumSigned(offset int) {
	sum := ymm(1, 5)
	for r := range 4 {
		for i, act := range []reg.VecPhysical{actLow, actHigh} {
			w, size, p := reg.Y8, reg.Y9, []reg.VecPhysical{sum[r], reg.Y10}[i]
			s.loadPair(r, offset+16*i, w)
			s.VPABSB(w, size)
			s.VPSIGNB(w, act, w)
			s.VPMADDUBSW(w, size, p)
			s.VPMADDWD(ones, p, p)
		}
		s.VPADDD(reg.Y10, sum[r], sum[r])
	}
	s.VPHADDD(sum[1], sum[0], sum[0])
	s.VPHADDD(sum[3], sum[2], sum[2])
	s.VPHADDD(sum[2], sum[0], blockSum)
}

// addScaled adds the block sums, less the zero point of 0, 8, 16 or 128, to the
// result, with the scale at offset.
func (s *stream) addScaled(offset, zero int) {
	s.VCVTDQ2PS(blockSum, blockSum)
	s.subtractZero(zero)
	scale, d := reg.Y8, reg.Y9
	halfVector(s.gen, s.rowGroups, offset, scale)
	s.VBROADCASTSS(operand.Mem{Base: s.a, Disp: kinds.ActD}, d)
	s.VMULPS(d, scale, scale)
	s.VFMADD231PS(blockSum, scale, result)
}

// subtractZero takes a zero point times the sum of the activations off the block
// sums, which are exact integers in float32.
func (s *stream) subtractZero(zero int) {
	if zero == 0 {
		return
	}
	z := reg.Y8
	s.VBROADCASTSS(operand.Mem{Base: s.a, Disp: kinds.ActZero8}, z)
	for ; zero > 8; zero /= 2 {
		s.VADDPS(z, z, z)
	}
	s.VSUBPS(z, blockSum, blockSum)
}

// addMin adds the minima at offset times the sum of the activations.
func (s *stream) addMin(offset int) {
	min, sum := reg.Y8, reg.Y9
	halfVector(s.gen, s.rowGroups, offset, min)
	s.VBROADCASTSS(operand.Mem{Base: s.a, Disp: kinds.ActS}, sum)
	s.VFMADD231PS(sum, min, result)
}
