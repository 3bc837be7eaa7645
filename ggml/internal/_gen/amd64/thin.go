package amd64

import (
	"fmt"

	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// thinPanels is how many panels are multiplied side by side: one chain of additions alone
// would wait for itself.
const thinPanels = 4

// thin is the kernel of panels times one row of activations.
//
//	Y0-Y7 sums, two registers for a panel   Y8-Y11 weights   Y12-Y15 values of the activations
//
//	RSI panels   RDX activations   RCX what is left of the columns   RBX what is left of the panels
//	R13, R15 where the next panels and activations are   RDI results   RAX whether to add
type thin struct {
	*gen
	typ    string
	panels rows
	x      rows
}

// emitThin writes the kernel of a type.
func emitThin(g *gen, typ string) {
	name := "thin" + typ
	g.fn(name, "y *float32, ldy, add int, panel *byte, stride, n int, x *float32, next, count int", fmt.Sprintf(`
%s multiplies a number of panels of n columns, stride bytes apart, each with n
values of x, next bytes apart, and sets sixteen results for each, ldy bytes apart, or
adds to them if add is not 0.`, name))
	t := &thin{g, typ, rows{reg.RSI, reg.R9, reg.R10}, rows{reg.RDX, reg.R11, reg.R12}}
	g.load("y", reg.RDI)
	g.load("ldy", reg.R8)
	g.load("add", reg.RAX)
	g.load("panel", reg.R13)
	g.load("stride", t.panels.stride)
	t.panels.init(g)
	g.load("x", reg.R15)
	g.load("next", t.x.stride)
	t.x.init(g)
	g.load("count", reg.RBX)
	g.while(reg.RBX, thinPanels, func() { t.multiply(thinPanels) })
	g.while(reg.RBX, 1, func() { t.multiply(1) })
	g.end()
}

// multiply multiplies some panels with their activations, and moves on behind them.
func (t *thin) multiply(panels int) {
	t.MOVQ(reg.R13, t.panels.base)
	t.MOVQ(reg.R15, t.x.base)
	t.load("n", reg.RCX)
	sums := ymm(0, 2*panels)
	for _, y := range sums {
		t.VXORPS(y, y, y)
	}
	t.loop(reg.RCX, func() {
		for p := range panels {
			x := ymm(12, 16)[p]
			t.VBROADCASTSS(t.x.at(p, 0), x)
			for half := range 2 {
				w := ymm(8, 12)[p%2*2+half]
				t.widen(t.typ, t.panels.at(p, half*step(t.typ)/2), w)
				t.VFMADD231PS(x, w, sums[2*p+half])
			}
		}
		t.ADDQ(operand.U32(step(t.typ)), t.panels.base)
		t.ADDQ(operand.U32(4), t.x.base)
	})
	for range panels {
		t.ADDQ(t.panels.stride, reg.R13)
		t.ADDQ(t.x.stride, reg.R15)
	}
	t.store(sums)
}

// store sets the results or adds to them.
func (t *thin) store(sums []reg.VecPhysical) {
	t.labels++
	set := fmt.Sprintf("set%d", t.labels)
	y := func(i int) operand.Mem { return operand.Mem{Base: reg.RDX, Disp: i % 2 * 32} }
	each := func(do func(i int)) {
		t.MOVQ(reg.RDI, reg.RDX)
		for i := range sums {
			do(i)
			if i%2 == 1 {
				t.ADDQ(reg.R8, reg.RDX)
			}
		}
	}
	t.CMPQ(reg.RAX, operand.Imm(0))
	t.JE(operand.LabelRef(set))
	each(func(i int) { t.VADDPS(y(i), sums[i], sums[i]) })
	t.Label(set)
	each(func(i int) { t.VMOVUPS(sums[i], y(i)) })
	t.MOVQ(reg.RDX, reg.RDI)
}
