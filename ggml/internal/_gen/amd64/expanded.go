package amd64

import (
	"fmt"

	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"

	"mptgo/ggml/internal/_gen/kinds"
)

// Kernels that read expanded blocks: see mat/expand.go.

// emitPackExpanded writes the kernel for a kind of panel, with the bytes of its
// head and its codes.
func emitPackExpanded(g *gen, kind string, head, codes int, body func(*pack)) {
	p := newPack(g, kinds.Type{Name: "Expanded" + kind}, head, "expanded blocks")
	g.loop(reg.RCX, func() {
		g.fetch(reg.R12, reg.R13, fetchedLines)
		dwords(g, p.rowGroups, kinds.ExpandedD, reg.Y0, reg.Y1)
		p.put(reg.Y0, panelScale)
		body(p)
		p.advance(g, kinds.ExpandedSize)
		g.ADDQ(operand.U32(head+codes), p.out)
	})
	g.end()
}

// expandedBytes writes codes plus the zero point.
func (p *pack) expandedBytes(zero byte) {
	for part := range 2 {
		for i, y := range p.transpose(16*part, ymm(0, 4), ymm(4, 8)) {
			p.VPADDB(p.all(fmt.Sprintf("zero%d", zero), zero), y, y)
			p.store(y, 4*part+i)
		}
	}
}

// expandedWords writes codes times their scales, as int16: at most 31*43, of
// IQ2_XS and IQ2_S.
func (p *pack) expandedWords() {
	dwords(p.gen, p.rowGroups, kinds.ExpandedS, reg.Y8, reg.Y9)
	p.VPSHUFB(p.mask("words1010", 0, 1, 0, 1), reg.Y8, reg.Y9)
	p.VPSHUFB(p.mask("words3232", 2, 3, 2, 3), reg.Y8, reg.Y10)
	for part, s := range ymm(9, 11) {
		for i, y := range p.transpose(16*part, ymm(0, 4), ymm(4, 8)) {
			p.words(y, reg.Y4, reg.Y5)
			p.VPMULLW(s, reg.Y4, reg.Y4)
			p.VPMULLW(s, reg.Y5, reg.Y5)
			p.store(reg.Y4, 8*part+2*i)
			p.store(reg.Y5, 8*part+2*i+1)
		}
	}
}

// expandedHalves writes codes with zero point 64, and their scales as float32.
func (p *pack) expandedHalves() {
	p.expandedBytes(64)
	s := reg.Y8
	dwords(p.gen, p.rowGroups, kinds.ExpandedS, s, reg.Y9)
	p.VPSRLD(operand.Imm(16), s, reg.Y1)
	p.VPSLLD(operand.Imm(16), s, reg.Y0)
	p.VPSRLD(operand.Imm(16), reg.Y0, reg.Y0)
	for i, y := range ymm(0, 2) {
		p.VCVTDQ2PS(y, y)
		p.put(y, []int{panelSub0, panelSub1}[i])
	}
	p.VPXOR(reg.Y0, reg.Y0, reg.Y0)
	p.VPSLLW(operand.Imm(6), s, s)
	p.VPSUBW(s, reg.Y0, s)
	p.put(s, panelZero)
}

// emitStreamExpanded writes the kernels of expanded blocks with one scale for 32
// columns, or one for each 16. A register holds the 32 columns of a row.
func emitStreamExpanded(g *gen, name string, halves bool) {
	s := newStream(g, streamTier{}, name, "expanded blocks")
	g.loop(s.n, func() {
		s.fetch(128)
		s.VMOVDQU(operand.Mem{Base: s.a}, rowAct)
		for group, rows := range [][]reg.VecPhysical{ymm(2, 6), ymm(6, 10)} {
			for i, sum := range rows {
				s.sumExpanded(4*group+i, sum, halves)
			}
			s.VPHADDD(rows[1], rows[0], rows[0])
			s.VPHADDD(rows[3], rows[2], rows[2])
			s.VPHADDD(rows[2], rows[0], rows[0])
		}
		s.joinHalves(reg.Y2, reg.Y6)
		dwords(g, s.rowGroups, kinds.ExpandedD, reg.Y10, reg.Y11)
		s.addSums(reg.Y2, reg.Y10)
		s.advance(g, kinds.ExpandedSize)
		g.ADDQ(operand.U32(kinds.ActSize), s.a)
	})
	g.VMOVUPS(result, operand.Mem{Base: s.y})
	g.end()
}

// sumExpanded sets sum to the sums of four products of a row, or in halves to
// those times their scales. The unsigned factor is |w|, at most 62, and w's sign
// moves to the activation: two products are at most 2*62*127 = 15748.
func (s *stream) sumExpanded(row int, sum reg.VecPhysical, halves bool) {
	w, size := reg.Y10, reg.Y11
	s.VMOVDQU(s.at(row, 0), w)
	s.VPABSB(w, size)
	s.VPSIGNB(w, rowAct, w)
	s.VPMADDUBSW(w, size, sum)
	if !halves {
		s.VPMADDWD(ones, sum, sum)
		return
	}
	s.VPBROADCASTD(s.at(row, kinds.ExpandedS), w)
	s.VPSHUFB(s.constant("halfScales", halfScales()), w, w)
	s.VPMADDWD(w, sum, sum)
}

// halfScales returns the mask that copies the first word of dwords all over the
// lower half, and the second over the upper.
func halfScales() []byte {
	b := make([]byte, 32)
	for i := range b {
		b[i] = byte(i%2 + i/16*2)
	}
	return b
}
