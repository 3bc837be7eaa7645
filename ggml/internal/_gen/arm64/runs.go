package arm64

import (
	"fmt"

	"mptgo/ggml/internal/_gen/kinds"
)

// Types whose blocks are 256 columns, eight runs of 32. Their layouts are told in the files of
// package mat that define them. Scales and minima smaller than a byte are first unpacked to a
// table on the stack, a pair of bytes for each run and row. The runs are a loop: where their codes
// lie and by how much they are shifted is told by a table of constants.

// runs is how a type's blocks of 256 columns are read.
type runs struct {
	// pairs sets V16+i to the pairs of a row.
	pairs func(g *gen, i int, row string)

	// at says where the codes of a run begin, and by how many bits to the right.
	at func(run int) (offset, shift int)

	// high says it of the higher bits that mask has once they are shifted to the left, nil if
	// there are none.
	high func(run int) (offset, shift int)
	mask byte
}

var q4k, q5k, q6k = kinds.Of("Q4_K"), kinds.Of("Q5_K"), kinds.Of("Q6_K")

var bigTypes = []blockType{
	{Type: q6k, zero: 32, halves: true, runs: &runs{
		pairs: func(g *gen, i int, row string) { g.p("FMOVQ %d(%s), F%d", q6k.Small.From, row, 16+i) },
		at:    func(run int) (offset, shift int) { return q6k.Codes + run/4*64 + run%2*32, run % 4 / 2 * 4 },
		high:  func(run int) (offset, shift int) { return q6k.High + run/4*32, 4 - run%4*2 },
		mask:  0x30,
	}},
	{Type: q5k, min: true, runs: &runs{
		pairs: pairsSixBit,
		at:    plane(q5k.Codes),
		high:  func(run int) (offset, shift int) { return q5k.High, 4 - run },
		mask:  0x10,
	}},
	{Type: q4k, min: true, runs: &runs{pairs: pairsSixBit, at: plane(q4k.Codes)}},
}

// plane is the place of runs of nibbles; two lie in the same bytes.
func plane(codes int) func(run int) (offset, shift int) {
	return func(run int) (int, int) { return codes + run/2*32, run % 2 * 4 }
}

// The registers of the loop over the runs.
const (
	runTable   = "R22" // of constants, of the next run
	runPairs   = "R23" // of this run
	runsLeft   = "R20"
	codeOffset = "R24"
	highOffset = "R25"
	codeShift  = 15 // of bytes, to the left
	highShift  = 31
	highMask   = 7
)

// table writes the constants of the runs, 24 bytes each, and returns their symbol.
func (t *blockType) table(g *gen) string {
	name := "runs" + t.Name + "<>"
	if g.tables[name] {
		return name
	}
	if g.tables == nil {
		g.tables = map[string]bool{}
	}
	g.tables[name] = true
	fmt.Fprintf(&g.data, "\n// Where the runs of %s lie: codes, higher bits, and both shifts.\n", t.Name)
	for run := range 8 {
		offset, shift := t.runs.at(run)
		high, left := 0, 0
		if t.runs.high != nil {
			high, left = t.runs.high(run)
		}
		for i, v := range []uint64{uint64(offset), uint64(high), uint64(uint8(-shift)) | uint64(uint8(left))<<8} {
			fmt.Fprintf(&g.data, "DATA %s+%d(SB)/8, $%#x\n", name, 24*run+8*i, v)
		}
	}
	fmt.Fprintf(&g.data, "GLOBL %s(SB), RODATA|NOPTR, $%d\n", name, 24*8)
	return name
}

// eachRun is the loop over the runs of a block, whose scales begin has unpacked.
func (t *blockType) eachRun(g *gen, body func()) {
	g.p("MOVD $%s(SB), %s", t.table(g), runTable)
	g.p("MOVD R6, %s", runPairs)
	g.p("MOVD $8, %s", runsLeft)
	g.loop(runsLeft, 1, func() {
		g.p("LDP (%s), (%s, %s)", runTable, codeOffset, highOffset)
		g.p("ADD $16, %s", runTable)
		g.p("VLD1R.P 1(%s), [V%d.B16]", runTable, codeShift)
		g.p("VLD1R (%s), [V%d.B16]", runTable, highShift)
		g.p("ADD $7, %s", runTable)
		body()
		g.p("ADD $8, %s", runPairs)
	})
}

// unpackRun sets low and high to the codes of the run of a row. It uses V28 and R7.
func (t *blockType) unpackRun(g *gen, row string, low, high int) {
	g.p("ADD %s, %s, R7", codeOffset, row)
	g.p("FLDPQ (R7), (F%d, F%d)", low, high)
	for _, v := range []int{low, high} {
		g.v("ushl v%d.16b, v%d.16b, v%d.16b", v, v, codeShift)
		g.v("and v%d.16b, v%d.16b, v%d.16b", v, v, nibble)
	}
	if t.runs.high != nil {
		g.p("ADD %s, %s, R7", highOffset, row)
		for i, v := range []int{low, high} {
			g.p("FMOVQ %d(R7), F28", 16*i)
			g.v("ushl v28.16b, v28.16b, v%d.16b", highShift)
			g.v("and v28.16b, v28.16b, v%d.16b", highMask)
			g.v("orr v%d.16b, v%d.16b, v28.16b", v, v)
		}
	}
	t.center(g, low, high)
}

// pairsSixBit unpacks the scales and minima of Q4_K and Q5_K, each scale with its
// minimum. It uses the place of the pairs, R7 and R17 to R21.
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

// begin unpacks the scales of a block: those of 256 columns to V11 and V12, what
// minima are multiples of to V13 and V14, negative, and the pairs to memory at R6.
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
		transposePairs(g, 64*group)
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

// transposePairs writes the pairs of bytes of four rows, in V16 to V19, to the table: of
// the first run side by side, then of the next. It uses V24 to V27.
func transposePairs(g *gen, at int) {
	const v = 16
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
func (t *blockType) runScale(g *gen, group, v int) {
	scalePair(g, group, v, v+1)
	g.v("scvtf v%d.4s, v%d.4s", v, v)
	g.v("fmul v%d.4s, v%d.4s, v%d.4s", v, v, 11+group)
	if t.min {
		g.v("scvtf v%d.4s, v%d.4s", v+1, v+1)
		g.v("fmul v%d.4s, v%d.4s, v%d.4s", v+1, v+1, 13+group)
	}
}
