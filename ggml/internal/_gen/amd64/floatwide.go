package amd64

import (
	"fmt"

	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// wideTile is the kernel of a panel of 32 rows times some rows of activations, with AVX-512. A value
// of an activation row is loaded once for two multiplications, so that it is those that limit it.
//
//	Z0-Z27   sums, two registers for a row of activations
//	Z28, Z29 the rows of weights    Z30, Z31 a value of an activation row
//
// Other registers are those of [floatTile], but R15 is what of the next tile is fetched.
type wideTile struct {
	*gen
	tokens int
	x      [2]rows
	sums   []reg.VecPhysical
}

func emitWideTile(g *gen, tokens int) {
	name := fmt.Sprintf("wideF32x%d", tokens)
	g.fn(name, floatParams, fmt.Sprintf(`
%s is a tile of %d rows of activations for panels of 32 rows, whose sums have rows of 32, too.`, name, tokens))
	t := &wideTile{gen: g, tokens: tokens, sums: vecs(64, 0, 2*tokens)}
	t.x = [2]rows{{reg.RDX, reg.R8, reg.RBX}, {reg.R10, reg.R8, reg.RBX}}
	g.load("x", t.x[0].base)
	g.load("ldx", t.x[0].stride)
	g.load("y", reg.RDI)
	g.load("older", reg.RAX)
	g.load("tiles", reg.R9)
	g.load("ahead", reg.R12)
	g.load("step", reg.R13)
	t.x[0].init(g)
	g.loop(reg.R9, func() {
		t.begin()
		g.loop(reg.RCX, t.column)
		t.addOlder()
		t.store()
	})
	g.end()
}

// begin begins a tile.
func (t *wideTile) begin() {
	t.load("panel", reg.RSI)
	t.load("n", reg.RCX)
	t.LEAQ(operand.Mem{Base: reg.RDX, Index: reg.R8, Scale: 4}, reg.R10)
	t.ADDQ(reg.RBX, reg.R10)
	t.LEAQ(operand.Mem{Base: reg.R8, Index: reg.R8, Scale: 4}, reg.R11)
	t.IMUL3Q(operand.U32(t.tokens), reg.R8, reg.R15)
	t.ADDQ(reg.RDX, reg.R15)
	for _, z := range t.sums {
		t.VPXORD(z, z, z)
	}
}

// column adds the products of a column.
func (t *wideTile) column() {
	t.PREFETCHT0(operand.Mem{Base: reg.R15})
	t.ADDQ(operand.U32(4*t.tokens), reg.R15)
	t.fetch(reg.R12, reg.R13, 1)
	w, x := vecs(64, 28, 30), vecs(64, 30, 32)
	for i, z := range w {
		t.VMOVUPS(operand.Mem{Base: reg.RSI, Disp: 64 * i}, z)
	}
	for token := range t.tokens {
		b := x[token%2]
		t.VBROADCASTSS(seven(t.x[token/7], reg.R11, token%7, 0), b)
		t.VFMADD231PS(b, w[0], t.sums[2*token])
		t.VFMADD231PS(b, w[1], t.sums[2*token+1])
	}
	t.ADDQ(operand.U32(128), reg.RSI)
	for _, r := range t.x {
		t.ADDQ(operand.U32(4), r.base)
	}
}

// addOlder adds the sums of older lanes, and goes back to the first column, of the next rows.
func (t *wideTile) addOlder() {
	t.load("n", reg.RCX)
	t.SHLQ(operand.Imm(2), reg.RCX)
	t.SUBQ(reg.RCX, reg.RDX)
	t.IMUL3Q(operand.U32(t.tokens), reg.R8, reg.RCX)
	t.ADDQ(reg.RCX, reg.RDX)
	t.load("levels", reg.RCX)
	t.load("level", reg.R11)
	t.MOVQ(reg.RAX, reg.RSI)
	t.while(reg.RCX, 1, func() {
		for i, z := range t.sums {
			t.VADDPS(operand.Mem{Base: reg.RSI, Disp: 64 * i}, z, z)
		}
		t.ADDQ(reg.R11, reg.RSI)
	})
	t.ADDQ(operand.U32(128*t.tokens), reg.RAX)
}

// store stores the results of a tile.
func (t *wideTile) store() {
	t.load("ldy", reg.R11)
	for i, z := range t.sums {
		t.VMOVUPS(z, operand.Mem{Base: reg.RDI, Disp: 64 * (i % 2)})
		if i%2 == 1 {
			t.ADDQ(reg.R11, reg.RDI)
		}
	}
}
