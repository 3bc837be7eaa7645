package arm64

import "mptgo/ggml/internal/_gen/kinds"

// Types whose blocks are 256 columns, eight runs of 32. Their layouts are told in
// the files of package mat that define them. Scales and minima smaller than a
// byte are first unpacked to a table on the stack, pairs of bytes for each run.

// runs is how a type's blocks of 256 columns are read.
type runs struct {
	tables int // of pairs of bytes

	constants func(g *gen)

	// pairs sets V16+i, for table 0, and V20+i to the pairs of a row.
	pairs func(g *gen, i int, row string)

	// unpack sets low and high to the codes of a run, zero points taken off by its
	// caller. It uses V28 and V29.
	unpack func(g *gen, run int, row string, low, high int)
}

// Registers of constants of single types.
const (
	mask1 = 7
	mask2 = 9
	mask3 = 10
)

var (
	q2k, q3k, q4k, q5k, q6k = kinds.Of("Q2_K"), kinds.Of("Q3_K"), kinds.Of("Q4_K"), kinds.Of("Q5_K"), kinds.Of("Q6_K")
	iq4xs                   = kinds.Of("IQ4_XS")
)

var bigTypes = []blockType{
	{Type: kinds.Of("Q6_K"), zero: 32, halves: true, runs: &runs{
		tables:    1,
		constants: func(g *gen) { g.copies(0x30, mask1) },
		pairs:     func(g *gen, i int, row string) { g.p("FMOVQ %d(%s), F%d", q6k.Small.From, row, 16+i) },
		unpack:    unpackQ6,
	}},
	{Type: kinds.Of("Q5_K"), min: true, runs: &runs{
		tables:    1,
		constants: func(g *gen) { g.copies(0x10, mask1) },
		pairs:     pairsSixBit,
		unpack: func(g *gen, run int, row string, low, high int) {
			unpackPlane(g, q5k.Codes, run, row, low, high)
			addBits(g, q5k.High, run, 4, mask1, row, low, high)
		},
	}},
	{Type: kinds.Of("Q4_K"), min: true, runs: &runs{
		tables:    1,
		constants: func(g *gen) {},
		pairs:     pairsSixBit,
		unpack: func(g *gen, run int, row string, low, high int) {
			unpackPlane(g, q4k.Codes, run, row, low, high)
		},
	}},
	{Type: kinds.Of("Q3_K"), zero: 4, halves: true, runs: &runs{
		tables: 1,
		constants: func(g *gen) {
			g.copies(3, mask1)
			g.copies(4, mask2)
			g.copies(32, mask3)
		},
		pairs: pairsQ3,
		unpack: func(g *gen, run int, row string, low, high int) {
			unpackTwoBits(g, q3k.Codes, run, row, low, high)
			addBits(g, q3k.High, run, 2, mask2, row, low, high)
		},
	}},
	{Type: kinds.Of("Q2_K"), halves: true, pairs: true, runs: &runs{
		tables:    2,
		constants: func(g *gen) { g.copies(3, mask1) },
		pairs: func(g *gen, i int, row string) {
			g.p("FMOVQ %d(%s), F%d", q2k.Small.From, row, 16+i)
			g.v("ushr v%d.16b, v%d.16b, #4", 20+i, 16+i)
			g.v("and v%d.16b, v%d.16b, v%d.16b", 16+i, 16+i, nibble)
		},
		unpack: func(g *gen, run int, row string, low, high int) {
			unpackTwoBits(g, q2k.Codes, run, row, low, high)
		},
	}},
	{Type: kinds.Of("IQ4_XS"), table: true, runs: &runs{
		tables:    1,
		constants: func(g *gen) { g.copies(32, mask3) },
		pairs:     pairsIQ4,
		unpack: func(g *gen, run int, row string, low, high int) {
			g.p("FMOVQ %d(%s), F%d", iq4xs.Codes+16*run, row, low)
			g.v("ushr v%d.16b, v%d.16b, #4", high, low)
			g.v("and v%d.16b, v%d.16b, v%d.16b", low, low, nibble)
			lookUp(g, low, high)
		},
	}},
}

// unpackRun sets low and high to the codes of a run.
func (t *blockType) unpackRun(g *gen, run int, row string, low, high int) {
	t.runs.unpack(g, run, row, low, high)
	t.center(g, low, high)
}

func unpackQ6(g *gen, run int, row string, low, high int) {
	half, j := run/4, run%4
	for i, v := range []int{low, high} {
		g.p("FMOVQ %d(%s), F%d", q6k.Codes+64*half+32*(j%2)+16*i, row, v)
		if j < 2 {
			g.v("and v%d.16b, v%d.16b, v%d.16b", v, v, nibble)
		} else {
			g.v("ushr v%d.16b, v%d.16b, #4", v, v)
		}
		addShifted(g, q6k.High+32*half+16*i, 2*j, 4, mask1, row, v)
	}
}

// unpackPlane loads a run of nibbles; two runs lie in the same bytes.
func unpackPlane(g *gen, offset, run int, row string, low, high int) {
	for i, v := range []int{low, high} {
		g.p("FMOVQ %d(%s), F%d", offset+run/2*32+16*i, row, v)
		if run%2 == 0 {
			g.v("and v%d.16b, v%d.16b, v%d.16b", v, v, nibble)
		} else {
			g.v("ushr v%d.16b, v%d.16b, #4", v, v)
		}
	}
}

// unpackTwoBits loads a run of codes of two bits; four runs lie in the same bytes.
func unpackTwoBits(g *gen, offset, run int, row string, low, high int) {
	for i, v := range []int{low, high} {
		g.p("FMOVQ %d(%s), F%d", offset+run/4*32+16*i, row, v)
		if run%4 > 0 {
			g.v("ushr v%d.16b, v%d.16b, #%d", v, v, run%4*2)
		}
		g.v("and v%d.16b, v%d.16b, v%d.16b", v, v, mask1)
	}
}

// addBits adds bit from of 32 bytes at offset as bit to.
func addBits(g *gen, offset, from, to, mask int, row string, low, high int) {
	for i, v := range []int{low, high} {
		addShifted(g, offset+16*i, from, to, mask, row, v)
	}
}

// addShifted adds the bits of 16 bytes at offset that mask has once bit from is
// moved to bit to.
func addShifted(g *gen, offset, from, to, mask int, row string, v int) {
	g.p("FMOVQ %d(%s), F28", offset, row)
	switch {
	case from < to:
		g.v("shl v28.16b, v28.16b, #%d", to-from)
	case from > to:
		g.v("ushr v28.16b, v28.16b, #%d", from-to)
	}
	g.v("and v28.16b, v28.16b, v%d.16b", mask)
	g.v("orr v%d.16b, v%d.16b, v28.16b", v, v)
}

// pairsSixBit unpacks the scales and minima of Q4_K and Q5_K, each scale with its
// minimum. It uses the place of the table, R7 and R17 to R21.
func pairsSixBit(g *gen, i int, row string) {
	a, b, c, x := "R17", "R19", "R20", "R21"
	for k, r := range []string{a, b, c} {
		g.p("MOVWU %d(%s), %s", q4k.Small.From+4*k, row, r)
	}
	g.p("ANDW $0x3f3f3f3f, %s, %s", a, x)
	g.p("MOVW %s, (R6)", x)
	g.p("ANDW $0x3f3f3f3f, %s, %s", b, x)
	g.p("MOVW %s, 8(R6)", x)
	joinBits(g, c, 0, a, 2, x, "R7")
	g.p("MOVW %s, 4(R6)", x)
	joinBits(g, c, 4, b, 2, x, "R7")
	g.p("MOVW %s, 12(R6)", x)
	g.p("FMOVD (R6), F24")
	g.p("FMOVD 8(R6), F25")
	g.v("zip1 v%d.16b, v24.16b, v25.16b", 16+i)
}

// joinBits sets x to four bytes: the low 4 bits of those of low, shifted right, and
// bits 4 and 5 of those of high, shifted right, or left if the shift is negative.
func joinBits(g *gen, low string, lowShift int, high string, highShift int, x, tmp string) {
	g.p("LSRW $%d, %s, %s", lowShift, low, x)
	g.p("ANDW $0x0f0f0f0f, %s", x)
	if highShift < 0 {
		g.p("LSLW $%d, %s, %s", -highShift, high, tmp)
	} else {
		g.p("LSRW $%d, %s, %s", highShift, high, tmp)
	}
	g.p("ANDW $0x30303030, %s", tmp)
	g.p("ORRW %s, %s", tmp, x)
}

// pairsQ3 unpacks the scales of Q3_K.
func pairsQ3(g *gen, i int, row string) {
	a, b, c, x := "R17", "R19", "R20", "R21"
	for k, r := range []string{a, b, c} {
		g.p("MOVWU %d(%s), %s", q3k.Small.From+4*k, row, r)
	}
	for k := range 4 {
		joinBits(g, []string{a, b}[k%2], k/2*4, c, 2*k-4, x, "R7")
		g.p("MOVW %s, %d(R6)", x, 4*k)
	}
	g.p("FMOVQ (R6), F%d", 16+i)
	g.v("sub v%d.16b, v%d.16b, v%d.16b", 16+i, 16+i, mask3)
}

// pairsIQ4 unpacks the scales of IQ4_XS, each with one that is not used.
func pairsIQ4(g *gen, i int, row string) {
	low, high, x := "R17", "R19", "R7"
	spread := func(r string, shift int, mask string) {
		g.p("LSL $%d, %s, %s", shift, r, x)
		g.p("ORR %s, %s", x, r)
		g.p("AND $%s, %s", mask, r)
	}
	g.p("MOVWU %d(%s), %s", iq4xs.Small.From+2, row, low)
	spread(low, 16, "0x0000ffff0000ffff")
	spread(low, 8, "0x00ff00ff00ff00ff")
	spread(low, 4, "0x0f0f0f0f0f0f0f0f")
	g.p("MOVHU %d(%s), %s", iq4xs.Small.From, row, high)
	spread(high, 24, "0x000000ff000000ff")
	spread(high, 12, "0x000f000f000f000f")
	spread(high, 6, "0x0303030303030303")
	g.p("LSL $4, %s, %s", high, high)
	g.p("ORR %s, %s", high, low)
	g.p("FMOVD %s, F24", low)
	g.v("sub v24.16b, v24.16b, v%d.16b", mask3)
	g.v("zip1 v%d.16b, v24.16b, v24.16b", 16+i)
}

// begin unpacks the scales of a block: those of 256 columns to V11 and V12, what
// minima are multiples of to V13 and V14, negative, and the tables to memory at R6.
func (t *blockType) begin(g *gen) {
	for group := range 2 {
		rows := eightRows[4*group : 4*group+4]
		loadHalves(g, rows, t.Scale(), 11+group)
		if len(t.Halves) > 1 {
			loadHalves(g, rows, t.Min(), 13+group)
			g.v("fneg v%d.4s, v%d.4s", 13+group, 13+group)
		}
	}
	for group := range 2 {
		g.p("ADD $%d, R6", 64*group)
		for i, row := range eightRows[4*group : 4*group+4] {
			t.runs.pairs(g, i, row)
		}
		g.p("SUB $%d, R6", 64*group)
		for table := range t.runs.tables {
			transposePairs(g, 16+4*table, 128*table+64*group)
		}
	}
}

// loadHalves sets v to the binary16 numbers at offset of four rows. It uses R7.
func loadHalves(g *gen, rows []string, offset, v int) {
	for i, row := range rows {
		g.p("ADD $%d, %s, R7", offset, row)
		g.p("VLD1 (R7), V%d.H[%d]", v, i)
	}
	g.v("fcvtl v%d.4s, v%d.4h", v, v)
}

// transposePairs writes the pairs of bytes of four rows, in four registers from v
// on, to a table: of the first run side by side, then of the next. It uses V24 to
// V27.
func transposePairs(g *gen, v, at int) {
	for i := range 2 {
		g.v("zip1 v%d.8h, v%d.8h, v%d.8h", 24+i, v+2*i, v+2*i+1)
		g.v("zip2 v%d.8h, v%d.8h, v%d.8h", 26+i, v+2*i, v+2*i+1)
	}
	for i := range 2 {
		g.v("zip1 v%d.4s, v%d.4s, v%d.4s", v+2*i, 24+2*i, 25+2*i)
		g.v("zip2 v%d.4s, v%d.4s, v%d.4s", v+2*i+1, 24+2*i, 25+2*i)
	}
	for i := range 4 {
		g.p("FMOVQ F%d, %d(R6)", v+i, at+16*i)
	}
}

// runScale sets v to the float32 scales of four rows for a run of a type without
// scales for 16 columns, and to their minima v+1 if it has those.
func (t *blockType) runScale(g *gen, run, group, v int) {
	scalePair(g, 0, run, group, v, v+1)
	g.v("scvtf v%d.4s, v%d.4s", v, v)
	g.v("fmul v%d.4s, v%d.4s, v%d.4s", v, v, 11+group)
	if t.min {
		g.v("scvtf v%d.4s, v%d.4s", v+1, v+1)
		g.v("fmul v%d.4s, v%d.4s, v%d.4s", v+1, v+1, 13+group)
	}
}
