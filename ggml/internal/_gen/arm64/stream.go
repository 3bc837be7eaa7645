package arm64

import (
	"fmt"

	"mptgo/ggml/internal/_gen/kinds"
)

// A stream kernel multiplies eight rows of blocks, as they lie in the file,
// with one row of activations. All of this is meant to run at the speed at
// which memory delivers the rows: each step fetches its share of the next strip.
//
//	V0, V1    results             V2, V3  activations   V4  their scale and S
//	V5..V10   constants           V16..V23  sums, one register a row
//	V24, V25  codes               V26..V31  temporary
func emitStream(g *gen, isa tier) {
	for _, t := range blockTypes {
		emitStreamBlocks(g, isa, &t)
	}
	for _, t := range bigTypes {
		emitStreamBig(g, isa, &t)
	}
	for _, t := range expandedTypes {
		emitStreamExpanded(g, isa, &t)
	}
}

func newStream(g *gen, isa tier, t *blockType, frame int) {
	name := t.function("stream", isa)
	g.fn(name, "y *float32, w *byte, stride int, n int, a *byte, ahead uintptr, step int", frame, fmt.Sprintf(`
%s sets y to the products of eight rows of %s,
stride bytes apart, with a. For each block it fetches some lines at ahead and
moves ahead by step.`, name, t.describe()))
	g.load("y w stride n a ahead step", "R0", "R1", "R2", "R3", "R4", "R5", "R16")
	g.rowPointers("R1", "R2", eightRows)
	t.constants(g)
	g.clear(0)
	g.clear(1)
}

func emitStreamBlocks(g *gen, isa tier, t *blockType) {
	newStream(g, isa, t, 0)
	g.loop("R3", 1, func() {
		g.fetch("R5", "R16", (8*t.Size+63)/64)
		loadActs(g)
		for r, row := range eightRows {
			t.unpack(g, row, 24, 25)
			dotBlock(g, isa, t, 16+r)
		}
		for group := range 2 {
			rows := eightRows[4*group : 4*group+4]
			v := 16 + 4*group
			g.addRows(v, [4]int{v, v + 1, v + 2, v + 3})
			g.v("scvtf v%d.4s, v%d.4s", v, v)
			t.loadScales(g, rows, 26)
			g.v("fmul v26.4s, v26.4s, v4.s[0]")
			g.v("fmla v%d.4s, v26.4s, v%d.4s", group, v)
		}
		advance(g, t.Size)
	})
	g.p("FSTPQ (F0, F1), (R0)")
	g.end()
}

// loadActs loads a block of activations and moves on to the next.
func loadActs(g *gen) {
	g.p("FLDPQ (R4), (F2, F3)")
	g.p("FMOVQ %d(R4), F4", kinds.ActD)
	g.p("ADD $%d, R4", kinds.ActSize)
}

// dotBlock sets sum to the products of 32 codes with the activations. NEON's
// products are int16: four of them, or two if codes are bytes, fit.
func dotBlock(g *gen, isa tier, t *blockType, sum int) {
	if isa == dotprod {
		g.clear(sum)
		g.v("sdot v%d.4s, v24.16b, v2.16b", sum)
		g.v("sdot v%d.4s, v25.16b, v3.16b", sum)
		return
	}
	g.v("smull v28.8h, v24.8b, v2.8b")
	g.v("smlal2 v28.8h, v24.16b, v2.16b")
	if !t.wide() {
		g.v("smlal v28.8h, v25.8b, v3.8b")
		g.v("smlal2 v28.8h, v25.16b, v3.16b")
		g.v("saddlp v%d.4s, v28.8h", sum)
		return
	}
	g.v("smull v29.8h, v25.8b, v3.8b")
	g.v("smlal2 v29.8h, v25.16b, v3.16b")
	g.v("saddlp v%d.4s, v28.8h", sum)
	g.v("sadalp v%d.4s, v29.8h", sum)
}

// emitStreamBig writes the kernel of a type with blocks of 256 columns. V16..V19
// and V20..V23 are the sums over the halves of a run, four rows at a time, or those
// of eight rows.
func emitStreamBig(g *gen, isa tier, t *blockType) {
	newStream(g, isa, t, pairBytes)
	g.p("MOVD $pairs-%d(SP), R6", pairBytes)
	g.loop("R3", 8, func() {
		t.begin(g)
		t.eachRun(g, func() {
			g.fetch("R5", "R16", (t.Size+63)/64)
			loadActs(g)
			for group := range 2 {
				rows := eightRows[4*group : 4*group+4]
				if t.halves {
					t.addRunHalves(g, isa, group, rows)
				} else {
					t.addRun(g, isa, group, rows)
				}
			}
		})
		advance(g, t.Size)
	})
	g.p("FSTPQ (F0, F1), (R0)")
	g.end()
}

// addRun adds the products of a run of four rows to their results.
func (t *blockType) addRun(g *gen, isa tier, group int, rows []string) {
	for r, row := range rows {
		t.unpackRun(g, row, 24, 25)
		dotBlock(g, isa, t, 16+r)
	}
	g.addRows(16, [4]int{16, 17, 18, 19})
	g.v("scvtf v16.4s, v16.4s")
	t.runScale(g, group, 26)
	g.v("fmul v26.4s, v26.4s, v4.s[0]")
	g.v("fmla v%d.4s, v26.4s, v16.4s", group)
	if t.min {
		g.v("fmla v%d.4s, v27.4s, v4.s[1]", group)
	}
}

// addRunHalves does so with scales for 16 columns.
func (t *blockType) addRunHalves(g *gen, isa tier, group int, rows []string) {
	for r, row := range rows {
		t.unpackRun(g, row, 24, 25)
		dotHalf(g, isa, t, 16+r, 24, 2)
		dotHalf(g, isa, t, 20+r, 25, 3)
	}
	scalePair(g, group, 26, 27)
	addHalves(g, group, 11+group)
}

// addHalves adds the sums of both halves of four rows, times their scales, V26 and
// V27, to the results.
func addHalves(g *gen, group, scale int) {
	g.addRows(16, [4]int{16, 17, 18, 19})
	g.addRows(20, [4]int{20, 21, 22, 23})
	g.v("mul v16.4s, v16.4s, v26.4s")
	g.v("mla v16.4s, v20.4s, v27.4s")
	g.v("scvtf v16.4s, v16.4s")
	g.v("fmul v26.4s, v%d.4s, v4.s[0]", scale)
	g.v("fmla v%d.4s, v26.4s, v16.4s", group)
}

// emitStreamExpanded writes the kernel of blocks that were expanded before.
func emitStreamExpanded(g *gen, isa tier, t *blockType) {
	newStream(g, isa, t, 0)
	g.loop("R3", 1, func() {
		g.fetch("R5", "R16", 2)
		loadActs(g)
		for group := range 2 {
			rows := eightRows[4*group : 4*group+4]
			for r, row := range rows {
				t.unpack(g, row, 24, 25)
				if t.halves {
					dotHalf(g, isa, t, 16+r, 24, 2)
					dotHalf(g, isa, t, 20+r, 25, 3)
				} else {
					dotBlock(g, isa, t, 16+r)
				}
			}
			loadDwords(g, group, kinds.ExpandedD, 11)
			if t.halves {
				loadDwords(g, group, kinds.ExpandedS, 27)
				splitPairs(g, 26, 27)
				addHalves(g, group, 11)
				continue
			}
			g.addRows(16, [4]int{16, 17, 18, 19})
			g.v("scvtf v16.4s, v16.4s")
			g.v("fmul v26.4s, v11.4s, v4.s[0]")
			g.v("fmla v%d.4s, v26.4s, v16.4s", group)
		}
		advance(g, t.Size)
	})
	g.p("FSTPQ (F0, F1), (R0)")
	g.end()
}

// dotHalf sets sum to the products of 16 codes with as many activations.
func dotHalf(g *gen, isa tier, t *blockType, sum, codes, acts int) {
	if isa == dotprod {
		g.clear(sum)
		g.v("sdot v%d.4s, v%d.16b, v%d.16b", sum, codes, acts)
		return
	}
	g.v("smull v28.8h, v%d.8b, v%d.8b", codes, acts)
	g.v("smlal2 v28.8h, v%d.16b, v%d.16b", codes, acts)
	g.v("saddlp v%d.4s, v28.8h", sum)
}
