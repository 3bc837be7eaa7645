package arm64

// Codes of a cache become numbers: of Q8_0 code·scale, of Q4_0 fma(scale, code,
// -8·scale). All of these are exact.
//
//	R0  numbers   R1  codes   R2  scales of values   R4  what is left
func emitAttBlocks(g *gen) {
	emitColumns(g, "columnsQ8", "sets rows rows of 32 elements to what the rows of a block of keys of Q8_0 stand for.", false)
	emitColumns(g, "columnsQ4", "does the same for a block of Q4_0, a row of which is two of dst.", true)
	emitValueRow(g, "rowQ8", "sets dst to what groups of eight codes of Q8_0 stand for; four groups have a scale.", false)
	emitValueRow(g, "rowQ4", "does the same for groups of sixteen codes of Q4_0, two of which have a scale.", true)
}

// widen puts eight codes, in the low half of v, into the eight lanes of v and v+1 as
// float32: signed bytes, or what fits into a byte.
func widen(g *gen, kind string, v int) {
	g.v("%sxtl v%d.8h, v%d.8b", kind, v, v)
	g.v("%sxtl2 v%d.4s, v%d.8h", kind, v+1, v)
	g.v("%sxtl v%d.4s, v%d.4h", kind, v, v)
	g.each("scvtf v%d.4s, v%d.4s", v, v)
}

// emitColumns writes the kernel of a block of keys. V16..V23 are the scales of 32
// positions, V24..V31 -8 times those.
func emitColumns(g *gen, name, comment string, nibbles bool) {
	g.fn(name, "dst *float32, block *byte, rows int", 0, name+" "+comment)
	g.load("dst block rows", "R0", "R1", "R4")
	minus8(g, nibbles, 4)
	for i := range 8 {
		g.p("FMOVD.P 8(R1), F%d", 16+i)
		g.v("fcvtl v%d.4s, v%d.4h", 16+i, 16+i)
		if nibbles {
			g.v("fmul v%d.4s, v%d.4s, v4.4s", 24+i, 16+i)
		}
	}
	g.loop("R4", 1, func() {
		g.p("ADD $128, R0, R3")
		for i := range 4 { // eight positions
			g.p("FMOVD.P 8(R1), F0")
			if !nibbles {
				widen(g, "s", 0)
				g.each("fmul v%d.4s, v%d.4s, v%d.4s", 0, 0, 16+2*i)
				g.store8("R0", 0)
				continue
			}
			halves(g)
			fromNibbles(g, 16+2*i, 16+2*i+1, 24+2*i, 24+2*i+1)
			g.store8("R0", 6)
			g.store8("R3", 8)
		}
		if nibbles {
			g.p("MOVD R3, R0")
		}
	})
	g.end()
}

// halves makes of eight bytes in V0 the codes of their low halves, in V0 and V1, and of
// the others, in V2 and V3.
func halves(g *gen) {
	g.v("ushr v2.8b, v0.8b, #4")
	g.v("shl v0.8b, v0.8b, #4")
	g.v("ushr v0.8b, v0.8b, #4")
	widen(g, "u", 0)
	widen(g, "u", 2)
}

// fromNibbles sets V6 to V9 to what the codes in V0 to V3 stand for, with the scales and
// -8 times the scales of the first and the last four of eight.
func fromNibbles(g *gen, scale0, scale1, minus0, minus1 int) {
	for i := range 4 {
		scale, minus := scale0, minus0
		if i%2 == 1 {
			scale, minus = scale1, minus1
		}
		g.v("orr v%d.16b, v%d.16b, v%d.16b", 6+i, minus, minus)
		g.v("fmla v%d.4s, v%d.4s, v%d.4s", 6+i, i, scale)
	}
}

// minus8 sets a register to -8, if that is needed.
func minus8(g *gen, needed bool, v int) {
	if needed {
		g.p("MOVD $0xc1000000, R5")
		g.p("VDUP R5, V%d.S4", v)
	}
}

// emitValueRow writes the kernel of a value. V16 is the scale, V17 -8 times it.
func emitValueRow(g *gen, name, comment string, nibbles bool) {
	g.fn(name, "dst *float32, codes, scales *byte, groups int", 0, name+" "+comment)
	g.load("dst codes scales groups", "R0", "R1", "R2", "R4")
	minus8(g, nibbles, 4)
	scale := func() {
		g.p("MOVHU.P 2(R2), R6")
		g.p("VDUP R6, V16.H8")
		g.v("fcvtl v16.4s, v16.4h")
		if nibbles {
			g.v("fmul v17.4s, v16.4s, v4.4s")
		}
	}
	group := func() {
		g.p("FMOVD.P 8(R1), F0")
		if !nibbles {
			widen(g, "s", 0)
			g.each("fmul v%d.4s, v%d.4s, v16.4s", 0, 0)
			g.store8("R0", 0)
			return
		}
		halves(g)
		fromNibbles(g, 16, 16, 17, 17)
		g.store8("R0", 6)
		g.store8("R0", 8)
	}
	whole := 4
	if nibbles {
		whole = 2
	}
	g.while("R4", whole, func() {
		scale()
		for range whole {
			group()
		}
	})
	g.p("CBZ R4, done")
	scale()
	g.loop("R4", 1, group)
	g.p("")
	g.text.WriteString("done:\n")
	g.end()
}
