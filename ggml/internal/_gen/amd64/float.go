package amd64

import (
	"fmt"

	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// Float products have sixteen running sums for every result, the lanes. Lanes
// 0-7 and 8-15 are summed one after the other where that lets more results
// share a load.

func emitFloat(g *gen) {
	emitDots(g)
	for _, typ := range []string{"F32", "F16", "BF16"} {
		emitFloatPack(g, typ)
	}
	emitFloatTiles(g)
	for _, typ := range []string{"F32", "F16", "BF16"} {
		emitThin(g, typ)
	}
	emitFold(g)
}

// step returns the bytes of sixteen values.
func step(typ string) int {
	if typ == "F32" {
		return 64
	}
	return 32
}

// widen loads eight values of any float type.
func (g *gen) widen(typ string, m operand.Mem, y reg.VecPhysical) {
	switch typ {
	case "F32":
		g.VMOVUPS(m, y)
	case "F16":
		g.VCVTPH2PS(m, y)
	case "BF16":
		g.VPMOVZXWD(m, y)
		g.VPSLLD(operand.Imm(16), y, y)
	}
}

// outs addresses sixteen places at a fixed distance, the lanes of a panel or of
// rows of activations: four groups of four.
type outs [4]rows

// newOuts loads the first place and the distance.
func newOuts(g *gen, first, distance string) outs {
	var o outs
	for i, base := range []reg.Register{reg.RDI, reg.R11, reg.R12, reg.R13} {
		o[i] = rows{base, reg.RAX, reg.RBX}
	}
	g.load(first, o[0].base)
	g.load(distance, o[0].stride)
	o[0].init(g)
	for i := 1; i < 4; i++ {
		g.LEAQ(operand.Mem{Base: o[i-1].base, Index: o[0].stride, Scale: 4}, o[i].base)
	}
	return o
}

// at returns the place of a lane.
func (o outs) at(lane int) operand.Mem { return o[lane/4].at(lane%4, 0) }

// move moves all places on.
func (o outs) move(g *gen, by operand.Op) {
	for _, r := range o {
		g.ADDQ(by, r.base)
	}
}

// transpose8 turns eight rows of eight float32 into eight columns, Y0 to Y7,
// which it hands out one by one. at returns where column 4*half of a row is.
func (g *gen) transpose8(at func(row, half int) operand.Mem, store func(column int, y reg.VecPhysical)) {
	for half := range 2 {
		in, mid := ymm(0, 4), ymm(4, 8)
		for i, y := range in { // rows i and i+4 side by side
			g.VMOVUPS(at(i, half), y.AsX())
			g.VINSERTF128(operand.Imm(1), at(i+4, half), y, y)
		}
		g.VUNPCKLPS(in[1], in[0], mid[0])
		g.VUNPCKHPS(in[1], in[0], mid[1])
		g.VUNPCKLPS(in[3], in[2], mid[2])
		g.VUNPCKHPS(in[3], in[2], mid[3])
		g.VUNPCKLPD(mid[2], mid[0], in[0])
		g.VUNPCKHPD(mid[2], mid[0], in[1])
		g.VUNPCKLPD(mid[3], mid[1], in[2])
		g.VUNPCKHPD(mid[3], mid[1], in[3])
		for i, y := range in {
			store(4*half+i, y)
		}
	}
}

// transpose16 turns eight rows of sixteen 16-bit values in Y0 to Y7 into columns
// in Y8 to Y15: column i in the low half of register 8+i, column 8+i in its high
// half.
func (g *gen) transpose16() {
	a, b := ymm(0, 8), ymm(8, 16)
	for i := range 4 { // pairs of rows; columns 0-3, then 4-7
		g.VPUNPCKLWD(a[2*i+1], a[2*i], b[i])
		g.VPUNPCKHWD(a[2*i+1], a[2*i], b[4+i])
	}
	for i := range 4 { // rows 0-3, then 4-7; columns 0 and 1, 2 and 3, ...
		g.VPUNPCKLDQ(b[2*i+1], b[2*i], a[2*i])
		g.VPUNPCKHDQ(b[2*i+1], b[2*i], a[2*i+1])
	}
	for i := range 2 { // a: columns 01, 23 of rows 0-3, of rows 4-7; then 45, 67
		for j := range 2 {
			low, high := a[4*i+j], a[4*i+2+j]
			g.VPUNPCKLQDQ(high, low, b[4*i+2*j])
			g.VPUNPCKHQDQ(high, low, b[4*i+2*j+1])
		}
	}
}

// widenX widens eight values in a register.
func (g *gen) widenX(typ string, from reg.VecPhysical, to reg.VecPhysical) {
	if typ == "F16" {
		g.VCVTPH2PS(from.AsX(), to)
		return
	}
	g.VPMOVZXWD(from.AsX(), to)
	g.VPSLLD(operand.Imm(16), to, to)
}

// emitFloatPack writes the kernel that unpacks eight rows into their part of a
// panel.
func emitFloatPack(g *gen, typ string) {
	g.fn("pack"+typ, "panel *float32, lane int, w *byte, stride, n, width int", fmt.Sprintf(`
pack%s unpacks eight rows of 16*n values, stride bytes apart, into their part
of a panel, whose columns are width bytes apart, and its lanes lane bytes.`, typ))
	w := [2]rows{{reg.RSI, reg.R8, reg.R9}, {reg.R10, reg.R8, reg.R9}}
	g.load("w", w[0].base)
	g.load("stride", w[0].stride)
	w[0].init(g)
	g.LEAQ(operand.Mem{Base: w[0].base, Index: w[0].stride, Scale: 4}, w[1].base)
	out := newOuts(g, "panel", "lane")
	g.load("n", reg.RCX)
	g.load("width", reg.RDX)
	g.loop(reg.RCX, func() {
		if typ == "F32" {
			for half := range 2 {
				g.transpose8(func(row, quarter int) operand.Mem {
					return w[row/4].at(row%4, 32*half+16*quarter)
				}, func(column int, y reg.VecPhysical) {
					g.VMOVUPS(y, out.at(8*half+column))
				})
			}
		} else {
			for i := range 8 {
				g.VMOVDQU(w[i/4].at(i%4, 0), ymm(0, 8)[i])
			}
			g.transpose16()
			for i, y := range ymm(8, 16) {
				low, high := ymm(0, 8)[i], ymm(0, 8)[(i+1)%8]
				g.widenX(typ, y, low)
				g.VMOVUPS(low, out.at(i))
				g.VEXTRACTI128(operand.Imm(1), y, high.AsX())
				g.widenX(typ, high, high)
				g.VMOVUPS(high, out.at(8+i))
			}
		}
		for _, r := range w {
			g.ADDQ(operand.U32(step(typ)), r.base)
		}
		out.move(g, reg.RDX)
	})
	g.end()
}

// emitLanes writes the kernel that sorts a row of activations by lanes.
func emitLanes(g *gen) {
	g.fn("sortLanes", "lanes *float32, lane int, x *float32, n int", `
sortLanes sorts 128*n values by lanes, which are lane bytes apart.`)
	out := newOuts(g, "lanes", "lane")
	g.load("x", reg.RSI)
	g.load("n", reg.RCX)
	g.loop(reg.RCX, func() {
		for half := range 2 {
			g.transpose8(func(row, quarter int) operand.Mem {
				return operand.Mem{Base: reg.RSI, Disp: 64*row + 32*half + 16*quarter}
			}, func(column int, y reg.VecPhysical) {
				g.VMOVUPS(y, out.at(8*half+column))
			})
		}
		g.ADDQ(operand.U32(512), reg.RSI)
		out.move(g, operand.Imm(32))
	})
	g.end()
}

// emitFold writes the kernel that ends the products.
func emitFold(g *gen) {
	g.fn("fold4", "y *float32, ldy int, lanes *float32, n int", `
fold4 folds the lanes of four results for each of n rows of y, ldy bytes apart.`)
	g.load("y", reg.RDI)
	g.load("ldy", reg.R10)
	g.load("lanes", reg.RSI)
	g.load("n", reg.RCX)
	g.loop(reg.RCX, func() {
		for row := range 4 { // 16 to 8 to 4
			y := ymm(0, 4)[row]
			lane := operand.Mem{Base: reg.RSI, Disp: 64 * row}
			g.VMOVUPS(lane, y)
			g.VADDPS(lane.Offset(32), y, y)
			g.VEXTRACTF128(operand.Imm(1), y, reg.X4)
			g.VADDPS(reg.X4, y.AsX(), y.AsX())
		}
		// Four to one, the rows side by side: after the transposition X4 to X7
		// hold lane 0, 1, 2, 3 of all rows.
		g.VUNPCKLPS(reg.X1, reg.X0, reg.X4)
		g.VUNPCKHPS(reg.X1, reg.X0, reg.X5)
		g.VUNPCKLPS(reg.X3, reg.X2, reg.X6)
		g.VUNPCKHPS(reg.X3, reg.X2, reg.X7)
		g.VMOVLHPS(reg.X6, reg.X4, reg.X0)
		g.VMOVHLPS(reg.X4, reg.X6, reg.X1)
		g.VMOVLHPS(reg.X7, reg.X5, reg.X2)
		g.VMOVHLPS(reg.X5, reg.X7, reg.X3)
		g.VADDPS(reg.X2, reg.X0, reg.X0)
		g.VADDPS(reg.X3, reg.X1, reg.X1)
		g.VADDPS(reg.X1, reg.X0, reg.X0)
		g.VMOVUPS(reg.X0, operand.Mem{Base: reg.RDI})
		g.ADDQ(reg.R10, reg.RDI)
		g.ADDQ(operand.U32(256), reg.RSI)
	})
	g.end()
}
