package arm64

// The vector kernels take eight or sixteen elements at a time.
//
//	R0, R1, R2, R3  the vectors in the order of the arguments   R4  elements left
func emitVec(g *gen) {
	emitSums(g)
	emitNorm(g, "normx8", false)
	emitNorm(g, "normBiasx8", true)
	emitExp(g)
	emitGELU(g)
	emitArithmetic(g)
	emitHalf(g)
}

// load8 loads eight float32.
func (g *gen) load8(pointer string, v int) { g.p("FLDPQ (%s), (F%d, F%d)", pointer, v, v+1) }

// store8 stores them and moves the pointer on.
func (g *gen) store8(pointer string, v int) { g.p("FSTPQ.P (F%d, F%d), 32(%s)", v, v+1, pointer) }

// load8P moves the pointer on.
func (g *gen) load8P(pointer string, v int) { g.p("FLDPQ.P 32(%s), (F%d, F%d)", pointer, v, v+1) }

// load16P loads sixteen float32 and moves the pointer on.
func (g *gen) load16P(pointer string, v int) {
	g.load8P(pointer, v)
	g.load8P(pointer, v+2)
}

// each writes an instruction for two registers.
func (g *gen) each(format string, registers ...int) {
	for i := range 2 {
		var args []any
		for _, r := range registers {
			args = append(args, r+i)
		}
		g.v(format, args...)
	}
}

func emitSums(g *gen) {
	lanes := func(body func()) {
		g.p("FLDPQ (R0), (F0, F1)")
		g.p("FLDPQ 32(R0), (F2, F3)")
		g.loop("R4", 16, body)
		g.p("FSTPQ (F0, F1), (R0)")
		g.p("FSTPQ (F2, F3), 32(R0)")
		g.end()
	}
	g.fn("sumx16", "sum *[16]float32, x *float32, n int", 0, "sumx16 works like sumGeneric.")
	g.load("sum x n", "R0", "R1", "R4")
	lanes(func() {
		g.load16P("R1", 4)
		for i := range 4 {
			g.v("fadd v%d.4s, v%d.4s, v%d.4s", i, i, 4+i)
		}
	})
	g.fn("squaresx16", "sum *[16]float32, x *float32, n int, mean float32", 0, "squaresx16 works like squaresGeneric.")
	g.load("sum x n", "R0", "R1", "R4")
	g.loadFloat("mean", 16)
	lanes(func() {
		g.load16P("R1", 4)
		for i := range 4 {
			g.v("fsub v%d.4s, v%d.4s, v16.4s", 4+i, 4+i)
			g.v("fmla v%d.4s, v%d.4s, v%d.4s", i, 4+i, 4+i)
		}
	})
}

func emitNorm(g *gen, name string, bias bool) {
	if bias {
		g.fn(name, "y, x, w, b *float32, n int, mean, inv float32", 0, name+" works like normGeneric.")
		g.load("b", "R3")
	} else {
		g.fn(name, "y, x, w *float32, n int, mean, inv float32", 0, name+" works like normGeneric without a bias.")
	}
	g.load("y x w n", "R0", "R1", "R2", "R4")
	g.loadFloat("mean", 16)
	g.loadFloat("inv", 17)
	g.loop("R4", 8, func() {
		g.load8P("R1", 0)
		g.load8P("R2", 2)
		g.each("fsub v%d.4s, v%d.4s, v16.4s", 0, 0)
		g.each("fmul v%d.4s, v%d.4s, v17.4s", 0, 0)
		if bias {
			g.load8P("R3", 4)
			g.each("fmla v%d.4s, v%d.4s, v%d.4s", 4, 0, 2)
			g.store8("R0", 4)
		} else {
			g.each("fmul v%d.4s, v%d.4s, v%d.4s", 0, 0, 2)
			g.store8("R0", 0)
		}
	})
	g.end()
}

// The constants of e^x: two registers each are kept free for what works on
// eight elements. V16..V23 hold mathTable, V24..V30 expPoly.
const (
	log2E = 16 + iota
	roundBias
	ln2Hi
	ln2Lo
	expLow
	expHigh
	maxFloat
	geluEdge
	expPoly
)

// expConstants fills their registers. It uses R5.
func expConstants(g *gen) {
	g.p("MOVD $mptgo∕ggml∕internal∕scalar·mathTable(SB), R5")
	for i := range 8 {
		g.p("VLD1R.P 4(R5), [V%d.S4]", log2E+i)
	}
	g.p("MOVD $mptgo∕ggml∕internal∕scalar·expPoly(SB), R5")
	for i := range 7 {
		g.p("VLD1R.P 4(R5), [V%d.S4]", expPoly+i)
	}
}

// exp sets y to e^x and clobbers x, r and biased, two registers each. The
// comparisons are x < expLow and not x <= expHigh, which is true of a NaN.
func exp(g *gen, x, y, r, biased int) {
	g.each("orr v%d.16b, v17.16b, v17.16b", biased)
	g.each("fmla v%d.4s, v%d.4s, v16.4s", biased, x)
	g.each("fsub v%d.4s, v%d.4s, v17.4s", y, biased)
	g.each("orr v%d.16b, v%d.16b, v%d.16b", r, x, x)
	g.each("fmls v%d.4s, v%d.4s, v18.4s", r, y)
	g.each("fmls v%d.4s, v%d.4s, v19.4s", r, y)
	expReduced(g, biased, r, y, r+4)
	for i := range 2 {
		g.v("fcmgt v%d.4s, v%d.4s, v%d.4s", r+i, expLow, x+i)
		g.v("bic v%d.16b, v%d.16b, v%d.16b", y+i, y+i, r+i)
		g.v("fcmge v%d.4s, v%d.4s, v%d.4s", r+i, expHigh, x+i)
	}
	g.each("fmul v%d.4s, v%d.4s, v22.4s", x, x)
	g.each("bif v%d.16b, v%d.16b, v%d.16b", y, x, r)
}

// expReduced sets y to 2^n·e^r; biased, roundBias+n, is clobbered, and tmp.
// Horner's rule goes to and fro between y and tmp, since an instruction adds to
// its destination.
func expReduced(g *gen, biased, r, y, tmp int) {
	g.each("orr v%d.16b, v30.16b, v30.16b", y)
	for k := 5; k >= 0; k-- {
		for i := range 2 {
			g.v("orr v%d.16b, v%d.16b, v%d.16b", tmp+i, expPoly+k, expPoly+k)
			g.v("fmla v%d.4s, v%d.4s, v%d.4s", tmp+i, y+i, r+i)
		}
		y, tmp = tmp, y
	}
	g.each("shl v%d.4s, v%d.4s, #23", biased, biased)
	g.each("add v%d.4s, v%d.4s, v%d.4s", y, y, biased)
}

func emitExp(g *gen) {
	g.fn("expx8", "y, x *float32, n int", 0, "expx8 works like expGeneric.")
	g.load("y x n", "R0", "R1", "R4")
	expConstants(g)
	g.loop("R4", 8, func() {
		g.load8P("R1", 0)
		exp(g, 0, 2, 4, 6)
		g.store8("R0", 2)
	})
	g.end()
}

// emitGELU writes the kernel of GELU.
//
//	V0, V1  x   V2, V3  |x|   V4, V5  log2 Q(|x|), its fraction   V6, V7  Q
//	V8, V9, V12, V13  temporary   V10, V11  roundBias + exponent of Q
func emitGELU(g *gen) {
	g.fn("gelux8", "x *float32, n int", 0, "gelux8 works like geluGeneric.")
	g.load("x n", "R0", "R4")
	expConstants(g)
	g.loop("R4", 8, func() {
		g.load8("R0", 0)
		g.each("fabs v%d.4s, v%d.4s", 2, 0)
		g.p("MOVD $mptgo∕ggml∕internal∕scalar·tailPoly+44(SB), R5")
		g.p("VLD1R (R5), [V4.S4]")
		g.v("orr v5.16b, v4.16b, v4.16b")
		log2 := []int{4, 12}
		for range 11 {
			g.p("SUB $4, R5")
			g.p("VLD1R (R5), [V%d.S4]", log2[1])
			g.v("orr v%d.16b, v%d.16b, v%d.16b", log2[1]+1, log2[1], log2[1])
			g.each("fmla v%d.4s, v%d.4s, v%d.4s", log2[1], log2[0], 2)
			log2[0], log2[1] = log2[1], log2[0]
		}
		z := log2[0]
		g.each("fadd v%d.4s, v%d.4s, v17.4s", 10, z)
		g.each("fsub v%d.4s, v%d.4s, v17.4s", 6, 10)
		g.each("fsub v%d.4s, v%d.4s, v%d.4s", z, z, 6)
		g.each("fmul v%d.4s, v%d.4s, v18.4s", z, z)
		expReduced(g, 10, z, 6, 8)
		g.each("fmul v%d.4s, v%d.4s, v%d.4s", 6, 6, 2)
		for i := range 2 {
			g.v("fcmge v%d.4s, v%d.4s, v%d.4s", 8+i, geluEdge, 2+i)
			g.v("and v%d.16b, v%d.16b, v%d.16b", 6+i, 6+i, 8+i)
		}
		g.clear(10)
		for i := range 2 {
			g.v("fcmgt v%d.4s, v10.4s, v%d.4s", 8+i, i)
			g.v("bic v%d.16b, v%d.16b, v%d.16b", i, i, 8+i)
		}
		g.each("fsub v%d.4s, v%d.4s, v%d.4s", 0, 0, 6)
		g.store8("R0", 0)
	})
	g.end()
}

func emitArithmetic(g *gen) {
	g.fn("addx8", "y, x *float32, n int", 0, "addx8 works like addGeneric.")
	g.load("y x n", "R0", "R1", "R4")
	g.loop("R4", 8, func() {
		g.load8("R0", 0)
		g.load8P("R1", 2)
		g.each("fadd v%d.4s, v%d.4s, v%d.4s", 0, 0, 2)
		g.store8("R0", 0)
	})
	g.end()

	g.fn("scalex8", "x *float32, n int, s float32", 0, "scalex8 works like scaleGeneric.")
	g.load("x n", "R0", "R4")
	g.loadFloat("s", 16)
	g.loop("R4", 8, func() {
		g.load8("R0", 0)
		g.each("fmul v%d.4s, v%d.4s, v16.4s", 0, 0)
		g.store8("R0", 0)
	})
	g.end()

	g.fn("clampx8", "x *float32, n int, c float32", 0, "clampx8 works like clampGeneric.")
	g.load("x n", "R0", "R4")
	g.loadFloat("c", 16)
	g.v("fneg v17.4s, v16.4s")
	g.loop("R4", 8, func() {
		g.load8("R0", 0)
		g.each("fcmgt v%d.4s, v%d.4s, v16.4s", 2, 0)
		for i := range 2 {
			g.v("fcmgt v%d.4s, v17.4s, v%d.4s", 4+i, i)
		}
		g.each("bit v%d.16b, v17.16b, v%d.16b", 0, 4)
		g.each("bit v%d.16b, v16.16b, v%d.16b", 0, 2)
		g.store8("R0", 0)
	})
	g.end()
}

func emitHalf(g *gen) {
	g.fn("encodeF16x8", "dst *byte, src *float32, n int", 0, "encodeF16x8 works like encodeF16.")
	g.load("dst src n", "R0", "R1", "R4")
	g.loop("R4", 8, func() {
		g.load8P("R1", 0)
		narrow(g)
		g.p("FMOVQ.P F2, 16(R0)")
	})
	g.end()

	for _, typ := range []string{"F16", "BF16"} {
		name := "decode" + typ + "x8"
		g.fn(name, "dst *float32, src *byte, n int", 0, name+" works like decode"+typ+".")
		g.load("dst src n", "R0", "R1", "R4")
		g.loop("R4", 8, func() {
			g.p("FMOVQ.P 16(R1), F2")
			g.widenPair(typ, 2, 0)
			g.store8("R0", 0)
		})
		g.end()
	}
}

// narrow rounds V0 and V1 to binary16, in V2.
func narrow(g *gen) {
	g.v("fcvtn v2.4h, v0.4s")
	g.v("fcvtn2 v2.8h, v1.4s")
}
