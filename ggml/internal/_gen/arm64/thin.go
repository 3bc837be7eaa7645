package arm64

import "fmt"

// thinPanels is how many panels are multiplied side by side: one chain of additions alone
// would wait for itself.
const thinPanels = 4

// emitThin writes the kernel of panels of a type times one row of activations.
//
//	V0..V15 sums, four registers for a panel   V16..V23 weights   V24..V27 values of the activations
//
//	R8..R11 panels   R12..R15 activations   R16, R17 where the next are   R0 results
func emitThin(g *gen, typ string) {
	name := "thin" + typ + "NEON"
	g.fn(name, "y *float32, ldy, add int, panel *byte, stride, n int, x *float32, next, count int", 0, fmt.Sprintf(`
%s multiplies a number of panels of n columns, stride bytes apart, each
with n values of x, next bytes apart, and sets sixteen results for each, ldy bytes
apart, or adds to them if add is not 0.`, name))
	g.load("y ldy add panel stride x next count", "R0", "R1", "R2", "R16", "R3", "R17", "R4", "R5")
	g.while("R5", thinPanels, func() { g.thin(typ, thinPanels) })
	g.while("R5", 1, func() { g.thin(typ, 1) })
	g.end()
}

// thin multiplies some panels with their activations, and moves on behind them.
func (g *gen) thin(typ string, panels int) {
	w, x := []string{"R8", "R9", "R10", "R11"}[:panels], []string{"R12", "R13", "R14", "R15"}[:panels]
	g.rowPointers("R16", "R3", w)
	g.rowPointers("R17", "R4", x)
	g.p("ADD R3, %s, R16", w[panels-1])
	g.p("ADD R4, %s, R17", x[panels-1])
	g.load("n", "R6")
	for i := range 4 * panels {
		g.clear(i)
	}
	g.loop("R6", 1, func() {
		for p := range panels {
			g.p("VLD1R.P 4(%s), [V%d.S4]", x[p], 24+p)
			v := 16 + p%2*4
			g.widen(typ, w[p], v)
			for i := range 4 {
				g.v("fmla v%d.4s, v%d.4s, v%d.4s", 4*p+i, v+i, 24+p)
			}
		}
	})
	g.labels++
	set := fmt.Sprintf("set%d", g.labels)
	g.p("CBZ R2, %s", set)
	g.p("MOVD R0, R7")
	for i := range 4 * panels {
		g.p("FMOVQ %d(R7), F%d", i%4*16, 16+i%8)
		g.v("fadd v%d.4s, v%d.4s, v%d.4s", i, i, 16+i%8)
		if i%4 == 3 {
			g.p("ADD R1, R7")
		}
	}
	fmt.Fprintf(&g.text, "\n%s:\n", set)
	for p := range panels {
		g.p("FSTPQ (F%d, F%d), (R0)", 4*p, 4*p+1)
		g.p("FSTPQ (F%d, F%d), 32(R0)", 4*p+2, 4*p+3)
		g.p("ADD R1, R0")
	}
}
