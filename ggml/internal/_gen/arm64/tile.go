package arm64

import (
	"fmt"

	"mptgo/ggml/internal/_gen/kinds"
	"mptgo/ggml/internal/_gen/text"
)

// A tile kernel multiplies a panel with two to four tokens, rows of
// activations. It goes over the panel several times, each time with some of the
// 16 rows, so that all sums stay in registers. The first time it fetches.
func emitTiles(g *gen, isa tier) {
	for _, p := range kinds.ARM64 {
		for _, tokens := range tileHeights {
			emitTile(g, isa, p, tokens)
		}
	}
}

// tileHeights are the rows of activations that there are tiles for.
var tileHeights = []int{2, 3, 4}

// tile is a kernel under construction: some tokens on their way through the panel, which they
// pass several times, each time with some of its rows.
//
//	results, sums, products   from V0 on: float32 results, four rows of a token
//	                          each; sums over scaled halves in the same order; sums
//	                          of products, pairs of rows of a token or of two
//	acts, w, tmp              from there on
//
//	R0 results   R4 activations   R24 the first byte of the rows   R7, R2 to the next row or token
//	R1 codes   R6 vectors   R3 blocks left   R5, R16 ahead and step   R8.. tokens
type tile struct {
	*gen
	*blockType
	isa      tier
	tokens   int
	rowPairs int // of rows in a pass

	sums, products, acts, w, tmp int // first registers
}

func emitTile(g *gen, isa tier, kind kinds.Panel, tokens int) {
	t := &blockType{min: kind.Form == kinds.Min, halves: kind.Form.HasHalves()}
	name := text.TileName(kind, tokens, string(isa))
	g.fn(name, text.TileParams, 0, fmt.Sprintf(`
%s adds the products of a panel of n blocks with %d rows of
activations, lda bytes apart, to rows of y, ldy bytes apart. For each block it
fetches some lines at ahead and moves ahead by step.`, name, tokens))
	g.load("y ldy a lda ahead step", "R0", "R7", "R4", "R2", "R5", "R16")
	once := tokens // tokens together
	if isa == neon {
		once = 2
	}
	if whole := tokens / once; whole > 1 {
		g.p("MOVD $%d, R23", whole)
		g.loop("R23", 1, func() { emitTokens(g, isa, t, once) })
	} else {
		emitTokens(g, isa, t, once)
	}
	if rest := tokens % once; rest > 0 {
		emitTokens(g, isa, t, rest)
	}
	g.end()
}

// emitTokens takes some tokens through all rows, and moves on to the next tokens.
func emitTokens(g *gen, isa tier, t *blockType, tokens int) {
	p := tile{gen: g, blockType: t, isa: isa, tokens: tokens, rowPairs: 4}
	if t.halves {
		p.rowPairs = 2
	}
	p.place()
	passRows := 2 * p.rowPairs
	g.p("MOVD ZR, R24")
	label := g.label("rows")
	p.pass()
	g.p("MOVD ZR, R16") // all is fetched
	g.p("ADD $%d, R24", 4*passRows)
	g.p("CMP $64, R24")
	g.p("BNE %s", label)
	for range tokens {
		g.p("ADD R7, R0")
		g.p("ADD R2, R4")
	}
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

// pass computes the rows whose vectors begin at R24: 0, 32 or, in passes of four rows, any
// multiple of 16. Rows 4-7 have their codes 64 bytes behind those of rows 0-3, and rows 8-15 32
// bytes behind rows 0-7: see pack.go.
func (t *tile) pass() {
	t.load("panel n", "R6", "R3")
	t.p("AND $16, R24, R1")
	t.p("ADD R1<<2, R6, R1")
	t.p("AND $32, R24, R12")
	t.p("ADD R12, R1")
	t.p("ADD R24, R6")
	t.rowPointers("R4", "R2", eightRows[:t.tokens])
	t.p("ADD R24, R0, R19")
	t.rowPointers("R19", "R7", resultRows[:t.tokens])
	t.results("FMOVQ %[2]d(%[3]s), F%[1]d")
	t.loop("R3", 1, func() {
		t.fetch("R5", "R16", fetchedLines)
		t.block()
		t.p("ADD $%d, R1", panelSize(t.form()))
		t.p("ADD $%d, R6", panelSize(t.form()))
	})
	t.results("FMOVQ F%[1]d, %[2]d(%[3]s)")
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

// block adds the products of a block.
func (t *tile) block() {
	if !t.halves {
		t.multiply(0, 4)
		t.sumUp()
		t.scale(t.product)
		return
	}
	for half, op := range []string{"mul", "mla"} {
		t.multiply(2*half, 2*half+2)
		t.sumUp()
		t.p("FMOVQ %d(R6), F%d", 64+64*half, t.w)
		for i := range t.tokens {
			for g := range t.groups() {
				t.v("%s v%d.4s, v%d.4s, v%d.4s", op, t.runSum(i, g), t.product(i, g), t.w)
			}
		}
	}
	t.scale(t.runSum)
}

// runSum returns where four rows of a token have the sum over scaled halves.
func (t *tile) runSum(i, g int) int { return t.sums + t.result(i, g) }

// scale adds the sums over a block, which are where sum says, to the results.
// The pointers of the tokens are at D.
func (t *tile) scale(sum func(i, g int) int) {
	d := t.acts
	for i := range t.tokens {
		t.p("FMOVQ.P 16(%s), F%d", token(i), d+i)
	}
	for g := range t.groups() {
		t.p("FMOVQ %d(R6), F%d", 16*g, t.w)
		if t.min {
			t.p("FMOVQ %d(R6), F%d", 16*g+64, t.w+1)
		}
		for i := range t.tokens {
			v, result := sum(i, g), t.result(i, g)
			t.v("scvtf v%d.4s, v%d.4s", v, v)
			t.v("fmul v%d.4s, v%d.4s, v%d.s[0]", t.tmp, t.w, d+i)
			t.v("fmla v%d.4s, v%d.4s, v%d.4s", result, t.tmp, v)
			if t.min {
				t.v("fmla v%d.4s, v%d.4s, v%d.s[1]", result, t.w+1, d+i)
			}
		}
	}
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
