package arm64

import (
	"fmt"

	"mptgo/ggml/internal/_gen/kinds"
)

// blockType is a type and how its codes are unpacked to signed bytes, zero points taken off:
// all of them fit.
type blockType struct {
	kinds.Type
	zero  byte
	bytes bool // codes are signed bytes

	min    bool // a minimum for 32 columns
	halves bool // scales for 16 columns
	runs   *runs
}

// form returns the form of the type's panels.
func (t *blockType) form() kinds.Form {
	switch {
	case t.halves:
		return kinds.Halves
	case t.min:
		return kinds.Min
	}
	return kinds.Plain
}

var blockTypes = []blockType{
	{Type: kinds.Of("Q4_0"), zero: 8},
	{Type: kinds.Of("Q8_0"), bytes: true},
}

// The registers of constants.
const (
	nibble = 5 // 0x0f
	zero   = 6 // the zero point
)

// constants fills the registers that unpack needs.
func (t *blockType) constants(g *gen) {
	if t.bytes {
		return
	}
	g.copies(0x0f, nibble)
	if t.zero != 0 {
		g.copies(t.zero, zero)
	}
	if t.runs != nil && t.runs.high != nil {
		g.copies(t.runs.mask, highMask)
	}
}

// unpack sets low and high to codes 0-15 and 16-31 of a row.
func (t *blockType) unpack(g *gen, row string, low, high int) {
	g.p("FMOVQ %d(%s), F%d", t.Codes, row, low)
	if t.bytes {
		g.p("FMOVQ %d(%s), F%d", t.Codes+16, row, high)
		return
	}
	g.v("ushr v%d.16b, v%d.16b, #4", high, low)
	g.v("and v%d.16b, v%d.16b, v%d.16b", low, low, nibble)
	t.center(g, low, high)
}

// wide reports whether the products of four codes with activations do not fit
// int16.
func (t *blockType) wide() bool { return t.bytes }

// center takes the zero point off.
func (t *blockType) center(g *gen, low, high int) {
	if t.zero == 0 {
		return
	}
	for _, v := range []int{low, high} {
		g.v("sub v%d.16b, v%d.16b, v%d.16b", v, v, zero)
	}
}

var eightRows = []string{"R8", "R9", "R10", "R11", "R12", "R13", "R14", "R15"}

// loadScales sets scale to those of four rows.
func (t *blockType) loadScales(g *gen, rows []string, scale int) {
	for i, row := range rows {
		g.p("VLD1 (%s), V%d.H[%d]", row, scale, i)
	}
	g.v("fcvtl v%d.4s, v%d.4h", scale, scale)
}

// scalePair loads the pairs of bytes of four rows that belong to the run, int32: see
// transposePairs.
func scalePair(g *gen, group, first, second int) {
	g.p("FMOVD %d(%s), F%d", 64*group, runPairs, second)
	g.v("sxtl v%d.8h, v%d.8b", second, second)
	splitPairs(g, first, second)
}

// splitPairs splits the pairs of int16 in second.
func splitPairs(g *gen, first, second int) {
	g.v("shl v%d.4s, v%d.4s, #16", first, second)
	g.v("sshr v%d.4s, v%d.4s, #16", first, first)
	g.v("sshr v%d.4s, v%d.4s, #16", second, second)
}

// advance moves the pointers of eight rows on by n bytes.
func advance(g *gen, n int) {
	for _, row := range eightRows {
		g.p("ADD $%d, %s", n, row)
	}
}

// addRows sets sum to the sums over each of four registers.
func (g *gen) addRows(sum int, v [4]int) {
	g.v("addp v%d.4s, v%d.4s, v%d.4s", v[0], v[0], v[1])
	g.v("addp v%d.4s, v%d.4s, v%d.4s", v[2], v[2], v[3])
	g.v("addp v%d.4s, v%d.4s, v%d.4s", sum, v[0], v[2])
}

// describe returns the words for n blocks of the type.
func (t *blockType) describe() string {
	if t.Values == 256 {
		return "n blocks, eight of which are one of the file"
	}
	return "n blocks"
}

// function returns the name of a kernel of a tier.
func (t *blockType) function(verb string, isa tier) string {
	return fmt.Sprintf("%s%s%s", verb, t.Name, isa)
}
