package amd64

import (
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"

	"mptgo/ggml/internal/_gen/kinds"
)

// Pack kernels of types whose blocks are eight blocks of the panel. Where these are
// laid out is told in mat/type_q4_k.go, mat/type_q3_k.go and mat/type_iq4.go.

const eightBlocks = "blocks, eight of which are one of the file,"

// all fills 32 bytes of read-only data with copies of a byte.
func (g *gen) all(name string, b byte) operand.Mem {
	full := make([]byte, 32)
	for i := range full {
		full[i] = b
	}
	return g.constant(name, full)
}

// dwordsOf is read-only data of eight copies of a dword.
func (g *gen) dwordsOf(name string, v uint32) operand.Mem {
	full := make([]byte, 32)
	for i := range full {
		full[i] = byte(v >> (i % 4 * 8))
	}
	return g.constant(name, full)
}

// negate changes the sign of floats.
func (g *gen) negate(y reg.VecPhysical) { g.VXORPS(g.dwordsOf("signBit", 1<<31), y, y) }

// sixBits calls emit for the scales and minima of eight rows, as float32, of each
// of eight runs of columns: see the function of that name in mat/type_q4_k.go. It uses
// Y0 to Y7; emit gets two of them.
func sixBits(g *gen, r rowGroups, offset int, emit func(j int, s, m reg.VecPhysical)) {
	cols := transpose(g, r, offset, ymm(0, 4), ymm(4, 8))
	a, b, c := cols[0], cols[1], cols[2]
	low4, high2, low6 := g.all("low4", 0x0f), g.all("high2", 0x30), g.all("low6", 0x3f)
	s, m := [2]reg.VecPhysical{reg.Y4, reg.Y6}, [2]reg.VecPhysical{reg.Y5, reg.Y7}
	g.VPAND(low6, a, s[0])
	g.VPAND(low6, b, m[0])
	g.VPSRLW(operand.Imm(2), a, a)
	g.VPSRLW(operand.Imm(2), b, b)
	g.VPAND(high2, a, a)
	g.VPAND(high2, b, b)
	g.VPAND(low4, c, s[1])
	g.VPSRLW(operand.Imm(4), c, c)
	g.VPAND(low4, c, m[1])
	g.VPOR(a, s[1], s[1])
	g.VPOR(b, m[1], m[1])
	for j := range 8 {
		x, y := reg.Y0, reg.Y1
		byteOf(g, s[j/4], j%4, x)
		byteOf(g, m[j/4], j%4, y)
		g.VCVTDQ2PS(x, x)
		g.VCVTDQ2PS(y, y)
		emit(j, x, y)
	}
}

// byteOf sets dst to byte i of the dwords in y.
func byteOf(g *gen, y reg.VecPhysical, i int, dst reg.VecPhysical) {
	if i > 0 {
		g.VPSRLD(operand.Imm(uint64(8*i)), y, dst)
		y = dst
	}
	if i < 3 {
		g.VPAND(g.dwordsOf("lowByte", 0xff), y, dst)
	}
}

// scaleMins writes the scales and minima of Q4_K or Q5_K.
func (p *pack) scaleMins(size int) {
	d, min := reg.Y8, reg.Y9
	halfVector(p.gen, p.rowGroups, p.typ.Scale(), d)
	halfVector(p.gen, p.rowGroups, p.typ.Min(), min)
	p.negate(min)
	sixBits(p.gen, p.rowGroups, p.typ.Small.From, func(j int, s, m reg.VecPhysical) {
		p.block = j * size
		p.VMULPS(d, s, s)
		p.VMULPS(min, m, m)
		p.put(s, panelScale)
		p.put(m, panelMin)
	})
}

// newPackK begins a kernel with eight blocks of the panel for one of the file.
func newPackK(g *gen, name string, head int) *pack {
	p := newPack(g, kinds.Of(name), head, eightBlocks)
	g.SHRQ(operand.Imm(3), reg.RCX)
	g.bytes(0x0f0f0f0f, nibbleMask, reg.EAX)
	return p
}

// next moves on to the next block of the file.
func (p *pack) next(panelSize int) {
	p.advance(p.gen, p.typ.Size)
	p.ADDQ(operand.U32(8*panelSize), p.out)
}

// eachRuns is a loop over the runs of a block, some at a time, whose codes lie step bytes after
// those of the runs before, and leads to the next block of the file.
func (p *pack) eachRuns(together, step, panelSize int, body func()) {
	p.MOVQ(operand.U32(8/together), reg.RDX)
	p.loop(reg.RDX, func() {
		body()
		p.advance(p.gen, step)
		p.ADDQ(operand.U32(together*panelSize), p.out)
	})
	p.advance(p.gen, p.typ.Size-8/together*step)
}

func emitPackQ4K(g *gen) {
	const size = 128 + 512
	p := newPackK(g, "Q4_K", 128)
	g.loop(reg.RCX, func() {
		p.scaleMins(size)
		p.eachRuns(2, 32, size, func() {
			for part := range 2 {
				g.fetch(reg.R12, reg.R13, fetchedLines)
				for c, y := range p.transpose(p.typ.Codes+16*part, ymm(0, 4), ymm(4, 8)) {
					p.block = 0
					g.VPAND(nibbleMask, y, reg.Y4)
					p.store(reg.Y4, 4*part+c)
					p.block = size
					g.VPSRLW(operand.Imm(4), y, y)
					g.VPAND(nibbleMask, y, y)
					p.store(y, 4*part+c)
				}
			}
		})
	})
	g.end()
}

func emitPackQ5K(g *gen) {
	const size = 128 + 512
	p := newPackK(g, "Q5_K", 128)
	fifth := reg.Y14
	g.bytes(0x10101010, fifth, reg.EAX)
	g.loop(reg.RCX, func() {
		p.scaleMins(size)
		for part := range 2 {
			high := p.transpose(p.typ.High+16*part, ymm(8, 12), ymm(4, 8))
			for run := 0; run < 8; run += 2 {
				g.fetch(reg.R12, reg.R13, fetchedLines)
				for c, y := range p.transpose(p.typ.Codes+16*run+16*part, ymm(0, 4), ymm(4, 8)) {
					for i := range 2 {
						if i == 1 {
							g.VPSRLW(operand.Imm(4), y, y)
						}
						g.VPAND(nibbleMask, y, reg.Y4)
						shiftTo4(g, run+i, high[c], reg.Y5)
						g.VPAND(fifth, reg.Y5, reg.Y5)
						g.VPOR(reg.Y5, reg.Y4, reg.Y4)
						p.block = (run + i) * size
						p.store(reg.Y4, 4*part+c)
					}
				}
			}
		}
		p.next(size)
	})
	g.end()
}

// scalesQ3K sets dst to the scales of Q3_K of eight rows, signed bytes, four to a
// dword. The 16 bytes read lie within the block. It uses Y0 to Y7.
func scalesQ3K(g *gen, r rowGroups, dst []reg.VecPhysical) {
	cols := transpose(g, r, kinds.Of("Q3_K").Small.To-16, ymm(0, 4), ymm(4, 8))
	low4, high2, zero := g.all("low4", 0x0f), g.all("high2", 0x30), g.all("thirtyTwo", 32)
	high := cols[3]
	for i, y := range dst {
		low, tmp := cols[1+i%2], reg.Y4
		if i >= 2 {
			g.VPSRLW(operand.Imm(4), low, low)
		}
		g.VPAND(low4, low, y)
		shift(g, 2*i, 4, high, tmp)
		g.VPAND(high2, tmp, tmp)
		g.VPOR(tmp, y, y)
		g.VPSUBB(zero, y, y)
	}
}

// emitPackQ3K writes a kernel of Q3_K; subScales is as in emitPackQ6K.
func emitPackQ3K(g *gen, subScales func(p *pack, y reg.VecPhysical, b byte, vector int)) {
	const size = 256 + 512
	p := newPackK(g, "Q3_K", 256)
	three, four := reg.Y15, reg.Y14
	g.bytes(0x03030303, three, reg.EAX)
	g.bytes(0x04040404, four, reg.EAX)
	g.loop(reg.RCX, func() {
		p.eachBlock(p.typ.Scale(), size, panelScale)
		scalesQ3K(g, p.rowGroups, ymm(8, 12))
		p.zeroScales(ymm(8, 12), size, 2, subScales)
		for part := range 2 {
			high := p.transpose(p.typ.High+16*part, ymm(8, 12), ymm(4, 8))
			for half := range 2 {
				g.fetch(reg.R12, reg.R13, fetchedLines)
				g.fetch(reg.R12, reg.R13, fetchedLines)
				for c, y := range p.transpose(p.typ.Codes+32*half+16*part, ymm(0, 4), ymm(4, 8)) {
					for k := range 4 {
						run := 4*half + k
						shift(g, 2*k, 0, y, reg.Y4)
						g.VPAND(three, reg.Y4, reg.Y4)
						shift(g, run, 2, high[c], reg.Y5)
						g.VPAND(four, reg.Y5, reg.Y5)
						g.VPOR(reg.Y5, reg.Y4, reg.Y4)
						p.block = run * size
						p.store(reg.Y4, 4*part+c)
					}
				}
			}
		}
		p.next(size)
	})
	g.end()
}

// eachBlock writes the binary16 numbers at offset to eight blocks of the panel.
func (p *pack) eachBlock(offset, size, vector int) {
	halfVector(p.gen, p.rowGroups, offset, reg.Y0)
	if vector == panelMin2 {
		p.negate(reg.Y0)
	}
	for j := range 8 {
		p.block = j * size
		p.put(reg.Y0, vector)
	}
}

// emitPackQ2K writes a kernel of Q2_K; subScales is as in emitPackQ6K.
func emitPackQ2K(g *gen, subScales func(p *pack, y reg.VecPhysical, b byte, vector int)) {
	const size = 320 + 512
	p := newPackK(g, "Q2_K", 320)
	three := reg.Y14
	g.bytes(0x03030303, three, reg.EAX)
	g.loop(reg.RCX, func() {
		p.eachBlock(p.typ.Scale(), size, panelScale)
		p.eachBlock(p.typ.Min(), size, panelMin2)
		for i, y := range p.transpose(p.typ.Small.From, ymm(0, 4), ymm(4, 8)) {
			s, m := reg.Y8, reg.Y9
			g.VPAND(nibbleMask, y, s)
			g.VPSRLW(operand.Imm(4), y, m)
			g.VPAND(nibbleMask, m, m)
			for j := range 2 {
				first, second := byte(2*j), byte(2*j+1)
				p.block = size * (2*i + j)
				subScales(p, s, first, panelSub0)
				subScales(p, s, second, panelSub1)
				p.wordPair(m, first, second)
				p.put(reg.Y4, panelZero)
			}
		}
		p.eachRuns(4, 32, size, func() {
			for part := range 2 {
				g.fetch(reg.R12, reg.R13, fetchedLines)
				g.fetch(reg.R12, reg.R13, fetchedLines)
				for c, y := range p.transpose(p.typ.Codes+16*part, ymm(0, 4), ymm(4, 8)) {
					for k := range 4 {
						shift(g, 2*k, 0, y, reg.Y4)
						g.VPAND(three, reg.Y4, reg.Y4)
						p.block = k * size
						p.store(reg.Y4, 4*part+c)
					}
				}
			}
		})
	})
	g.end()
}

// goTable addresses 16 bytes that are a variable of package scalar.
func goTable(name string) operand.Mem {
	return operand.Mem{Symbol: operand.Symbol{Name: "mptgo∕ggml∕internal∕scalar·" + name}, Base: reg.StaticBase}
}

// nonLinear addresses the table of IQ4 types, which VPDPBUSD needs unsigned.
func nonLinear(unsigned bool) operand.Mem {
	if unsigned {
		return goTable("nonLinear128")
	}
	return goTable("nonLinear")
}

// emitPackIQ4 writes the kernels of IQ4_NL and IQ4_XS for panels of blocks of size bytes. store takes a dword column
// of what codes stand for; for VNNI these are unsigned.
func emitPackIQ4(g *gen, size int, store func(p *pack, y reg.VecPhysical, g int)) {
	table := reg.Y14
	load := func() { g.VBROADCASTI128(nonLinear(size == 64+512), table) }
	codes := func(p *pack, offset int) {
		for c, y := range p.transpose(offset, ymm(0, 4), ymm(4, 8)) {
			high, low := reg.Y8, reg.Y9
			g.VPSRLW(operand.Imm(4), y, high)
			g.VPAND(nibbleMask, y, low)
			g.VPAND(nibbleMask, high, high)
			g.VPSHUFB(low, table, low)
			g.VPSHUFB(high, table, high)
			store(p, low, c)
			store(p, high, 4+c)
		}
	}
	p := newPack(g, kinds.Of("IQ4_NL"), 64, "blocks")
	g.bytes(0x0f0f0f0f, nibbleMask, reg.EAX)
	load()
	g.loop(reg.RCX, func() {
		g.fetch(reg.R12, reg.R13, fetchedLines)
		p.halves(p.typ.Scale(), panelScale)
		codes(p, p.typ.Codes)
		p.advance(g, p.typ.Size)
		g.ADDQ(operand.U32(size), p.out)
	})
	g.end()

	p = newPackK(g, "IQ4_XS", 64)
	load()
	g.loop(reg.RCX, func() {
		scalesIQ4XS(g, p.rowGroups, func(j int, s reg.VecPhysical) {
			p.block = j * size
			p.put(s, panelScale)
		})
		p.eachRuns(1, 16, size, func() {
			g.fetch(reg.R12, reg.R13, fetchedLines)
			p.block = 0
			codes(p, p.typ.Codes)
		})
	})
	g.end()
}

// scalesIQ4XS calls emit for the scales of eight rows of each of eight runs of
// columns, with that of the block. It uses Y0 to Y5; emit gets one of them.
func scalesIQ4XS(g *gen, r rowGroups, emit func(j int, s reg.VecPhysical)) {
	d, low, high, s, tmp := reg.Y0, reg.Y1, reg.Y2, reg.Y3, reg.Y4
	t := kinds.Of("IQ4_XS")
	dwords(g, r, t.Scale(), high, tmp) // the upper word has the high bits
	dwords(g, r, t.Small.From+2, low, tmp)
	halfVector(g, r, t.Scale(), d)
	for j := range 8 {
		if j > 0 {
			g.VPSRLD(operand.Imm(uint64(4*j)), low, s)
		}
		g.VPAND(g.dwordsOf("dword0f", 0x0f), []reg.VecPhysical{low, s}[min(j, 1)], s)
		g.VPSRLD(operand.Imm(uint64(12+2*j)), high, tmp)
		g.VPAND(g.dwordsOf("dword30", 0x30), tmp, tmp)
		g.VPOR(tmp, s, s)
		g.VPSUBD(g.dwordsOf("dword32", 32), s, s)
		g.VCVTDQ2PS(s, s)
		g.VMULPS(d, s, s)
		emit(j, s)
	}
}
