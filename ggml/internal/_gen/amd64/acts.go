package amd64

import (
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"

	"mptgo/ggml/internal/_gen/kinds"
)

// infBits are the bits of +Inf.
const infBits = 0x7f800000

// emitActs writes the kernel that quantises activations.
func emitActs(g *gen) {
	g.fn("quantizeActs", "blocks *byte, wide *byte, x *float32, n int", `
quantizeActs works like quantizeGeneric on n blocks.`)
	g.load("blocks", reg.RDI)
	g.load("wide", reg.RSI)
	g.load("x", reg.RDX)
	g.load("n", reg.RCX)
	a := &acts{gen: g, block: operand.Mem{Base: reg.RDI}, wide: operand.Mem{Base: reg.RSI}, x: operand.Mem{Base: reg.RDX}}
	g.VPCMPEQD(noSign, noSign, noSign)
	g.VPSRLD(operand.Imm(1), noSign, noSign)
	g.ones16(ones)
	g.MOVL(operand.U32(0x42fe0000), reg.EAX) // 127
	g.VMOVD(reg.EAX, top127.AsX())
	g.MOVL(operand.U32(0x41000000), reg.EAX) // 8
	g.VMOVD(reg.EAX, eight.AsX())
	g.loop(reg.RCX, func() {
		a.largest()
		a.scales()
		a.codes()
		a.sums()
		g.Label("next")
		g.ADDQ(operand.U32(kinds.ActSize), reg.RDI)
		g.ADDQ(operand.U32(kinds.WideSize), reg.RSI)
		g.ADDQ(operand.U32(128), reg.RDX)
	})
	g.end()
	a.special()
	emitLanes(g)
}

// acts is the kernel under construction. Y0 to Y3 hold a block.
type acts struct {
	*gen
	block, wide, x operand.Mem
}

var (
	noSign = reg.Y14
	top127 = reg.X13
	eight  = reg.X12
	scale  = reg.X6
)

// largest sets EAX and X4 to the largest magnitude: they order like their bits.
func (a *acts) largest() {
	for i, y := range ymm(0, 4) {
		a.VMOVUPS(a.x.Offset(32*i), y)
		a.VPAND(noSign, y, ymm(4, 8)[i])
	}
	a.VPMAXUD(reg.Y5, reg.Y4, reg.Y4)
	a.VPMAXUD(reg.Y7, reg.Y6, reg.Y6)
	a.VPMAXUD(reg.Y6, reg.Y4, reg.Y4)
	a.VEXTRACTI128(operand.Imm(1), reg.Y4, reg.X5)
	a.VPMAXUD(reg.X5, reg.X4, reg.X4)
	a.VPSHUFD(operand.Imm(0x4e), reg.X4, reg.X5)
	a.VPMAXUD(reg.X5, reg.X4, reg.X4)
	a.VPSHUFD(operand.Imm(0xb1), reg.X4, reg.X5)
	a.VPMAXUD(reg.X5, reg.X4, reg.X4)
	a.VMOVD(reg.X4, reg.EAX)
}

// scales sets the scale and its inverse, Y5, or goes to special.
func (a *acts) scales() {
	a.CMPL(reg.EAX, operand.U32(infBits))
	a.JAE(operand.LabelRef("notFinite"))
	a.VDIVSS(reg.X4, top127, reg.X5)
	a.VMOVD(reg.X5, reg.EBX)
	a.CMPL(reg.EBX, operand.U32(infBits))
	a.JE(operand.LabelRef("zero"))
	a.VDIVSS(top127, reg.X4, scale)
	a.VMOVSS(scale, a.block.Offset(kinds.ActD))
	a.VMOVSS(scale, a.wide.Offset(kinds.WideD))
	a.VBROADCASTSS(reg.X5, reg.Y5)
}

// codes sets Q of both blocks and leaves its halves, int16, in Y0 and Y1.
func (a *acts) codes() {
	for _, y := range ymm(0, 4) {
		a.VMULPS(reg.Y5, y, y)
		a.VCVTPS2DQ(y, y)
	}
	a.VPACKSSDW(reg.Y1, reg.Y0, reg.Y0)
	a.VPACKSSDW(reg.Y3, reg.Y2, reg.Y1)
	for i, y := range ymm(0, 2) {
		a.VPERMQ(operand.Imm(0xd8), y, y)
		a.VMOVDQU(y, a.wide.Offset(32*i))
	}
	a.VPACKSSWB(reg.Y1, reg.Y0, reg.Y2)
	a.VPERMQ(operand.Imm(0xd8), reg.Y2, reg.Y2)
	a.VMOVDQU(reg.Y2, a.block)
}

// sums sets S, Zero8 and Half.
func (a *acts) sums() {
	for i, y := range ymm(0, 2) {
		a.VPMADDWD(ones, y, y)
		x := []reg.Register{reg.X0, reg.X1}[i]
		a.VEXTRACTI128(operand.Imm(1), y, reg.X2)
		a.VPADDD(reg.X2, x, x)
	}
	a.VPHADDD(reg.X1, reg.X0, reg.X0)
	a.VPHADDD(reg.X0, reg.X0, reg.X0) // sums of the halves in lanes 0 and 1
	a.VPACKSSDW(reg.X0, reg.X0, reg.X1)
	a.VMOVD(reg.X1, a.block.Offset(kinds.ActHalf))
	a.VPHADDD(reg.X0, reg.X0, reg.X0)
	a.VCVTDQ2PS(reg.X0, reg.X0)
	a.VMULSS(reg.X0, scale, reg.X1)
	a.VMOVSS(reg.X1, a.block.Offset(kinds.ActS))
	a.VMULSS(reg.X0, eight, reg.X0)
	a.VMOVSS(reg.X0, a.block.Offset(kinds.ActZero8))
}

// special writes blocks without codes: those that are not finite, and those
// that count as zero.
func (a *acts) special() {
	a.Label("notFinite")
	a.MOVL(operand.U32(infBits|1<<22), reg.EAX)
	a.JMP(operand.LabelRef("empty"))
	a.Label("zero")
	a.XORL(reg.EAX, reg.EAX)
	a.Label("empty")
	a.VPXOR(reg.Y0, reg.Y0, reg.Y0)
	a.VMOVDQU(reg.Y0, a.block)
	a.VMOVDQU(reg.Y0, a.wide)
	a.VMOVDQU(reg.Y0, a.wide.Offset(32))
	a.VMOVDQU(reg.X0, a.block.Offset(kinds.ActD))
	a.MOVL(reg.EAX, a.block.Offset(kinds.ActD))
	a.MOVL(reg.EAX, a.block.Offset(kinds.ActS))
	a.MOVL(reg.EAX, a.wide.Offset(kinds.WideD))
	a.JMP(operand.LabelRef("next"))
}
