package arm64

import (
	"fmt"

	"mptgo/ggml/internal/_gen/kinds"
	"mptgo/ggml/internal/_gen/text"
)

// A tile kernel multiplies a panel with two to four tokens, rows of
// activations. It goes over the panel several times, each time with some of the
// 16 rows, so that all sums stay in registers.
func emitTiles(g *gen, isa tier) {
	for _, p := range kinds.ARM64 {
		for _, tokens := range tileHeights {
			emitTile(g, isa, p, tokens)
		}
	}
}

// tileHeights are the rows of activations that there are tiles for.
var tileHeights = []int{2, 3, 4}

// tile is a kernel under construction: one pass over the panel.
//
//	results, sums, products   from V0 on: float32 results, four rows of a token
//	                          each; sums over scaled halves in the same order; sums
//	                          of products, pairs of rows of a token or of two
//	acts, w, tmp              from there on
//
//	R0 results   R1 panel   R3 blocks left   R5, R16 ahead and step   R8.. tokens
type tile struct {
	*gen
	*blockType
	isa      tier
	tokens   int
	first    int // token of the pass
	rowPairs int // of rows in the pass

	sums, products, acts, w, tmp int // first registers
}

func emitTile(g *gen, isa tier, kind kinds.Panel, tokens int) {
	t := &blockType{min: kind.Form == kinds.Min, halves: kind.Form.HasHalves(), pairs: kind.Form == kinds.HalvesMin}
	name := text.TileName(kind, tokens, string(isa))
	g.fn(name, text.TileParams, 0, fmt.Sprintf(`
%s adds the products of a panel of n blocks with %d rows of
activations, lda bytes apart, to rows of y, ldy bytes apart. For each block it
fetches some lines at ahead and moves ahead by step.`, name, tokens))
	g.load("ahead step", "R5", "R16")
	once := tokens // tokens in a pass
	if isa == neon {
		once = 2
	}
	pairs := 4
	if t.halves {
		pairs = 2
	}
	fetch := true
	for first := 0; first < tokens; first += once {
		for row := 0; row < 16; row += 2 * pairs {
			p := tile{gen: g, blockType: t, isa: isa, tokens: min(once, tokens-first), first: first, rowPairs: pairs}
			p.place()
			p.pass(row, fetch)
			fetch = false
		}
	}
	g.end()
}

// groups returns how many registers hold the rows of a token.
func (t *tile) groups() int { return t.rowPairs / 2 }

// place divides the registers.
func (t *tile) place() {
	t.sums = t.tokens * t.groups()
	t.products = t.sums
	if t.halves {
		t.products += t.sums
	}
	switch t.isa {
	case neon: // a register for each row, columns 16 at a time
		t.acts = t.products + 2*t.rowPairs*t.tokens
		t.w = t.acts + 2*t.tokens
	case dotprod:
		t.acts = t.products + t.rowPairs*t.tokens
		t.w = t.acts + t.tokens
	case i8mm: // tokens two by two
		t.acts = t.products + t.rowPairs*((t.tokens+1)/2)
		t.w = t.acts + t.tokens
	}
	t.tmp = t.w + 2
}

// token returns the pointer to a token of the pass.
func token(i int) string { return eightRows[i] }

// pass computes some rows from the given one on.
func (t *tile) pass(row int, fetch bool) {
	t.load("y ldy panel n a lda", "R0", "R7", "R1", "R3", "R4", "R2")
	t.p("ADD $%d, R1", 32*(row/8)+64*(row%8/4))
	t.skip("R4", "R2")
	t.rowPointers("R4", "R2", eightRows[:t.tokens])
	t.p("ADD $%d, R0", 4*row)
	t.skip("R0", "R7")
	t.rowPointers("R0", "R7", resultRows[:t.tokens])
	t.results("FMOVQ %[2]d(%[3]s), F%[1]d")
	t.loop("R3", 1, func() {
		if fetch {
			t.fetch("R5", "R16", fetchedLines)
		}
		t.block(row % 8 / 4)
		t.p("ADD $%d, R1", panelSize(t.form()))
	})
	t.results("FMOVQ F%[1]d, %[2]d(%[3]s)")
}

// skip moves a pointer on to the first token of the pass.
func (t *tile) skip(pointer, stride string) {
	for range t.first {
		t.p("ADD %s, %s", stride, pointer)
	}
}

var resultRows = []string{"R19", "R20", "R21", "R22"}

// results loads or stores the results.
func (t *tile) results(format string) {
	for i := range t.tokens {
		for group := range t.groups() {
			t.p(format, t.result(i, group), 16*group, resultRows[i])
		}
	}
}

func (t *tile) result(token, group int) int { return token*t.groups() + group }

// block adds the products of a block. The pass begins at the given group of
// four rows of its half of the panel; R1 is moved on by codes of that group.
func (t *tile) block(group int) {
	if !t.halves {
		t.multiply(0, 4)
		t.sumUp()
		t.scale(t.product, group)
		return
	}
	for half, op := range []string{"mul", "mla"} {
		t.multiply(2*half, 2*half+2)
		t.sumUp()
		t.p("FMOVQ %d(R1), F%d", 64+64*half-48*group, t.w)
		for i := range t.tokens {
			for g := range t.groups() {
				t.v("%s v%d.4s, v%d.4s, v%d.4s", op, t.runSum(i, g), t.product(i, g), t.w)
			}
		}
	}
	t.scale(t.runSum, group)
}

// runSum returns where four rows of a token have the sum over scaled halves.
func (t *tile) runSum(i, g int) int { return t.sums + t.result(i, g) }

// scale adds the sums over a block, which are where sum says, to the results.
// The pointers of the tokens are at D.
func (t *tile) scale(sum func(i, g int) int, group int) {
	d := t.acts
	for i := range t.tokens {
		t.p("FMOVQ.P 16(%s), F%d", token(i), d+i)
	}
	for g := range t.groups() {
		at := 16*g - 48*group
		t.p("FMOVQ %d(R1), F%d", at, t.w)
		if t.min {
			t.p("FMOVQ %d(R1), F%d", at+64, t.w+1)
		}
		for i := range t.tokens {
			v, result := sum(i, g), t.result(i, g)
			t.v("scvtf v%d.4s, v%d.4s", v, v)
			t.v("fmul v%d.4s, v%d.4s, v%d.s[0]", t.tmp, t.w, d+i)
			t.v("fmla v%d.4s, v%d.4s, v%d.4s", result, t.tmp, v)
			if t.min {
				t.v("fmla v%d.4s, v%d.4s, v%d.s[1]", result, t.w+1, d+i)
			}
			if t.pairs {
				t.addMinPairs(d+i, result, group)
			}
		}
	}
}

// addMinPairs adds the minima for each 16 columns, times the sums of a token's
// activations, whose scale and sums are in d. It uses two of the products, which
// have been summed up.
func (t *tile) addMinPairs(d, result, group int) {
	first, second, min, other := t.products, t.products+1, t.w+1, t.tmp
	t.v("dup v%d.4s, v%d.s[3]", second, d)
	splitPairs(t.gen, first, second)
	t.p("FMOVQ %d(R1), F%d", panelMins-48*group, min)
	t.p("FMOVQ %d(R1), F%d", panelMins+64-48*group, other)
	t.v("mul v%d.4s, v%d.4s, v%d.4s", min, min, first)
	t.v("mla v%d.4s, v%d.4s, v%d.4s", min, other, second)
	t.v("scvtf v%d.4s, v%d.4s", min, min)
	t.v("fmul v%d.4s, v%d.4s, v%d.s[0]", min, min, d)
	t.p("FMOVQ %d(R1), F%d", panelMin2-48*group, other)
	t.v("fmla v%d.4s, v%d.4s, v%d.4s", result, min, other)
}

// multiply sets the products to those of eight columns from number from to
// before number to.
func (t *tile) multiply(from, to int) {
	switch t.isa {
	case neon:
		for c := from; c < to; c += 2 {
			t.multiplyLong(c, c == from)
		}
	case dotprod:
		t.clearProducts(t.rowPairs * t.tokens)
		for c := from; c < to; c++ {
			t.multiplyDot(c)
		}
	case i8mm:
		t.clearProducts(t.rowPairs * ((t.tokens + 1) / 2))
		for c := from; c < to; c++ {
			t.multiplyMatrix(c)
		}
	}
}

func (t *tile) clearProducts(n int) {
	for i := range n {
		t.clear(t.products + i)
	}
}

// multiplyLong takes sixteen columns with NEON. Two products fit int16.
func (t *tile) multiplyLong(c int, first bool) {
	add := "sadalp"
	if first {
		add = "saddlp"
	}
	for i := range t.tokens {
		for part := range 2 {
			t.p("VLD1R.P 8(%s), [V%d.D2]", token(i), t.acts+2*i+part)
		}
	}
	for pair := range t.rowPairs {
		t.p("FMOVQ %d(R1), F%d", t.pairAt(c, pair), t.w)
		t.p("FMOVQ %d(R1), F%d", t.pairAt(c+1, pair), t.w+1)
		for i := range t.tokens {
			product := t.products + 2*(i*t.rowPairs+pair)
			a := t.acts + 2*i
			for row, suffix := range []string{"", "2"} {
				shape := []string{"8b", "16b"}[row]
				t.v("smull%s v%d.8h, v%d.%s, v%d.%s", suffix, t.tmp+row, t.w, shape, a, shape)
				t.v("smlal%s v%d.8h, v%d.%s, v%d.%s", suffix, t.tmp+row, t.w+1, shape, a+1, shape)
			}
			t.v("%s v%d.4s, v%d.8h", add, product, t.tmp)
			t.v("%s v%d.4s, v%d.8h", add, product+1, t.tmp+1)
		}
	}
}

// multiplyDot takes eight columns with SDOT.
func (t *tile) multiplyDot(c int) {
	for i := range t.tokens {
		t.p("VLD1R.P 8(%s), [V%d.D2]", token(i), t.acts+i)
	}
	for pair := range t.rowPairs {
		w := t.w + pair%2
		t.p("FMOVQ %d(R1), F%d", t.pairAt(c, pair), w)
		for i := range t.tokens {
			t.v("sdot v%d.4s, v%d.16b, v%d.16b", t.products+i*t.rowPairs+pair, w, t.acts+i)
		}
	}
}

// multiplyMatrix takes eight columns with SMMLA: two tokens times two rows. A
// token without a partner is its own.
func (t *tile) multiplyMatrix(c int) {
	for i := 0; i < t.tokens; i += 2 {
		a := t.acts + i/2
		t.p("VLD1R.P 8(%s), [V%d.D2]", token(i), a)
		if i+1 < t.tokens {
			t.p("VLD1.P 8(%s), V%d.D[1]", token(i+1), a)
		}
	}
	for pair := range t.rowPairs {
		w := t.w + pair%2
		t.p("FMOVQ %d(R1), F%d", t.pairAt(c, pair), w)
		for i := range (t.tokens + 1) / 2 {
			t.v("smmla v%d.4s, v%d.16b, v%d.16b", t.products+i*t.rowPairs+pair, t.acts+i, w)
		}
	}
}

// product returns where sumUp leaves the sums of four rows of a token: in a
// register that only those were summed up from.
func (t *tile) product(i, g int) int {
	switch t.isa {
	case neon:
		return t.products + 2*i*t.rowPairs + 4*g
	case dotprod:
		return t.products + i*t.rowPairs + 2*g
	}
	return t.products + i/2*t.rowPairs + 2*g + i%2
}

// sumUp adds up the products of each row of each token.
func (t *tile) sumUp() {
	for i := range t.tokens {
		for g := range t.groups() {
			v := t.product(i, g)
			switch {
			case t.isa == neon:
				t.addRows(v, [4]int{v, v + 1, v + 2, v + 3})
			case t.isa == dotprod:
				t.v("addp v%d.4s, v%d.4s, v%d.4s", v, v, v+1)
			case i%2 == 0:
				t.separate(v)
			}
		}
	}
}

// separate brings two rows of two tokens and two more of the same tokens into
// four rows of each.
func (t *tile) separate(v int) {
	t.v("zip1 v%d.2d, v%d.2d, v%d.2d", t.tmp, v, v+1)
	t.v("zip2 v%d.2d, v%d.2d, v%d.2d", v+1, v, v+1)
	t.v("orr v%d.16b, v%d.16b, v%d.16b", v, t.tmp, t.tmp)
}
