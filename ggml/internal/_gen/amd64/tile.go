package amd64

import (
	"fmt"

	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"

	"mptgo/ggml/internal/_gen/kinds"
	"mptgo/ggml/internal/_gen/text"
)

// A tile multiplies a panel, which is 16 rows of weights unpacked by a kernel
// of pack.go, with the quantised rows of two to four tokens.
//
// A panel goes block by block of 32 columns. A block is the vectors of its
// kind (scales, minima …), 16 rows each, then the codes: dwords of four 8-bit
// codes or two 16-bit ones, 16 rows side by side, column after column.
//
// The running sums are the results in memory. That frees the registers for the
// sums over a block, and one load and one store for 32 columns cost nothing.

// The offsets of the vectors at the start of a block.
const (
	panelScale = 0
	panelMin   = 64
	panelSub0  = 64  // u3, u6: scales of the first 16 columns, each twice, int16
	panelSub1  = 128 // u3, u6: scales of the second 16 columns
	panelZero  = 192 // u3, u6: both scales times minus the zero point, or both minima, int16
	panelMin2  = 256 // u3 with minima: what they are multiples of
)

// head returns the bytes before the codes of a block.
func head(f kinds.Form) int {
	switch f {
	case kinds.Min:
		return 128
	case kinds.Halves:
		return 256
	case kinds.HalvesMin:
		return 320
	}
	return 64
}

// size returns the bytes of a block.
func size(p kinds.Panel) int { return head(p.Form) + p.CodeBytes() }

// tileBodies write the body of a tile's loop, by the kind of panel.
var tileBodies = map[string]func(t *tile){
	"Plain4": (*tile).u4, "Min4": (*tile).u4, "Plain5": (*tile).u5, "Min5": (*tile).u5,
	"Halves6": (*tile).u6, "Halves3": (*tile).u3, "HalvesMin3": (*tile).u3, "Plain16": (*tile).s16,
}

// tileHeights are the rows of activations that there are tiles for.
var tileHeights = []int{2, 3, 4}

// fetchedLines is how many cache lines a pack kernel or a tile fetches for each
// block. With the smallest batches it is what Q8_0 needs.
const fetchedLines = 4

func emitTiles(g *gen) {
	for _, p := range kinds.AVX2 {
		for _, tokens := range tileHeights {
			emitTile(g, p, tokens)
		}
	}
}

// tile is a kernel under construction.
type tile struct {
	*gen
	kinds.Panel
	tokens int
	y, a   rows
	w      reg.Register
	actLen int // bytes of an activation block
}

func emitTile(g *gen, p kinds.Panel, tokens int) {
	t := &tile{
		gen: g, Panel: p, tokens: tokens, actLen: kinds.ActSize,
		y: rows{reg.RDI, reg.R10, reg.R11},
		a: rows{reg.RDX, reg.R8, reg.R9},
		w: reg.RSI,
	}
	if p.Words {
		t.actLen = kinds.WideSize
	}
	name := text.TileName(p, tokens, "AVX2")
	g.fn(name, text.TileParams, fmt.Sprintf(`
%s adds the product of n blocks of a panel of
%s with
%d rows of activations to y. ldy and lda are in bytes. For each block it fetches
some lines at ahead and moves ahead by step.`, name, p.Note, tokens))
	g.load("y", t.y.base)
	g.load("ldy", t.y.stride)
	g.load("panel", t.w)
	g.load("n", reg.RCX)
	g.load("a", t.a.base)
	g.load("lda", t.a.stride)
	g.load("ahead", reg.R12)
	g.load("step", reg.R13)
	t.y.init(g)
	t.a.init(g)
	g.ones16(ones)
	g.loop(reg.RCX, func() {
		g.fetch(reg.R12, reg.R13, fetchedLines)
		tileBodies[p.Name](t)
		g.ADDQ(operand.U32(size(p)), t.w)
		g.ADDQ(operand.U32(t.actLen), t.a.base)
	})
	g.end()
}

// sums are registers for the sums of tokens over rows 0-7 and rows 8-15.
type sums []reg.VecPhysical

func (s sums) of(token, half int) reg.VecPhysical { return s[(2*token+half)%len(s)] }

// The registers of all tiles.
var (
	lowSums   = sums{reg.Y0, reg.Y1, reg.Y2, reg.Y3}
	highSums  = sums{reg.Y4, reg.Y5, reg.Y6, reg.Y7}
	blockSums = sums{reg.Y0, reg.Y1, reg.Y2, reg.Y3, reg.Y4, reg.Y5, reg.Y6, reg.Y7}

	weightColumns = sums{reg.Y8, reg.Y9, reg.Y10, reg.Y11} // two dword columns
	actColumns    = [2]reg.VecPhysical{reg.Y12, reg.Y13}   // of activations

	product       = reg.Y14
	secondProduct = reg.Y15 // where there are no ones
	ones          = reg.Y15 // int16
)

// code addresses the codes of dword column g of rows 8*half to 8*half+7.
func (t *tile) code(g, half int) operand.Mem {
	return operand.Mem{Base: t.w, Disp: head(t.Form) + 64*g + 32*half}
}

// vector addresses half of a vector at the start of the block.
func (t *tile) vector(offset, half int) operand.Mem {
	return operand.Mem{Base: t.w, Disp: offset + 32*half}
}

// loadCodes loads dword columns g and g+1.
func (t *tile) loadCodes(g int) {
	for j := range 2 {
		for half := range 2 {
			t.VMOVDQU(t.code(g+j, half), weightColumns.of(j, half))
		}
	}
}

// loadActs loads dword columns g and g+1 of a token.
func (t *tile) loadActs(token, g int) {
	for j := range actColumns {
		t.VPBROADCASTD(t.a.at(token, 4*(g+j)), actColumns[j])
	}
}

// products multiplies dword columns first to last with the activations of the
// tokens from..to and sums in int16. Two columns at a time run about 6 % faster
// than one.
func (t *tile) products(first, last, from, to int, s sums) {
	for g := first; g < last; g += 2 {
		t.loadCodes(g)
		for i := from; i <= to; i++ {
			t.loadActs(i, g)
			for half := range 2 {
				for j := range actColumns {
					if g+j == first {
						t.VPMADDUBSW(actColumns[j], weightColumns.of(j, half), s.of(i, half))
						continue
					}
					t.VPMADDUBSW(actColumns[j], weightColumns.of(j, half), product)
					t.VPADDW(product, s.of(i, half), s.of(i, half))
				}
			}
		}
	}
}

// u4 sums the 32 products of a block in int16: a lane gets 16 of them, at most
// 16*15*127 = 30480.
func (t *tile) u4() {
	t.products(0, 7, 0, t.tokens-1, blockSums)
	for i := range t.tokens {
		for half := range 2 {
			t.VPMADDWD(ones, blockSums.of(i, half), blockSums.of(i, half))
		}
		t.scale(i, blockSums, 8)
	}
}

// u5 sums half a block in int16: a lane gets 8 products, at most
// 8*31*127 = 31496. Two tokens at a time fit the registers.
func (t *tile) u5() {
	for from := 0; from < t.tokens; from += 2 {
		to := min(from+1, t.tokens-1)
		t.products(0, 3, from, to, lowSums)
		t.products(4, 7, from, to, highSums)
		for i := from; i <= to; i++ {
			for half := range 2 {
				a, b := lowSums.of(i, half), highSums.of(i, half)
				t.VPMADDWD(ones, a, a)
				t.VPMADDWD(ones, b, b)
				t.VPADDD(b, a, a)
			}
			t.scale(i, lowSums, 16)
		}
	}
}

// u6 widens after every two dword columns, 4 products and at most
// 4*63*127 = 32004, and multiplies with the scale of the 16 columns in the same
// step. The zero point is in the panel, times the scales.
func (t *tile) u6() {
	for i := range t.tokens {
		t.VPBROADCASTD(t.a.at(i, kinds.ActHalf), product)
		for half := range 2 {
			t.VPMADDWD(t.vector(panelZero, half), product, blockSums.of(i, half))
		}
	}
	for g := 0; g < 8; g += 2 {
		sub := panelSub0
		if g >= 4 {
			sub = panelSub1
		}
		t.loadCodes(g)
		for i := range t.tokens {
			t.loadActs(i, g)
			for half := range 2 {
				t.VPMADDUBSW(actColumns[0], weightColumns.of(0, half), product)
				t.VPMADDUBSW(actColumns[1], weightColumns.of(1, half), secondProduct)
				t.VPADDW(secondProduct, product, product)
				t.VPMADDWD(t.vector(sub, half), product, product)
				t.VPADDD(product, blockSums.of(i, half), blockSums.of(i, half))
			}
		}
	}
	for i := range t.tokens {
		t.scale(i, blockSums, 0)
	}
}

// u3 sums 16 columns in int16, at most 8*7*127 = 7112, before it multiplies with
// their scale. Two tokens at a time fit the registers.
func (t *tile) u3() {
	for from := 0; from < t.tokens; from += 2 {
		to := min(from+1, t.tokens-1)
		t.products(0, 3, from, to, lowSums)
		t.products(4, 7, from, to, highSums)
		for i := from; i <= to; i++ {
			pair := actColumns[0]
			t.VPBROADCASTD(t.a.at(i, kinds.ActHalf), pair)
			for half := range 2 {
				a, b := lowSums.of(i, half), highSums.of(i, half)
				t.VPMADDWD(t.vector(panelSub0, half), a, a)
				t.VPMADDWD(t.vector(panelSub1, half), b, b)
				t.VPADDD(b, a, a)
				t.VPMADDWD(t.vector(panelZero, half), pair, b)
				if !t.Form.HasMin() {
					t.VPADDD(b, a, a)
				}
			}
			if t.Form.HasMin() {
				t.scaleMinPairs(i)
			} else {
				t.scale(i, lowSums, 0)
			}
		}
	}
}

// scaleMinPairs adds the integer sums of a token, and the sums of its minima times
// activations, to its results.
func (t *tile) scaleMinPairs(token int) {
	d, p := weightColumns[0], [2]reg.VecPhysical{weightColumns[2], weightColumns[3]}
	t.VBROADCASTSS(t.a.at(token, kinds.ActD), d)
	for half := range 2 {
		a, b := lowSums.of(token, half), highSums.of(token, half)
		t.VCVTDQ2PS(a, a)
		t.VCVTDQ2PS(b, b)
		t.VMULPS(t.vector(panelScale, half), d, p[half])
		t.VFMADD213PS(t.y.at(token, 32*half), p[half], a)
		t.VMULPS(d, b, b)
		t.VFMADD231PS(t.vector(panelMin2, half), b, a)
		t.VMOVUPS(a, t.y.at(token, 32*half))
	}
}

// s16 multiplies 16-bit pairs and sums in int32.
func (t *tile) s16() {
	for g := 0; g < 16; g += 2 {
		t.loadCodes(g)
		for i := range t.tokens {
			t.loadActs(i, g)
			for half := range 2 {
				for j := range actColumns {
					if g+j == 0 {
						t.VPMADDWD(actColumns[j], weightColumns.of(j, half), blockSums.of(i, half))
						continue
					}
					t.VPMADDWD(actColumns[j], weightColumns.of(j, half), product)
					t.VPADDD(product, blockSums.of(i, half), blockSums.of(i, half))
				}
			}
		}
	}
	for i := range t.tokens {
		t.scale(i, blockSums, 0)
	}
}

// scale adds the integer sums of a token, less the zero point of 0, 8 or 16,
// to its results. The zero point is subtracted as float32, where these integers
// are exact too, because ports for floats are free.
func (t *tile) scale(token int, s sums, zero int) {
	d, z, p := weightColumns[0], weightColumns[1], [2]reg.VecPhysical{weightColumns[2], weightColumns[3]}
	t.VBROADCASTSS(t.a.at(token, t.scaleAt()), d)
	switch {
	case t.Form.HasMin():
		t.VBROADCASTSS(t.a.at(token, kinds.ActS), z)
	case zero != 0:
		t.VBROADCASTSS(t.a.at(token, kinds.ActZero8), z)
		if zero == 16 {
			t.VADDPS(z, z, z)
		}
	}
	for half := range 2 {
		a := s.of(token, half)
		t.VCVTDQ2PS(a, a)
		if zero != 0 && !t.Form.HasMin() {
			t.VSUBPS(z, a, a)
		}
		t.VMULPS(t.vector(panelScale, half), d, p[half])
		t.VFMADD213PS(t.y.at(token, 32*half), p[half], a)
		if t.Form.HasMin() {
			t.VFMADD231PS(t.vector(panelMin, half), z, a)
		}
		t.VMOVUPS(a, t.y.at(token, 32*half))
	}
}

// scaleAt returns the offset of the scale in an activation block.
func (t *tile) scaleAt() int {
	if t.actLen == kinds.WideSize {
		return kinds.WideD
	}
	return kinds.ActD
}
