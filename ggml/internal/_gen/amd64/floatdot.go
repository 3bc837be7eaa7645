package amd64

import (
	"fmt"

	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// dot is the kernel of rows as they lie in the file times a few rows of activations.
//
// With AVX2 two rows of weights at a time, whose eight sums a row of activations has:
//
//	Y0-Y11   sums   Y12, Y13 eight values of the rows of weights   Y14, Y15 of the activations
//
// With AVX-512 all four, sixteen values each:
//
//	Z0-Z23   sums   Z24-Z27 weights   Z28, Z29 activations
//
// Both:
//
//	RDI lanes   RAX the rows, RSI, R8, R9 what of them is next, their distances
//	RDX, R10, RBX, R13 activations, their distances   RCX what is left   R11, R12 ahead and step   R15 passes
type dot struct {
	*gen
	typ    string
	tokens int
	rows   int // side by side
	bytes  int // of a register
	w, x   rows
	sums   []reg.VecPhysical // [tokens][rows][halves]
}

// emitDots writes those of a tier. One row of activations waits for the memory, which AVX2 is fast enough
// for.
func emitDots(g *gen) {
	if g.evex {
		for _, typ := range []string{"F16", "BF16"} {
			for _, tokens := range []int{3, 4, 6} {
				emitDot(g, &dot{typ: typ, tokens: tokens, rows: 4, bytes: 64})
			}
		}
		return
	}
	emitDot(g, &dot{typ: "F32", tokens: 1, rows: 1, bytes: 32})
	for _, typ := range []string{"F16", "BF16"} {
		emitDot(g, &dot{typ: typ, tokens: 1, rows: 1, bytes: 32})
		emitDot(g, &dot{typ: typ, tokens: 2, rows: 1, bytes: 32})
		emitDot(g, &dot{typ: typ, tokens: 3, rows: 2, bytes: 32})
	}
}

func emitDot(g *gen, d *dot) {
	name := fmt.Sprintf("dot%sx%d", d.typ, d.tokens)
	g.fn(name, "lanes *float32, w *byte, stride int, x *float32, ldx, n int, ahead uintptr, step int", fmt.Sprintf(`
%s adds the products of four rows of 16*n values, stride bytes apart, with %d rows of
activations, ldx bytes apart, to the lanes of four results for each. For 16 columns of a
row it fetches a line at ahead and moves ahead by step.`, name, d.tokens))
	d.gen, d.sums = g, vecs(d.bytes, 0, d.tokens*d.rows*d.halves())
	d.w, d.x = rows{reg.RSI, reg.R8, reg.R9}, rows{reg.RDX, reg.R10, reg.RBX}
	g.load("lanes", reg.RDI)
	g.load("w", reg.RAX)
	g.load("stride", reg.R8)
	g.load("ldx", reg.R10)
	g.load("ahead", reg.R11)
	g.load("step", reg.R12)
	d.w.init(g)
	d.x.init(g)
	g.LEAQ(operand.Mem{Base: reg.R10, Index: reg.R10, Scale: 4}, reg.R13)
	g.MOVQ(operand.U32(4/d.rows), reg.R15)
	g.loop(reg.R15, d.pass)
	g.end()
}

// halves returns how many registers sixteen values take.
func (d *dot) halves() int { return 64 / d.bytes }

// pass goes over the columns with the rows that stand side by side, and on to the next of them.
func (d *dot) pass() {
	d.MOVQ(reg.RAX, reg.RSI)
	d.LEAQ(operand.Mem{Base: reg.RAX, Index: reg.R8, Scale: uint8(d.rows)}, reg.RAX)
	d.load("x", reg.RDX)
	d.load("n", reg.RCX)
	d.eachSum(func(m operand.Mem, sum reg.VecPhysical) { d.VMOVUPS(m, sum) })
	d.loop(reg.RCX, d.columns)
	d.eachSum(func(m operand.Mem, sum reg.VecPhysical) { d.VMOVUPS(sum, m) })
	d.ADDQ(operand.U32(64*d.rows), reg.RDI)
}

// eachSum calls f for the sums and where they lie in memory.
func (d *dot) eachSum(f func(m operand.Mem, sum reg.VecPhysical)) {
	for i, sum := range d.sums {
		token := i / (d.rows * d.halves())
		f(operand.Mem{Base: reg.RDI, Disp: 256*token + i%(d.rows*d.halves())*d.bytes}, sum)
	}
}

// columns adds the products of sixteen columns.
func (d *dot) columns() {
	for range d.rows {
		if ahead := (operand.Mem{Base: reg.R11}); d.tokens == 1 {
			d.PREFETCHNTA(ahead)
		} else {
			d.PREFETCHT0(ahead)
		}
		d.ADDQ(reg.R12, reg.R11)
	}
	w := vecs(d.bytes, 12, 14)
	x := vecs(d.bytes, 14, 16)
	if d.evex {
		w, x = vecs(64, 24, 28), vecs(64, 28, 30)
	}
	for half := range d.halves() {
		for row := range d.rows {
			d.widen(d.typ, d.w.at(row, half*step(d.typ)/2), w[row])
		}
		for token := range d.tokens {
			v := x[token%2]
			d.VMOVUPS(seven(d.x, reg.R13, token, half*d.bytes), v)
			for row := range d.rows {
				d.VFMADD231PS(v, w[row], d.sums[(token*d.rows+row)*d.halves()+half])
			}
		}
	}
	d.ADDQ(operand.U32(step(d.typ)), reg.RSI)
	d.ADDQ(operand.U32(64), reg.RDX)
}
