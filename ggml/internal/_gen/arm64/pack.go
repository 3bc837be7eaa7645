package arm64

import (
	"fmt"

	"mptgo/ggml/internal/_gen/kinds"
)

// A panel is 16 rows of unpacked blocks. For 32 columns it has
//
//	bytes    0..63   the scales of the rows, float32
//	bytes   64..127  the minima, if the type has them
//	bytes   64..191  for types with scales for 16 columns those, int32
//	then 4 times 128 codes for eight columns each, int8: rows two by two, eight
//	codes of the first and eight of the second
//
// Everything is in the order of rows but the pairs, which are 0 1 4 5 2 3 6 7:
// so rows 8-15 are always 32 bytes behind rows 0-7.

// panelHead returns the bytes before the codes.
func panelHead(f kinds.Form) int {
	switch f {
	case kinds.Min:
		return 128
	case kinds.Halves:
		return 192
	}
	return 64
}

// panelSize returns the bytes for 32 columns.
func panelSize(f kinds.Form) int { return panelHead(f) + 512 }

// pairAt returns where the codes of a pair of rows are, for eight columns and
// within half a panel.
func (t *blockType) pairAt(columns, pair int) int {
	return panelHead(t.form()) + 128*columns + 64*(pair/2) + 16*(pair%2)
}

// fetchedLines is how many cache lines a pack kernel or a tile fetches for each
// block.
const fetchedLines = 4

func emitPack(g *gen) {
	for _, t := range blockTypes {
		newPack(g, &t, 0)
		g.loop("R3", 1, func() {
			g.fetch("R5", "R16", fetchedLines)
			for group := range 2 {
				t.loadScales(g, eightRows[4*group:4*group+4], 16)
				g.p("FMOVQ F16, %d(R0)", 16*group)
			}
			packPairs(g, &t, func(row string, low, high int) { t.unpack(g, row, low, high) })
			advance(g, t.Size)
		})
		g.end()
	}
	for _, t := range bigTypes {
		emitPackBig(g, &t)
	}
	emitPackExpanded(g)
}

func newPack(g *gen, t *blockType, frame int) {
	name := t.function("pack", neon)
	g.fn(name, "panel *byte, w *byte, stride int, n int, ahead uintptr, step int", frame, fmt.Sprintf(`
%s unpacks %s, of eight rows, stride bytes apart, into a panel.
For each block it fetches some lines at ahead and moves ahead by step.`, name, t.describe()))
	g.load("panel w stride n ahead step", "R0", "R1", "R2", "R3", "R5", "R16")
	g.rowPointers("R1", "R2", eightRows)
	t.constants(g)
}

// packPairs writes the codes of eight rows and moves the panel on.
func packPairs(g *gen, t *blockType, unpack func(row string, low, high int)) {
	for pair := range 4 {
		unpack(eightRows[2*pair], 24, 25)
		unpack(eightRows[2*pair+1], 26, 27)
		for half := range 2 {
			for part := range 2 {
				g.v("zip%d v30.2d, v%d.2d, v%d.2d", 1+part, 24+half, 26+half)
				g.p("FMOVQ F30, %d(R0)", t.pairAt(2*half+part, pair))
			}
		}
	}
	g.p("ADD $%d, R0", panelSize(t.form()))
}

func emitPackBig(g *gen, t *blockType) {
	newPack(g, t, pairBytes)
	g.p("MOVD $pairs-%d(SP), R6", pairBytes)
	g.loop("R3", 8, func() {
		t.begin(g)
		t.eachRun(g, func() {
			g.fetch("R5", "R16", fetchedLines)
			for group := range 2 {
				t.packScales(g, group)
			}
			packPairs(g, t, func(row string, low, high int) { t.unpackRun(g, row, low, high) })
		})
		advance(g, t.Size)
	})
	g.end()
}

// pairBytes is the size of the pairs of eight rows for eight runs.
const pairBytes = 128

// packScales writes the vectors of four rows at the start of the panel's block.
func (t *blockType) packScales(g *gen, group int) {
	if !t.halves {
		t.runScale(g, group, 16)
		g.p("FMOVQ F16, %d(R0)", 16*group)
		if t.min {
			g.p("FMOVQ F17, %d(R0)", 64+16*group)
		}
		return
	}
	g.p("FMOVQ F%d, %d(R0)", 11+group, 16*group)
	scalePair(g, group, 16, 17)
	g.p("FMOVQ F16, %d(R0)", 64+16*group)
	g.p("FMOVQ F17, %d(R0)", 128+16*group)
}

// expandedTypes are blocks that were expanded before: see mat/expand.go.
var expandedTypes = []blockType{
	{Type: kinds.Type{Name: "Expanded", Size: kinds.ExpandedSize}, bytes: true},
	{Type: kinds.Type{Name: "ExpandedHalves", Size: kinds.ExpandedSize}, bytes: true, halves: true},
}

func emitPackExpanded(g *gen) {
	for _, t := range expandedTypes {
		newPack(g, &t, 0)
		g.loop("R3", 1, func() {
			g.fetch("R5", "R16", fetchedLines)
			for group := range 2 {
				loadDwords(g, group, kinds.ExpandedD, 16)
				g.p("FMOVQ F16, %d(R0)", 16*group)
				if t.halves {
					loadDwords(g, group, kinds.ExpandedS, 17)
					splitPairs(g, 16, 17)
					g.p("FMOVQ F16, %d(R0)", 64+16*group)
					g.p("FMOVQ F17, %d(R0)", 128+16*group)
				}
			}
			packPairs(g, &t, func(row string, low, high int) { t.unpack(g, row, low, high) })
			advance(g, t.Size)
		})
		g.end()
	}
}

// loadDwords sets v to the dwords at offset of four rows. It uses R7.
func loadDwords(g *gen, group, offset, v int) {
	for i, row := range eightRows[4*group : 4*group+4] {
		g.p("ADD $%d, %s, R7", offset, row)
		g.p("VLD1 (R7), V%d.S[%d]", v, i)
	}
}
