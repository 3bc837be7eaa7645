package arm64

import "fmt"

// Float products have sixteen running sums for every result, the lanes: four
// registers.

func emitFloat(g *gen) {
	for _, typ := range []string{"F32", "F16", "BF16"} {
		emitDot(g, typ)
	}
	for _, typ := range []string{"F32", "F16", "BF16"} {
		emitFloatPack(g, typ)
	}
	for _, typ := range []string{"F32", "F16", "BF16"} {
		for tokens := 1; tokens <= 6; tokens++ {
			emitFloatTile(g, typ, tokens)
		}
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

// widen loads sixteen values of any float type into registers v to v+3, and
// moves the pointer behind them.
func (g *gen) widen(typ, pointer string, v int) {
	if typ == "F32" {
		g.p("FLDPQ (%s), (F%d, F%d)", pointer, v, v+1)
		g.p("FLDPQ 32(%s), (F%d, F%d)", pointer, v+2, v+3)
	} else {
		g.p("FLDPQ (%s), (F%d, F%d)", pointer, v+1, v+3)
		for _, i := range []int{v, v + 2} {
			g.widenPair(typ, i+1, i)
		}
	}
	g.p("ADD $%d, %s", step(typ), pointer)
}

// widenPair widens the eight values in from to registers to and to+1, which
// may be from.
func (g *gen) widenPair(typ string, from, to int) {
	if typ == "F16" {
		g.v("fcvtl v%d.4s, v%d.4h", to, from)
		g.v("fcvtl2 v%d.4s, v%d.8h", to+1, from)
		return
	}
	g.v("shll v%d.4s, v%d.4h, #16", to, from)
	g.v("shll2 v%d.4s, v%d.8h, #16", to+1, from)
}

var fourRows = []string{"R8", "R9", "R10", "R11"}

// emitDot writes the kernel for rows as they lie in the file.
//
//	V0..V15  lanes, four registers a row   V16..V19  activations   V20..V31  weights
func emitDot(g *gen, typ string) {
	name := "dot" + typ + "x1NEON"
	g.fn(name, "lanes *float32, w *byte, stride int, x *float32, ldx, n int, ahead uintptr, step int", 0, fmt.Sprintf(`
%s adds the products of four rows of 16*n values, stride bytes
apart, with x to the lanes of four results. For 16 columns of a row it fetches a
line at ahead and moves ahead by step. There is only one row of activations,
whatever ldx.`, name))
	g.load("lanes w stride x n ahead step", "R0", "R1", "R2", "R3", "R4", "R5", "R6")
	g.rowPointers("R1", "R2", fourRows)
	for i := 0; i < 16; i += 2 {
		g.p("FLDPQ %d(R0), (F%d, F%d)", 16*i, i, i+1)
	}
	g.loop("R4", 1, func() {
		for range 4 {
			g.fetch("R5", "R6", 1)
		}
		g.widen("F32", "R3", 16)
		for row, pointer := range fourRows {
			w := 20 + row%3*4
			g.widen(typ, pointer, w)
			for i := range 4 {
				g.v("fmla v%d.4s, v%d.4s, v%d.4s", 4*row+i, w+i, 16+i)
			}
		}
	})
	for i := 0; i < 16; i += 2 {
		g.p("FSTPQ (F%d, F%d), %d(R0)", i, i+1, 16*i)
	}
	g.end()
}

// transpose turns eight rows of sixteen float32, whose pointers it moves on by
// move bytes, into columns and stores them from R0 on, R1 bytes apart. R0 moves on
// by out.
func (g *gen) transpose(move int, out string) {
	g.p("MOVD R0, R7")
	for quarter := range 4 {
		for group := range 2 { // of four rows: in V0-V3, by V4-V7, to V16, V18, ... or V17, V19, ...
			for i := range 4 {
				g.p("FMOVQ %d(%s), F%d", 16*quarter, eightRows[4*group+i], i)
			}
			g.v("zip1 v4.4s, v0.4s, v2.4s")
			g.v("zip2 v5.4s, v0.4s, v2.4s")
			g.v("zip1 v6.4s, v1.4s, v3.4s")
			g.v("zip2 v7.4s, v1.4s, v3.4s")
			for i := range 2 {
				g.v("zip1 v%d.4s, v%d.4s, v%d.4s", 16+4*i+group, 4+i, 6+i)
				g.v("zip2 v%d.4s, v%d.4s, v%d.4s", 18+4*i+group, 4+i, 6+i)
			}
		}
		for i := range 4 {
			g.storeColumn(16+2*i, 17+2*i)
		}
	}
	g.moveRows(move)
	g.p("ADD %s, R0", out)
}

// storeColumn stores two registers at R7 and moves it on to the next lane.
func (g *gen) storeColumn(a, b int) {
	g.p("FSTPQ (F%d, F%d), (R7)", a, b)
	g.p("ADD R1, R7")
}

func (g *gen) moveRows(bytes int) {
	for _, r := range eightRows {
		g.p("ADD $%d, %s", bytes, r)
	}
}

// transposeHalves does the same with eight rows of sixteen 16-bit values, which
// it widens. R0 moves on by R5.
func (g *gen) transposeHalves(typ string) {
	g.p("MOVD R0, R7")
	for half := range 2 {
		for i, r := range eightRows {
			g.p("FMOVQ %d(%s), F%d", 16*half, r, i)
		}
		for i := range 4 { // pairs of rows; columns 0-3, then 4-7
			g.v("zip1 v%d.8h, v%d.8h, v%d.8h", 16+i, 2*i, 2*i+1)
			g.v("zip2 v%d.8h, v%d.8h, v%d.8h", 20+i, 2*i, 2*i+1)
		}
		for i := range 4 { // rows 0-3, then 4-7; columns 0 and 1, 2 and 3, ...
			g.v("zip1 v%d.4s, v%d.4s, v%d.4s", 2*i, 16+2*i, 17+2*i)
			g.v("zip2 v%d.4s, v%d.4s, v%d.4s", 2*i+1, 16+2*i, 17+2*i)
		}
		for i := range 4 {
			low := i/2*4 + i%2
			g.v("zip1 v%d.2d, v%d.2d, v%d.2d", 16, low, low+2)
			g.v("zip2 v%d.2d, v%d.2d, v%d.2d", 17, low, low+2)
			for column := 16; column < 18; column++ {
				g.widenPair(typ, column, 18)
				g.storeColumn(18, 19)
			}
		}
	}
	g.moveRows(32)
	g.p("ADD R5, R0")
}

// emitFloatPack writes the kernel that unpacks eight rows into their part of a
// panel.
func emitFloatPack(g *gen, typ string) {
	name := "pack" + typ + "NEON"
	g.fn(name, "panel *float32, lane int, w *byte, stride, n, width int", 0, fmt.Sprintf(`
%s unpacks eight rows of 16*n values, stride bytes apart, into their part
of a panel, whose columns are width bytes apart, and its lanes lane bytes.`, name))
	g.load("panel lane w stride n width", "R0", "R1", "R2", "R3", "R4", "R5")
	g.rowPointers("R2", "R3", eightRows)
	g.loop("R4", 1, func() {
		if typ == "F32" {
			g.transpose(64, "R5")
		} else {
			g.transposeHalves(typ)
		}
	})
	g.end()
}

// emitSort writes the kernel that sorts a row of activations by lanes.
func emitSort(g *gen) {
	g.fn("sortLanes", "lanes *float32, lane int, x *float32, n int", 0, `
sortLanes sorts 128*n values by lanes, which are lane bytes apart.`)
	g.load("lanes lane x n", "R0", "R1", "R2", "R4")
	g.p("MOVD $64, R3")
	g.rowPointers("R2", "R3", eightRows)
	g.loop("R4", 1, func() { g.transpose(512, "$32") })
	g.end()
}

// emitFloatTile writes the kernel of a panel times one to six rows of
// activations.
//
//	V0..V23  sums, four registers for a row of activations
//	V24..V27 sixteen rows of weights   V28..V31 a value of an activation row
func emitFloatTile(g *gen, typ string, tokens int) {
	name := fmt.Sprintf("tile%sx%dNEON", typ, tokens)
	g.fn(name, "y *float32, ldy int, older *float32, level, levels int, panel *byte, n int, x *float32, ldx, tiles int, ahead uintptr, step int", 0, fmt.Sprintf(`
%s sets y to the sums of a lane of a panel, n columns, with a number
of tiles of %d rows of activations each, ldx bytes apart, plus the sums of older
lanes: of a number of levels, level bytes apart. Every few columns it fetches a
line at ahead and moves ahead by step.`, name, tokens))
	g.load("y ldy older level ahead step x ldx tiles", "R0", "R1", "R2", "R3", "R5", "R6", "R17", "R16", "R15")
	x := eightRows[:tokens]
	columns := func(count int) {
		for i := range count {
			if i%2 == 0 {
				g.p("PRFM %d(R17), PLDL1KEEP", 4*tokens*i)
			}
			g.widen(typ, "R7", 24)
			for t, pointer := range x {
				v := 28 + t%4
				g.p("VLD1R.P 4(%s), [V%d.S4]", pointer, v)
				for j := range 4 {
					g.v("fmla v%d.4s, v%d.4s, v%d.4s", 4*t+j, 24+j, v)
				}
			}
		}
		g.p("ADD $%d, R17", 4*tokens*count)
		g.p("PRFM (R5), PLDL2KEEP")
		g.p("ADD R6, R5")
	}
	g.loop("R15", 1, func() {
		g.load("panel n", "R7", "R4")
		g.rowPointers("R17", "R16", x)
		g.p("ADD R16, %s, R17", x[tokens-1]) // the next tile
		g.p("MOVD R17, R19")
		for i := range 4 * tokens {
			g.clear(i)
		}
		g.while("R4", 4, func() { columns(4) })
		g.while("R4", 1, func() { columns(1) })
		g.p("MOVD R19, R17")
		g.load("levels", "R4")
		g.p("MOVD R2, R7")
		g.while("R4", 1, func() {
			for i := range 4 * tokens {
				g.p("FMOVQ %d(R7), F%d", 16*i, 24+i%8)
				g.v("fadd v%d.4s, v%d.4s, v%d.4s", i, i, 24+i%8)
			}
			g.p("ADD R3, R7")
		})
		g.p("ADD $%d, R2", 64*tokens)
		for t := range tokens {
			g.p("FSTPQ (F%d, F%d), (R0)", 4*t, 4*t+1)
			g.p("FSTPQ (F%d, F%d), 32(R0)", 4*t+2, 4*t+3)
			g.p("ADD R1, R0")
		}
	})
	g.end()
}

// emitFold writes the kernel that ends the products.
func emitFold(g *gen) {
	g.fn("fold4NEON", "y *float32, ldy int, lanes *float32, n int", 0, `
fold4NEON folds the lanes of four results for each of n rows of y, ldy bytes apart.`)
	g.load("y ldy lanes n", "R0", "R1", "R2", "R3")
	g.loop("R3", 1, func() {
		for row := range 4 { // 16 to 8 to 4
			v := 4 * row
			g.p("FLDPQ %d(R2), (F%d, F%d)", 64*row, v, v+1)
			g.p("FLDPQ %d(R2), (F%d, F%d)", 64*row+32, v+2, v+3)
			g.v("fadd v%d.4s, v%d.4s, v%d.4s", v, v, v+2)
			g.v("fadd v%d.4s, v%d.4s, v%d.4s", v+1, v+1, v+3)
			g.v("fadd v%d.4s, v%d.4s, v%d.4s", v, v, v+1)
		}
		for pair := range 2 { // to 2, two rows side by side
			v := 8 * pair
			g.v("zip1 v%d.2d, v%d.2d, v%d.2d", v+1, v, v+4)
			g.v("zip2 v%d.2d, v%d.2d, v%d.2d", v+2, v, v+4)
			g.v("fadd v%d.4s, v%d.4s, v%d.4s", v, v+1, v+2)
		}
		g.v("faddp v0.4s, v0.4s, v8.4s")
		g.p("FMOVQ F0, (R0)")
		g.p("ADD R1, R0")
		g.p("ADD $256, R2")
	})
	g.end()
}
