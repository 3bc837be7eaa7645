package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// Float products have sixteen running sums for every result, the lanes. Lanes
// 0-7 and 8-15 are summed one after the other where that lets more results
// share a load.

func emitFloat(g *gen) {
	for _, typ := range []string{"F32", "F16", "BF16"} {
		emitDot(g, typ)
	}
	for _, typ := range []string{"F32", "F16", "BF16"} {
		emitFloatPack(g, typ)
	}
	for tokens := 2; tokens <= 3; tokens++ {
		emitFloatTile(g, tokens)
	}
	emitFold(g)
}

// floatLines is how many cache lines a pack kernel or a tile fetches for each 16
// columns.
const floatLines = 2

// step returns the bytes of sixteen values.
func step(typ string) int {
	if typ == "F32" {
		return 64
	}
	return 32
}

// widen loads eight values of any float type.
func (g *gen) widen(typ string, m Mem, y reg.VecPhysical) {
	switch typ {
	case "F32":
		g.VMOVUPS(m, y)
	case "F16":
		g.VCVTPH2PS(m, y)
	case "BF16":
		g.VPMOVZXWD(m, y)
		g.VPSLLD(Imm(16), y, y)
	}
}

// fourRows loads the parameters w and stride.
func fourRows(g *gen) rows {
	w := rows{reg.RSI, reg.R8, reg.R9}
	g.load("w", w.base)
	g.load("stride", w.stride)
	w.init(g)
	return w
}

// emitDot writes the kernel for rows as they lie in the file. It fetches
// its share of the next strip, like the stream kernels.
func emitDot(g *gen, typ string) {
	g.fn("dot"+typ, "lanes *float32, w *byte, stride int, x *float32, n int, ahead uintptr, step int", fmt.Sprintf(`
dot%s adds the products of four rows of 16*n values, stride bytes
apart, with x to the lanes of four results. For each 16 columns it fetches
some lines at ahead and moves ahead by step.`, typ))
	sums, x := ymm(0, 8), ymm(8, 10)
	lanes := Mem{Base: reg.RDI}
	w := fourRows(g)
	g.load("lanes", reg.RDI)
	g.load("x", reg.RDX)
	g.load("n", reg.RCX)
	g.load("ahead", reg.R11)
	g.load("step", reg.R12)
	for i, y := range sums {
		g.VMOVUPS(lanes.Offset(32*i), y)
	}
	g.loop(reg.RCX, func() {
		g.fetch(reg.R11, reg.R12, 4*step(typ)/64)
		for half, y := range x {
			g.VMOVUPS(Mem{Base: reg.RDX, Disp: 32 * half}, y)
		}
		for i, sum := range sums {
			v := ymm(10, 16)[i%6]
			g.widen(typ, w.at(i/2, i%2*step(typ)/2), v)
			g.VFMADD231PS(x[i%2], v, sum)
		}
		g.ADDQ(U32(step(typ)), w.base)
		g.ADDQ(U32(64), reg.RDX)
	})
	for i, y := range sums {
		g.VMOVUPS(y, lanes.Offset(32*i))
	}
	g.end()
}

// emitFloatPack writes the kernel that unpacks four rows into a panel: for each
// 16 columns lanes 0-7 of the four rows, then lanes 8-15.
func emitFloatPack(g *gen, typ string) {
	g.fn("pack"+typ, "panel *float32, w *byte, stride int, n int, ahead uintptr, step int", fmt.Sprintf(`
pack%s unpacks four rows of 16*n values, stride bytes apart, into a panel.
For each 16 columns it fetches some lines at ahead and moves ahead by step.`, typ))
	w := fourRows(g)
	g.load("panel", reg.RDI)
	g.load("n", reg.RCX)
	g.load("ahead", reg.R12)
	g.load("step", reg.R13)
	g.loop(reg.RCX, func() {
		g.fetch(reg.R12, reg.R13, floatLines)
		for i := range 8 {
			g.widen(typ, w.at(i%4, i/4*step(typ)/2), ymm(0, 8)[i])
			g.VMOVUPS(ymm(0, 8)[i], Mem{Base: reg.RDI, Disp: 32 * i})
		}
		g.ADDQ(U32(step(typ)), w.base)
		g.ADDQ(U32(256), reg.RDI)
	})
	g.end()
}

// emitFloatTile writes the kernel of four rows times two or three tokens.
func emitFloatTile(g *gen, tokens int) {
	name := fmt.Sprintf("tileFloatx%d", tokens)
	g.fn(name, "lanes *float32, panel *float32, n int, x *float32, ldx int, ahead uintptr, step int", fmt.Sprintf(`
%s adds the products of a panel of 16*n columns with %d rows of
activations, ldx bytes apart, to the lanes of four results for each. For each 16
columns it fetches some lines at ahead and moves ahead by step.`, name, tokens))
	g.load("ahead", reg.R12)
	g.load("step", reg.R13)
	w := reg.Y15
	x := rows{reg.RDX, reg.R8, reg.R9}
	for half := range 2 {
		g.load("lanes", reg.RDI)
		g.load("panel", reg.RSI)
		g.load("x", x.base)
		g.load("ldx", x.stride)
		g.load("n", reg.RCX)
		lane := func(token, row int) Mem {
			return Mem{Base: reg.RDI, Disp: 256*token + 64*row + 32*half}
		}
		sum := func(token, row int) reg.VecPhysical { return ymm(0, 12)[4*token+row] }
		for i := range 4 * tokens {
			g.VMOVUPS(lane(i/4, i%4), sum(i/4, i%4))
		}
		g.loop(reg.RCX, func() {
			if half == 0 {
				g.fetch(reg.R12, reg.R13, floatLines)
			}
			for i := range tokens {
				g.VMOVUPS(x.at(i, 32*half), ymm(12, 15)[i])
			}
			for row := range 4 {
				g.VMOVUPS(Mem{Base: reg.RSI, Disp: 128*half + 32*row}, w)
				for i := range tokens {
					g.VFMADD231PS(ymm(12, 15)[i], w, sum(i, row))
				}
			}
			g.ADDQ(U32(256), reg.RSI)
			g.ADDQ(U32(64), x.base)
		})
		for i := range 4 * tokens {
			g.VMOVUPS(sum(i/4, i%4), lane(i/4, i%4))
		}
	}
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
			lane := Mem{Base: reg.RSI, Disp: 64 * row}
			g.VMOVUPS(lane, y)
			g.VADDPS(lane.Offset(32), y, y)
			g.VEXTRACTF128(Imm(1), y, reg.X4)
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
		g.VMOVUPS(reg.X0, Mem{Base: reg.RDI})
		g.ADDQ(reg.R10, reg.RDI)
		g.ADDQ(U32(256), reg.RSI)
	})
	g.end()
}
