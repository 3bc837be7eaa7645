package amd64

import (
	"fmt"

	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// Heights of the tiles of float products: rows of activations, of which registers hold the sums. AVX-512
// takes those of AVX2 besides, and has its own for panels of float32 only, also of twice as many rows.
var (
	floatHeights       = []int{1, 2, 3, 4, 5, 6}
	floatHeightsAVX512 = []int{8, 10, 12, 14}
)

// floatParams are the parameters of a tile.
const floatParams = "y *float32, ldy int, older *float32, level, levels int, panel *byte, n int, " +
	"x *float32, ldx, tiles int, ahead uintptr, step int"

func emitFloatTiles(g *gen) {
	for _, typ := range []string{"F32", "F16", "BF16"} {
		for _, tokens := range floatHeights {
			emitFloatTile(g, typ, tokens)
		}
	}
}

// emitFloatAVX512 writes the kernels with AVX-512.
func emitFloatAVX512(g *gen) {
	emitDots(g)
	for _, tokens := range floatHeightsAVX512 {
		emitFloatTile(g, "F32", tokens)
		emitWideTile(g, tokens)
	}
}

// floatTile is the kernel of a panel times some rows of activations.
//
// With AVX2:
//
//	Y0-Y11   sums, two registers for a row of activations
//	Y12, Y13 sixteen rows of weights    Y14, Y15 a value of an activation row
//
// With AVX-512 a register holds sixteen sums or weights, and a value is multiplied as it lies in memory:
//
//	Z0-Z13   sums    Z14, Z15 weights, of every second column
//
// Both:
//
//	RSI panel, then older sums   RCX what is left of it   RDX, R10 activations, R8, RBX their distances
//	R9 tiles   R11 what the next tile reads, or a distance   R12, R13 ahead and step   RDI results
//	RAX older   R15 the activations of the next tile
type floatTile struct {
	*gen
	typ    string // of the panel
	tokens int
	x      [2]rows
	sums   []reg.VecPhysical
}

func emitFloatTile(g *gen, typ string, tokens int) {
	name := fmt.Sprintf("tile%sx%d", typ, tokens)
	g.fn(name, floatParams, fmt.Sprintf(`
%s sets y to the sums of a lane of a panel, n columns, with a number of tiles
of %d rows of activations each, ldx bytes apart, plus the sums of older lanes: of
a number of levels, level bytes apart. For each column it fetches at ahead
and moves ahead by step.`, name, tokens))
	t := &floatTile{gen: g, typ: typ, tokens: tokens, sums: ymm(0, min(2*tokens, 12))}
	if g.evex {
		t.sums = vecs(64, 0, tokens)
	}
	t.x = [2]rows{{reg.RDX, reg.R8, reg.RBX}, {reg.R10, reg.R8, reg.RBX}}
	g.load("x", t.x[0].base)
	g.load("ldx", t.x[0].stride)
	g.load("y", reg.RDI)
	g.load("older", reg.RAX)
	g.load("tiles", reg.R9)
	g.load("ahead", reg.R12)
	g.load("step", reg.R13)
	if g.evex {
		t.x[0].init(g)
	}
	g.loop(reg.R9, func() {
		t.begin()
		several := 2
		if typ == "F32" && !g.evex {
			several = 4 // as many as columns that fetch together: FMA units wait for nothing else
		}
		g.while(reg.RCX, uint32(several), func() { t.columns(several) })
		g.while(reg.RCX, 1, func() { t.columns(1) })
		g.MOVQ(reg.R15, t.x[0].base)
		t.addOlder()
		t.store()
	})
	g.end()
}

// begin begins a tile.
func (t *floatTile) begin() {
	t.load("panel", reg.RSI)
	t.load("n", reg.RCX)
	t.IMUL3Q(operand.U32(t.tokens), t.x[0].stride, reg.R15)
	t.ADDQ(t.x[0].base, reg.R15)
	if t.evex { // rows 0 to 6, and those from 7 on
		t.LEAQ(operand.Mem{Base: t.x[0].base, Index: t.x[0].stride, Scale: 4}, t.x[1].base)
		t.ADDQ(t.x[0].stride3, t.x[1].base)
		t.LEAQ(operand.Mem{Base: t.x[0].stride, Index: t.x[0].stride, Scale: 4}, reg.R11)
	} else { // rows 0 to 2, and those from 3 on
		t.LEAQ(operand.Mem{Base: t.x[0].base, Index: t.x[0].stride, Scale: 2}, t.x[1].base)
		t.ADDQ(t.x[0].stride, t.x[1].base)
		t.MOVQ(reg.R15, reg.R11)
	}
	for _, y := range t.sums {
		if t.evex {
			t.VPXORD(y, y, y)
		} else {
			t.VXORPS(y, y, y)
		}
	}
}

// columns adds the products of some columns.
func (t *floatTile) columns(count int) {
	for i := range count {
		if t.evex {
			t.columnAVX512(i)
		} else {
			t.column(i)
		}
	}
	t.PREFETCHT1(operand.Mem{Base: reg.R12})
	t.ADDQ(reg.R13, reg.R12)
	t.ADDQ(operand.U32(step(t.typ)*count), reg.RSI)
	if !t.evex {
		t.ADDQ(operand.U32(4*t.tokens*count), reg.R11)
	}
	for _, r := range t.x {
		t.ADDQ(operand.U32(4*count), r.base)
	}
}

// column adds the products of column i.
func (t *floatTile) column(i int) {
	if i%2 == 0 {
		t.PREFETCHT0(operand.Mem{Base: reg.R11, Disp: 4 * t.tokens * i})
	}
	for half, y := range ymm(12, 14) {
		t.widen(t.typ, operand.Mem{Base: reg.RSI, Disp: (2*i + half) * step(t.typ) / 2}, y)
	}
	for token := range t.tokens {
		b := ymm(14, 16)[token%2]
		t.VBROADCASTSS(t.x[token/3].at(token%3, 4*i), b)
		t.VFMADD231PS(b, reg.Y12, t.sums[2*token])
		t.VFMADD231PS(b, reg.Y13, t.sums[2*token+1])
	}
}

// columnAVX512 does it with AVX-512. There are so many sums that activations are asked for early enough
// without fetching.
func (t *floatTile) columnAVX512(i int) {
	w := vecs(64, 14, 16)[i%2]
	t.VMOVUPS(operand.Mem{Base: reg.RSI, Disp: 64 * i}, w)
	for token, sum := range t.sums {
		t.VFMADD231PS_BCST(seven(t.x[token/7], reg.R11, token%7, 4*i), w, sum)
	}
}

// addOlder adds the sums of older lanes.
func (t *floatTile) addOlder() {
	t.load("levels", reg.RCX)
	t.MOVQ(reg.RAX, reg.RSI)
	t.load("level", reg.R11)
	size := 64 * t.tokens / len(t.sums)
	t.while(reg.RCX, 1, func() {
		for i, y := range t.sums {
			t.VADDPS(operand.Mem{Base: reg.RSI, Disp: size * i}, y, y)
		}
		t.ADDQ(reg.R11, reg.RSI)
	})
	t.ADDQ(operand.U32(64*t.tokens), reg.RAX)
}

// store stores the results of a tile.
func (t *floatTile) store() {
	t.load("ldy", reg.R11)
	vectors := len(t.sums) / t.tokens
	for i, y := range t.sums {
		t.VMOVUPS(y, operand.Mem{Base: reg.RDI, Disp: i % vectors * 32})
		if i%vectors == vectors-1 {
			t.ADDQ(reg.R11, reg.RDI)
		}
	}
}
