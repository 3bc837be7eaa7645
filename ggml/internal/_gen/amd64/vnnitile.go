package amd64

import (
	"fmt"

	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"

	"mptgo/ggml/internal/_gen/kinds"
	"mptgo/ggml/internal/_gen/text"
)

// The tiles with VPDPBUSD are one program for two widths of registers. All
// codes of their panels are unsigned bytes. What stands before the codes is the
// same as in tile.go, but for the scales of 16 columns, which are float32.

// width is what the program depends on.
type width struct {
	tier    string // ends the names of the kernels
	size    int    // bytes of a register
	vectors int    // registers for 16 rows
	sums    int    // registers for the sums over a block and the results
	results bool   // whether the results stay in registers while a tile runs
	most    int    // rows of activations at most
}

var (
	avx512  = width{tier: "AVX512", size: 64, vectors: 1, sums: 28, results: true, most: 14}
	avxVNNI = width{tier: "AVXVNNI", size: 32, vectors: 2, sums: 8, most: 4}
)

// rows returns how many rows of activations a tile takes at most.
func (w width) rows(k kinds.Panel) int {
	if w.results {
		return min(w.most, w.sums/(sumsOf(k)+1))
	}
	return w.most
}

// sumsOf returns how many sums a token and a row have.
func sumsOf(k kinds.Panel) int {
	if k.Form.HasHalves() {
		return 2
	}
	return 1
}

// together returns of how many rows the sums are made at the same time.
func (w width) together(k kinds.Panel) int {
	if w.results {
		return w.most
	}
	return w.sums / (sumsOf(k) * w.vectors)
}

// heights are the rows of activations that there are tiles for. Other numbers are sums of these:
// two tiles took at most 1 % longer than one of their height, and most no longer.
func (w width) heights(k kinds.Panel) (rows []int) {
	heights := []int{2, 3, 4, 5, 6, 8, 9, 10, 12, 14}
	if k.Form.HasHalves() && w.results {
		heights = []int{2, 3, 4, 6, 9}
	}
	for _, n := range heights {
		if n <= w.rows(k) {
			rows = append(rows, n)
		}
	}
	return rows
}

func emitVNNITiles(w width) func(*gen) {
	return func(g *gen) {
		for _, k := range kinds.VNNI {
			for _, tokens := range w.heights(k) {
				emitVNNITile(g, w, k, tokens)
			}
		}
	}
}

// vnniTile is a kernel under construction.
type vnniTile struct {
	*gen
	width
	kinds.Panel
	tokens          int
	a, a7           rows // of activations: the first seven, and those after them
	a5              reg.Register
	y, ldy, y3, w   reg.Register
	sum             []reg.VecPhysical
	code            []reg.VecPhysical // a dword column of weights, or a vector of the block
	vector          []reg.VecPhysical // a vector of the block
	product, factor reg.VecPhysical
	act, loaded     reg.VecPhysical // where registers are short of broadcasts and results
}

func emitVNNITile(g *gen, w width, k kinds.Panel, tokens int) {
	t := newVNNITile(g, w, k, tokens)
	name := text.TileName(k, tokens, w.tier)
	g.fn(name, text.TileParams, fmt.Sprintf(`
%s adds the product of n blocks of a panel of
%s with
%d rows of activations to y. ldy and lda are in bytes. For each block it fetches
some lines at ahead and moves ahead by step.`, name, k.Note, tokens))
	t.begin()
	g.loop(reg.RCX, func() {
		g.fetch(reg.R12, reg.R13, fetchedLines)
		for from := 0; from < tokens; from += w.together(k) {
			t.body(from, min(from+w.together(k), tokens))
		}
		g.ADDQ(operand.U32(size(k)), t.w)
		g.ADDQ(operand.U32(kinds.ActSize), t.a.base)
		if tokens > 7 {
			g.ADDQ(operand.U32(kinds.ActSize), t.a7.base)
		}
	})
	t.keepResults()
	g.end()
}

// body writes the body of the loop for some tokens.
func (t *vnniTile) body(from, to int) {
	if t.Form.HasHalves() {
		t.halves(from, to)
	} else {
		t.plain(from, to)
	}
}

// newVNNITile deals out the registers: first those of sums and results.
func newVNNITile(g *gen, w width, k kinds.Panel, tokens int) *vnniTile {
	t := &vnniTile{
		gen: g, width: w, Panel: k, tokens: tokens,
		a: rows{reg.RDX, reg.R8, reg.R9}, a7: rows{reg.R11, reg.R8, reg.R9}, a5: reg.R10,
		y: reg.RDI, ldy: reg.RBX, y3: reg.RAX, w: reg.RSI,
	}
	next := 0
	take := func(n int) []reg.VecPhysical {
		next += n
		return vecs(w.size, next-n, next)
	}
	t.sum = take(w.sums)
	t.code, t.vector = take(w.vectors), take(w.vectors)
	t.product, t.factor = take(1)[0], take(1)[0]
	if !w.results {
		t.act, t.loaded = take(1)[0], take(1)[0]
	}
	return t
}

// begin loads the parameters and the results.
func (t *vnniTile) begin() {
	t.load("y", t.y)
	t.load("ldy", t.ldy)
	t.load("panel", t.w)
	t.load("n", reg.RCX)
	t.load("a", t.a.base)
	t.load("lda", t.a.stride)
	t.load("ahead", reg.R12)
	t.load("step", reg.R13)
	t.a.init(t.gen)
	if t.tokens > 5 {
		t.LEAQ(operand.Mem{Base: t.a.stride, Index: t.a.stride, Scale: 4}, t.a5)
	}
	if t.tokens > 7 {
		t.LEAQ(operand.Mem{Base: t.a.base, Index: t.a.stride, Scale: 4}, t.a7.base)
		t.ADDQ(t.a.stride3, t.a7.base)
	}
	if t.Zero == 128 {
		t.MOVL(operand.U32(0x41800000), reg.EAX) // 16
		t.VMOVD(reg.EAX, t.factor.AsX())
		t.VBROADCASTSS(t.factor.AsX(), t.factor)
	}
	if t.results {
		t.eachResult(func(m operand.Mem, y reg.VecPhysical) { t.VMOVUPS(m, y) })
	} else {
		rows{t.y, t.ldy, t.y3}.init(t.gen)
	}
}

// keepResults stores the results that are in registers.
func (t *vnniTile) keepResults() {
	if t.results {
		t.eachResult(func(m operand.Mem, y reg.VecPhysical) { t.VMOVUPS(y, m) })
	}
}

// eachResult walks over the results in memory. It uses AX.
func (t *vnniTile) eachResult(do func(m operand.Mem, y reg.VecPhysical)) {
	t.MOVQ(t.y, reg.RAX)
	for i := range t.tokens {
		if i > 0 {
			t.ADDQ(t.ldy, reg.RAX)
		}
		do(operand.Mem{Base: reg.RAX}, t.result(i))
	}
}

// result is the register of a token's results.
func (t *vnniTile) result(token int) reg.VecPhysical { return t.sum[sumsOf(t.Panel)*t.tokens+token] }

// of returns the registers of the first or second sums of a token.
func (t *vnniTile) of(which, token int) []reg.VecPhysical {
	together := min(t.together(t.Panel), t.tokens)
	at := (which*together + token%together) * t.vectors
	return t.sum[at : at+t.vectors]
}

// at addresses a field of a token's block of activations.
func (t *vnniTile) at(token, offset int) operand.Mem {
	a := t.a
	if token >= 7 {
		a, token = t.a7, token-7
	}
	return seven(a, t.a5, token, offset)
}

// all returns an operand that is a dword of memory for all lanes: with AVX-512
// the memory itself, otherwise y, into which it is loaded.
func (t *vnniTile) all(m operand.Mem, y reg.VecPhysical) operand.Op {
	if t.size == 64 {
		return m
	}
	t.VPBROADCASTD(m, y)
	return y
}

// with calls the form of an instruction that goes with an operand of all.
func with(a operand.Op, plain, broadcast func(...operand.Op), others ...operand.Op) {
	if _, ok := a.(operand.Mem); ok {
		plain = broadcast
	}
	plain(append([]operand.Op{a}, others...)...)
}

// read loads what the block has at offset for the 16 rows.
func (t *vnniTile) read(offset int, to []reg.VecPhysical) {
	for v, y := range to {
		t.VMOVUPS(operand.Mem{Base: t.w, Disp: offset + v*t.size}, y)
	}
}

func (t *vnniTile) zeroSums(y []reg.VecPhysical) {
	for _, y := range y {
		if t.size == 64 {
			t.VPXORD(y, y, y)
		} else {
			t.VPXOR(y, y, y)
		}
	}
}

// products sets the first sums of tokens from to to-1 to those over dword
// columns first to last.
func (t *vnniTile) products(first, last, from, to int) {
	for i := from; i < to; i++ {
		t.zeroSums(t.of(0, i))
	}
	for g := first; g <= last; g++ {
		t.read(head(t.Form)+64*g, t.code)
		for i := from; i < to; i++ {
			q := t.all(t.at(i, 4*g), t.act)
			for v, sum := range t.of(0, i) {
				t.dotBytes(q, t.code[v], sum)
			}
		}
	}
	for i := from; i < to; i++ {
		for _, sum := range t.of(0, i) {
			t.VCVTDQ2PS(sum, sum)
		}
	}
}

// plain is the body of panels with one scale for a block.
func (t *vnniTile) plain(from, to int) {
	t.products(0, 7, from, to)
	t.read(panelScale, t.vector)
	if t.Form.HasMin() {
		t.read(panelMin, t.code)
	}
	for i := from; i < to; i++ {
		t.subtractZero(i)
		t.addScaled(i, t.of(0, i))
	}
}

// subtractZero subtracts the zero point as float32, where these integers are
// exact too. By adding where it can be done: on some CPUs additions have ports
// of their own.
func (t *vnniTile) subtractZero(token int) {
	if t.Zero == 0 {
		return
	}
	zero8 := t.all(t.at(token, kinds.ActZero8), t.act)
	for _, sum := range t.of(0, token) {
		if t.Zero == 128 {
			with(zero8, t.VFNMADD231PS, t.VFNMADD231PS_BCST, t.factor, sum)
			continue
		}
		for range t.Zero / 8 {
			with(zero8, t.VSUBPS, t.VSUBPS_BCST, sum, sum)
		}
	}
}

// halves is the body of panels with scales for 16 columns: the second sums are
// those over the block. They begin with the zero point, so that all of them
// are below 1<<24 and exact: see unpacked.add.
func (t *vnniTile) halves(from, to int) {
	t.read(panelZero, t.vector)
	for i := from; i < to; i++ {
		total := t.of(1, i)
		t.zeroSums(total)
		if t.Form.HasMin() {
			continue
		}
		half := t.all(t.at(i, kinds.ActHalf), t.act)
		for v, y := range total {
			t.dotWords(half, t.vector[v], y)
			t.VCVTDQ2PS(y, y)
		}
	}
	for half, scales := range []int{panelSub0, panelSub1} {
		t.products(4*half, 4*half+3, from, to)
		t.read(scales, t.vector)
		for i := from; i < to; i++ {
			for v, y := range t.of(1, i) {
				t.VFMADD231PS(t.of(0, i)[v], t.vector[v], y)
			}
		}
	}
	t.read(panelScale, t.vector)
	if t.Form.HasMin() {
		t.read(panelMin2, t.code)
	}
	for i := from; i < to; i++ {
		if t.Form.HasMin() {
			t.addMinPairs(i, t.of(1, i))
		} else {
			t.addScaled(i, t.of(1, i))
		}
	}
}

// addMinPairs adds the sums of a token to its results, and those of the minima for
// each 16 columns times its activations.
func (t *vnniTile) addMinPairs(token int, sums []reg.VecPhysical) {
	for v, sum := range sums {
		half := t.all(t.at(token, kinds.ActHalf), t.act)
		t.VMOVUPS(operand.Mem{Base: t.w, Disp: panelZero + v*t.size}, t.factor)
		t.zeroSums([]reg.VecPhysical{t.product})
		t.dotWords(half, t.factor, t.product)
		t.VCVTDQ2PS(t.product, t.product)
		d := t.all(t.at(token, kinds.ActD), t.act)
		with(d, t.VMULPS, t.VMULPS_BCST, t.product, t.product)
		with(d, t.VMULPS, t.VMULPS_BCST, t.vector[v], t.factor)
		t.onResult(token, v, func(y reg.VecPhysical) {
			t.VFMADD231PS(sum, t.factor, y)
			t.VFMADD231PS(t.code[v], t.product, y)
		})
	}
}

// onResult runs add for a register with results of a token, and keeps them.
func (t *vnniTile) onResult(token, v int, add func(y reg.VecPhysical)) {
	if t.results {
		add(t.result(token))
		return
	}
	memory := rows{t.y, t.ldy, t.y3}.at(min(token, 3), v*t.size)
	t.VMOVUPS(memory, t.loaded)
	add(t.loaded)
	t.VMOVUPS(t.loaded, memory)
}

// addScaled adds the sums of a token to its results.
func (t *vnniTile) addScaled(token int, sums []reg.VecPhysical) {
	d := t.all(t.at(token, kinds.ActD), t.act)
	var s operand.Op
	if t.Form.HasMin() {
		s = t.all(t.at(token, kinds.ActS), t.factor)
	}
	for v, sum := range sums {
		with(d, t.VMULPS, t.VMULPS_BCST, t.vector[v], t.product)
		t.onResult(token, v, func(y reg.VecPhysical) {
			t.VFMADD231PS(sum, t.product, y)
			if t.Form.HasMin() {
				with(s, t.VFMADD231PS, t.VFMADD231PS_BCST, t.code[v], y)
			}
		})
	}
}
