package arm64

import "fmt"

// The two products of attention, query times key and weight times value, are
// the same kernel: C += A·B, where A holds a row of numbers for each query and
// the rows of B are read side by side, four columns to a register. Every
// element of C is one chain of fused multiply-adds that goes on from C.
func emitAttention(g *gen) {
	for _, typ := range []string{"F16", "F32"} {
		emitAttTile(g, typ)
		emitAttRow(g, typ)
	}
	emitBias(g)
	emitTop(g)
	emitExponentials(g)
	emitMerge(g)
	emitStoreColumn(g)
}

// tileRows is how many queries share a tile: att.QueryTile.
const tileRows = 6

// columns loads four numbers of B.
func columns(g *gen, typ string, column, v int) {
	if typ == "F32" {
		g.p("FMOVQ %d(R2), F%d", 4*column, v)
		return
	}
	g.p("FMOVD %d(R2), F%d", 2*column, v)
	g.v("fcvtl v%d.4s, v%d.4h", v, v)
}

// emitAttTile writes the kernel of six rows of sixteen columns.
//
//	V0..V23   C, four registers a row     R0  C, R19.. its rows   R6  bytes to the next
//	V24..V29  up to four elements of A    R8..R13  its rows
//	V30, V31  a part of a row of B        R2  B   R3  bytes to its next row
//	R4  rows of B left
func emitAttTile(g *gen, typ string) {
	name := "tile" + typ
	g.fn(name, "c *float32, ldc int, a *float32, lda int, b *byte, ldb, k int", 0, fmt.Sprintf(`
%s adds to six rows of sixteen columns of c the product of a, [6][k], and
b, [k][16]. Strides are in elements.`, name))
	g.load("c ldc a lda b ldb k", "R0", "R6", "R1", "R5", "R2", "R3", "R4")
	g.p("LSL $2, R6")
	g.p("LSL $2, R5")
	g.p("LSL $%d, R3", map[string]int{"F16": 1, "F32": 2}[typ])
	rows := []string{"R8", "R9", "R10", "R11", "R12", "R13"}
	g.rowPointers("R1", "R5", rows)
	results := []string{"R19", "R20", "R21", "R22", "R23", "R24"}
	g.rowPointers("R0", "R6", results)
	for r, c := range results {
		g.p("FLDPQ (%s), (F%d, F%d)", c, 4*r, 4*r+1)
		g.p("FLDPQ 32(%s), (F%d, F%d)", c, 4*r+2, 4*r+3)
	}
	multiply := func(lane int) {
		for i := range 4 {
			b := 30 + i%2
			columns(g, typ, 4*i, b)
			for r := range tileRows {
				g.v("fmla v%d.4s, v%d.4s, v%d.s[%d]", 4*r+i, b, 24+r, lane)
			}
		}
		g.p("ADD R3, R2")
	}
	g.while("R4", 4, func() {
		for r, a := range rows {
			g.p("FMOVQ.P 16(%s), F%d", a, 24+r)
		}
		for lane := range 4 {
			multiply(lane)
		}
	})
	g.while("R4", 1, func() {
		for r, a := range rows {
			g.p("FMOVS.P 4(%s), F%d", a, 24+r)
		}
		multiply(0)
	})
	for r, c := range results {
		g.p("FSTPQ (F%d, F%d), (%s)", 4*r, 4*r+1, c)
		g.p("FSTPQ (F%d, F%d), 32(%s)", 4*r+2, 4*r+3, c)
	}
	g.end()
}

// emitAttRow writes the kernel of one row: 32 columns at a time, then eight.
//
//	V0..V7  C   V16  an element of A   V20..V23  a part of a row of B
//	R0  C   R1, R7  A   R5, R2  B   R3  bytes to its next row
//	R6  rows of B   R8  those left   R4  columns left   R9  what to fetch   R10  step
func emitAttRow(g *gen, typ string) {
	name := "row" + typ
	g.fn(name, "c, a *float32, b *byte, ldb, k, width int, ahead uintptr, step int", 0, fmt.Sprintf(`
%s adds to width columns of c, a multiple of 8, the product of a, [k], and
b, [k][width]. Strides are in elements. For each row, and each 32 columns or
eight of the last, it fetches some lines at ahead and moves ahead by step.`, name))
	size := map[string]int{"F16": 2, "F32": 4}[typ]
	g.load("c a b ldb k width ahead step", "R0", "R1", "R5", "R3", "R6", "R4", "R9", "R10")
	g.p("LSL $%d, R3", size/2)
	for _, width := range []int{32, 8} {
		g.while("R4", width, func() {
			for i := range width / 4 {
				g.p("FMOVQ %d(R0), F%d", 16*i, i)
			}
			g.p("MOVD R1, R7")
			g.p("MOVD R5, R2")
			g.p("MOVD R6, R8")
			g.loop("R8", 1, func() {
				g.fetch("R9", "R10", size/2)
				g.p("FMOVS.P 4(R7), F16")
				for i := range width / 4 {
					b := 20 + i%4
					columns(g, typ, 4*i, b)
					g.v("fmla v%d.4s, v%d.4s, v16.s[0]", i, b)
				}
				g.p("ADD R3, R2")
			})
			for i := range width / 4 {
				g.p("FMOVQ.P F%d, 16(R0)", i)
			}
			g.p("ADD $%d, R5", width*size)
		})
	}
	g.end()
}

func emitBias(g *gen) {
	g.fn("biasx8", "s *float32, n int, slope float32, distance int", 0, `
biasx8 adds slope·(distance+j) to each of n scores, with one rounding after
that of distance+j.`)
	g.load("s n distance", "R0", "R4", "R1")
	g.loadFloat("slope", 16)
	g.p("VDUP R1, V17.S4")
	for i := range 4 { // V18 is 0 1 2 3
		g.p("MOVD $%d, R2", i)
		g.p("VMOV R2, V18.S[%d]", i)
	}
	g.v("add v17.4s, v17.4s, v18.4s")
	g.p("MOVD $4, R2")
	g.p("VDUP R2, V19.S4")
	g.v("add v18.4s, v17.4s, v19.4s")
	g.v("add v19.4s, v19.4s, v19.4s")
	g.loop("R4", 8, func() {
		g.load8("R0", 0)
		g.each("scvtf v%d.4s, v%d.4s", 2, 17)
		g.each("fmla v%d.4s, v%d.4s, v16.4s", 0, 2)
		g.each("add v%d.4s, v%d.4s, v19.4s", 17, 17)
		g.store8("R0", 0)
	})
	g.end()
}

func emitTop(g *gen) {
	g.fn("topx8", "s *float32, n int; top float32", 0, `
topx8 returns the largest of n scores, -Inf if all are NaNs.`)
	g.load("s n", "R0", "R4")
	g.p("MOVD $0xff800000, R1")
	g.p("VDUP R1, V0.S4")
	g.v("orr v1.16b, v0.16b, v0.16b")
	g.loop("R4", 8, func() {
		g.load8P("R0", 2)
		g.each("fmaxnm v%d.4s, v%d.4s, v%d.4s", 0, 0, 2)
	})
	g.v("fmaxnm v0.4s, v0.4s, v1.4s")
	g.v("fmaxnmv s0, v0.4s")
	g.p("FMOVS F0, top+%d(FP)", g.offset("top"))
	g.end()
}

func emitExponentials(g *gen) {
	g.fn("exponentialsx16", "sum *[16]float32, s *float32, n int, top float32", 0, `
exponentialsx16 replaces n scores by e^(s-top) and adds them to the lanes
of sum.`)
	g.load("sum s n", "R0", "R1", "R4")
	g.loadFloat("top", 31)
	expConstants(g)
	g.p("FLDPQ (R0), (F12, F13)")
	g.p("FLDPQ 32(R0), (F14, F15)")
	g.loop("R4", 16, func() {
		for half := range 2 {
			g.load8("R1", 0)
			g.each("fsub v%d.4s, v%d.4s, v31.4s", 0, 0)
			exp(g, 0, 2, 4, 6)
			g.each("fadd v%d.4s, v%d.4s, v%d.4s", 12+2*half, 12+2*half, 2)
			g.store8("R1", 2)
		}
	})
	g.p("FSTPQ (F12, F13), (R0)")
	g.p("FSTPQ (F14, F15), 32(R0)")
	g.end()
}

func emitMerge(g *gen) {
	g.fn("mergex8", "output, partial *float32, n int, old, new float32", 0, `
mergex8 sets output to output·old + partial·new, the second product rounded.`)
	g.load("output partial n", "R0", "R1", "R4")
	g.loadFloat("old", 16)
	g.loadFloat("new", 17)
	g.loop("R4", 8, func() {
		g.load8("R0", 0)
		g.load8P("R1", 2)
		g.each("fmul v%d.4s, v%d.4s, v17.4s", 2, 2)
		g.each("fmla v%d.4s, v%d.4s, v16.4s", 2, 0)
		g.store8("R0", 2)
	})
	g.end()
}

// keyRow is the distance of neighbouring elements of a key: 2*att.KeyTile.
const keyRow = 64

func emitStoreColumn(g *gen) {
	g.fn("storeColumnx8", "dst *byte, src *float32, n int", 0, "storeColumnx8 works like storeColumnGeneric.")
	g.load("dst src n", "R0", "R1", "R4")
	g.p("MOVD $%d, R2", keyRow)
	g.loop("R4", 8, func() {
		g.load8P("R1", 0)
		narrow(g)
		for i := range 8 {
			g.p("VST1.P V2.H[%d], (R0)(R2)", i)
		}
	})
	g.end()
}
