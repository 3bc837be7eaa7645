package arm64

import "mptgo/ggml/internal/_gen/kinds"

// emitActs writes the kernel that quantises activations.
//
//	V0..V7  a block   F16  its largest magnitude   F17  127/F16   F18  the scale
//	F30  127   F31  8   R5  the bits of +Inf
func emitActs(g *gen) {
	g.fn("quantizeActs", "blocks *byte, wide *byte, x *float32, n int", 0, `
quantizeActs works like quantizeGeneric on n blocks.`)
	g.load("blocks wide x n", "R0", "R1", "R2", "R3")
	g.p("MOVD $0x42fe0000, R4")
	g.p("FMOVS R4, F30")
	g.p("FMOVS $8.0, F31")
	g.p("MOVD $0x7f800000, R5")
	g.loop("R3", 1, func() {
		largest(g)
		g.p("CMPW R5, R4")
		g.p("BHS notFinite")
		g.p("FDIVS F16, F30, F17")
		g.p("FMOVS F17, R6")
		g.p("CMPW R5, R6")
		g.p("BEQ zero")
		g.p("FDIVS F30, F16, F18")
		codes(g)
		sums(g)
		g.text.WriteString("\nnext:\n")
		g.p("ADD $%d, R0", kinds.ActSize)
		g.p("ADD $%d, R1", kinds.WideSize)
		g.p("ADD $128, R2")
	})
	g.end()
	special(g)
	emitSort(g)
}

// largest loads a block and sets R4 and F16 to the largest magnitude:
// magnitudes order like their bits.
func largest(g *gen) {
	for i := range 4 {
		g.p("FLDPQ %d(R2), (F%d, F%d)", 32*i, 2*i, 2*i+1)
	}
	for i := range 8 {
		g.v("fabs v%d.4s, v%d.4s", 16+i, i)
	}
	for n := 4; n > 0; n /= 2 {
		for i := range n {
			g.v("umax v%d.4s, v%d.4s, v%d.4s", 16+i, 16+i, 16+i+n)
		}
	}
	g.v("umaxv s16, v16.4s")
	g.p("FMOVS F16, R4")
}

// codes writes Q of both blocks and leaves it, as int16, in V0, V2, V4 and V6.
func codes(g *gen) {
	for i := range 8 {
		g.v("fmul v%d.4s, v%d.4s, v17.s[0]", i, i)
		g.v("fcvtns v%d.4s, v%d.4s", i, i)
	}
	for i := 0; i < 8; i += 2 {
		g.v("xtn v%d.4h, v%d.4s", i, i)
		g.v("xtn2 v%d.8h, v%d.4s", i, i+1)
		g.p("FMOVQ F%d, %d(R1)", i, 8*i)
	}
	for half := range 2 {
		g.v("xtn v%d.8b, v%d.8h", 8+half, 4*half)
		g.v("xtn2 v%d.16b, v%d.8h", 8+half, 4*half+2)
	}
	g.p("FSTPQ (F8, F9), (R0)")
}

// sums writes the other fields.
func sums(g *gen) {
	for half := range 2 {
		g.v("add v%d.8h, v%d.8h, v%d.8h", 10+half, 4*half, 4*half+2)
		g.v("addv h%d, v%d.8h", 10+half, 10+half)
		g.p("VMOV V%d.H[0], R%d", 10+half, 6+half)
		g.p("MOVH R%d, %d(R0)", 6+half, kinds.ActHalf+2*half)
		g.p("MOVH R%d, R%d", 6+half, 6+half)
	}
	g.p("ADDW R6, R7, R7")
	g.p("SCVTFWS R7, F19")
	g.p("FMULS F19, F18, F20")
	g.p("FMULS F19, F31, F21")
	g.p("FMOVS F18, %d(R0)", kinds.ActD)
	g.p("FMOVS F20, %d(R0)", kinds.ActS)
	g.p("FMOVS F21, %d(R0)", kinds.ActZero8)
	g.p("FMOVS F18, %d(R1)", kinds.WideD)
}

// special writes blocks without codes: those that are not finite, and those
// that count as zero.
func special(g *gen) {
	g.text.WriteString("\nnotFinite:\n")
	g.p("MOVD $0x7fc00000, R4")
	g.p("B empty")
	g.text.WriteString("\nzero:\n")
	g.p("MOVD ZR, R4")
	g.text.WriteString("\nempty:\n")
	g.clear(0)
	g.clear(1)
	g.p("FSTPQ (F0, F1), (R0)")
	g.p("FMOVQ F0, %d(R0)", kinds.ActD)
	g.p("FSTPQ (F0, F1), (R1)")
	g.p("FSTPQ (F0, F1), 32(R1)")
	g.p("MOVW R4, %d(R0)", kinds.ActD)
	g.p("MOVW R4, %d(R0)", kinds.ActS)
	g.p("MOVW R4, %d(R1)", kinds.WideD)
	g.p("B next")
}
