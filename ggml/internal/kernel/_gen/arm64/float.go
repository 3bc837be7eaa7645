package main

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
	for tokens := 2; tokens <= 3; tokens++ {
		emitFloatTile(g, tokens)
	}
	emitFold(g)
}

// floatLines is how many cache lines a pack kernel or a tile fetches for each
// 16 columns.
const floatLines = 2

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
	name := "dot" + typ + "NEON"
	g.fn(name, "lanes *float32, w *byte, stride int, x *float32, n int, ahead uintptr, step int", 0, fmt.Sprintf(`
%s adds the products of four rows of 16*n values, stride bytes
apart, with x to the lanes of four results. For each 16 columns it fetches
some lines at ahead and moves ahead by step.`, name))
	g.load("lanes w stride x n ahead step", "R0", "R1", "R2", "R3", "R4", "R5", "R6")
	g.rowPointers("R1", "R2", fourRows)
	for i := 0; i < 16; i += 2 {
		g.p("FLDPQ %d(R0), (F%d, F%d)", 16*i, i, i+1)
	}
	g.loop("R4", 1, func() {
		g.fetch("R5", "R6", 4*step(typ)/64)
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

// emitFloatPack writes the kernel that unpacks four rows into a panel: for each
// 16 columns lanes 0-7 of the four rows, then lanes 8-15.
func emitFloatPack(g *gen, typ string) {
	name := "pack" + typ + "NEON"
	g.fn(name, "panel *float32, w *byte, stride int, n int, ahead uintptr, step int", 0, fmt.Sprintf(`
%s unpacks four rows of 16*n values, stride bytes apart, into a panel.
For each 16 columns it fetches some lines at ahead and moves ahead by step.`, name))
	g.load("panel w stride n ahead step", "R0", "R1", "R2", "R4", "R5", "R6")
	g.rowPointers("R1", "R2", fourRows)
	g.loop("R4", 1, func() {
		g.fetch("R5", "R6", floatLines)
		for row, pointer := range fourRows {
			v := 4 * row
			g.widen(typ, pointer, v)
			g.p("FSTPQ (F%d, F%d), %d(R0)", v, v+1, 32*row)
			g.p("FSTPQ (F%d, F%d), %d(R0)", v+2, v+3, 128+32*row)
		}
		g.p("ADD $256, R0")
	})
	g.end()
}

// emitFloatTile writes the kernel of four rows times two or three tokens, first
// for lanes 0-7, then for lanes 8-15.
//
//	V0..V23  lanes, two registers for each row of each token
//	V24..V29 activations   V30, V31  weights
func emitFloatTile(g *gen, tokens int) {
	name := fmt.Sprintf("tileFloatx%dNEON", tokens)
	g.fn(name, "lanes *float32, panel *float32, n int, x *float32, ldx int, ahead uintptr, step int", 0, fmt.Sprintf(`
%s adds the products of a panel of 16*n columns with %d rows of
activations, ldx bytes apart, to the lanes of four results for each. For each 16
columns it fetches some lines at ahead and moves ahead by step.`, name, tokens))
	g.load("ahead step", "R5", "R6")
	x := fourRows[:tokens]
	for half := range 2 {
		g.load("lanes panel n x ldx", "R0", "R1", "R4", "R3", "R2")
		g.p("ADD $%d, R3", 32*half)
		g.rowPointers("R3", "R2", x)
		lanes := func(load bool) {
			for i := range 4 * tokens {
				at, a, b := 64*i+32*half, 2*i, 2*i+1
				if load {
					g.p("FLDPQ %d(R0), (F%d, F%d)", at, a, b)
				} else {
					g.p("FSTPQ (F%d, F%d), %d(R0)", a, b, at)
				}
			}
		}
		lanes(true)
		g.loop("R4", 1, func() {
			if half == 0 {
				g.fetch("R5", "R6", floatLines)
			}
			for i, pointer := range x {
				g.p("FLDPQ (%s), (F%d, F%d)", pointer, 24+2*i, 25+2*i)
				g.p("ADD $64, %s", pointer)
			}
			for row := range 4 {
				g.p("FLDPQ %d(R1), (F30, F31)", 128*half+32*row)
				for i := range tokens {
					for j := range 2 {
						g.v("fmla v%d.4s, v%d.4s, v%d.4s", 8*i+2*row+j, 30+j, 24+2*i+j)
					}
				}
			}
			g.p("ADD $256, R1")
		})
		lanes(false)
	}
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
