package amd64

import (
	"fmt"

	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"

	"mptgo/ggml/internal/_gen/kinds"
)

// A kernel for AMX multiplies two panels, of the same blocks of two strips, with groups of 16 rows of activations.
// Codes of panels are signed: see emitSigned. Tiles give the sums over a block or half of one for 16 rows times 16;
// they are stored, and from there become floats, are scaled and added to the results as in vnnitile.go.
//
// Tiles and vectors take turns, a chunk of blocks at a time: while instructions on tiles are under way, one of the
// two ports that multiply 512 bits does not do so. In a turn of tiles, two panels meet two groups, so that half as
// many are loaded; a sum is stored when the next one of its tile is about to be made, since a store right behind
// its product would wait for it, and all that follows, too.

const (
	amxParams = "y *float32, panel *byte, next int, n int, a *byte, lda int, groups int, buf *byte, " +
		"ahead uintptr, step int"

	sumBytes     = 1024           // of 16 times 16 sums
	pairBytes    = 4 * sumBytes   // of two panels and two groups
	turnPasses   = 4              // passes of tiles over blocks, or halves of them, in a turn
	resultRow    = 128            // bytes of the results of a row, those of two strips
	groupResults = 16 * resultRow // and of a group
	fetchedTurn  = 16             // lines
)

// The places of the fields of act.Tile.
const (
	tileD    = 512
	tileS    = 576
	tileHalf = 640
	tileSize = 704
)

// amx is a kernel under construction.
type amx struct {
	*gen
	kinds.Panel
}

// The registers of all AMX kernels.
var (
	amxA, amxY, amxPanel        = reg.R8, reg.R9, reg.RDX   // where those of a pair of groups, and of a turn, begin
	amxGroups, amxLeft, amxTurn = reg.R10, reg.R14, reg.R15 // groups and blocks left, blocks of a turn
	amxBuf                      = reg.R11
	amxRow, amxColumn           = reg.R13, reg.R12 // bytes from row to row of activations and of columns
	amxScale, amxMin            = reg.Z0, reg.Z1
	amxSubs                     = [2]reg.VecPhysical{reg.Z2, reg.Z3}
	amxSums                     = vecs(64, 4, 16) // and what they become
	amxResults                  = vecs(64, 16, 32)
)

func emitAMX(g *gen) {
	emitSigned(g)
	for _, k := range kinds.VNNI {
		if k.Zero == 0 || k.Name == "Plain8" {
			t := &amx{g, k}
			t.emit()
		}
	}
}

// emitSigned writes the kernel that takes the zero point off the codes of a panel.
func emitSigned(g *gen) {
	g.fn("signed", "panel *byte, n int, size int, zero int", `
signed subtracts the zero point from the codes of n blocks of a panel of size bytes each.`)
	panel, size := reg.RSI, reg.RBX
	g.load("panel", panel)
	g.load("n", reg.RCX)
	g.load("size", size)
	g.load("zero", reg.RAX)
	g.VPBROADCASTB(reg.EAX, reg.Z0)
	g.loop(reg.RCX, func() {
		g.ADDQ(size, panel)
		for i := range 8 {
			codes := operand.Mem{Base: panel, Disp: 64*i - 512}
			g.VMOVDQU8(codes, reg.Z1)
			g.VPSUBB(reg.Z0, reg.Z1, reg.Z1)
			g.VMOVDQU8(reg.Z1, codes)
		}
	})
	g.end()
}

var amxNames = map[kinds.Form]string{
	kinds.Plain: "plain", kinds.Min: "min", kinds.Halves: "halves", kinds.HalvesMin: "halvesMin",
}

func (t *amx) emit() {
	name := amxNames[t.Form]
	t.fn(name, amxParams, fmt.Sprintf(`
%s adds the products of n blocks of two panels with groups of 16 rows of activations to y. The panels lie next
bytes apart, the tiles of activations of a group lda bytes after those of the group before; buf has room for sums.
It fetches lines at ahead, and moves ahead by step for each block and two groups.`, name))
	shapes := tileShapes(32 / t.passes())
	t.LEAQ(t.constant(fmt.Sprintf("shapes%d", t.passes()), shapes), reg.RAX)
	t.tileBytes("LDTILECFG (AX)", tileConfig(gp(reg.RAX)))
	t.load("y", amxY)
	t.load("a", amxA)
	t.load("groups", amxGroups)
	t.repeat(t.JGT, func() {
		t.load("panel", amxPanel)
		t.load("n", amxLeft)
		t.repeat(t.JNE, t.turn)
		t.load("n", reg.RAX)
		t.IMUL3Q(operand.U32(tileSize), reg.RAX, reg.RAX)
		t.SUBQ(reg.RAX, amxA)
		t.load("lda", reg.RAX)
		t.LEAQ(operand.Mem{Base: amxA, Index: reg.RAX, Scale: 2}, amxA)
		t.ADDQ(operand.U32(2*groupResults), amxY)
		t.SUBQ(operand.Imm(2), amxGroups)
	})
	t.tileBytes("TILERELEASE", tileRelease())
	t.end()
}

// passes returns how many passes of tiles a block takes.
func (t *amx) passes() int { return sumsOf(t.Panel) }

// repeat repeats body while its flags make jump jump back.
func (g *gen) repeat(jump func(operand.Op), body func()) {
	g.labels++
	label := fmt.Sprintf("loop%d", g.labels)
	g.Label(label)
	body()
	jump(operand.LabelRef(label))
}

// skip leaves body out if jump jumps.
func (g *gen) skip(jump func(operand.Op), body func()) {
	g.labels++
	label := fmt.Sprintf("end%d", g.labels)
	jump(operand.LabelRef(label))
	body()
	g.Label(label)
}

// turn multiplies and adds some blocks. Its flags say whether any are left.
func (t *amx) turn() {
	t.MOVQ(operand.U32(uint32(turnPasses/t.passes())), amxTurn)
	t.CMPQ(amxLeft, amxTurn)
	t.CMOVQLT(amxLeft, amxTurn)
	t.products()
	t.fetchTurn()
	t.addSums()
	t.IMUL3Q(operand.U32(tileSize), amxTurn, reg.RAX)
	t.ADDQ(reg.RAX, amxA)
	t.IMUL3Q(operand.U32(uint32(size(t.Panel))), amxTurn, reg.RAX)
	t.ADDQ(reg.RAX, amxPanel)
	t.SUBQ(amxTurn, amxLeft)
}

// fetchTurn fetches what a turn makes room for.
func (t *amx) fetchTurn() {
	ahead, err := t.Param("ahead").Resolve()
	if err != nil {
		panic(err)
	}
	t.load("ahead", reg.RAX)
	t.load("step", reg.RCX)
	t.IMUL3Q(operand.U32(uint32(turnPasses/t.passes())), reg.RCX, reg.RCX)
	t.fetch(reg.RAX, reg.RCX, fetchedTurn)
	t.MOVQ(reg.RAX, ahead.Addr)
}

// The registers of a turn of tiles: where tiles of activations and of panels begin, and what is left.
var (
	tilesA  = [2]reg.Register{reg.RAX, reg.RBX}
	tilesW  = [2]reg.Register{reg.RSI, reg.RDI}
	tilesIn = reg.RCX
)

// products stores the sums over the blocks of a turn. All passes but the first begin with storing those of the one
// before.
func (t *amx) products() {
	t.MOVQ(operand.U32(64), amxColumn)
	t.MOVQ(operand.U32(32), amxRow)
	t.MOVQ(amxA, tilesA[0])
	t.load("lda", tilesA[1])
	t.ADDQ(amxA, tilesA[1])
	t.LEAQ(operand.Mem{Base: amxPanel, Disp: head(t.Form)}, tilesW[0])
	t.load("next", tilesW[1])
	t.ADDQ(tilesW[0], tilesW[1])
	t.load("buf", amxBuf)
	t.MOVQ(amxTurn, tilesIn)
	t.block(false)
	t.DECQ(tilesIn)
	t.skip(t.JEQ, func() {
		t.loop(tilesIn, func() { t.block(true) })
	})
	t.storeSums(0, 1)
	t.ifPair(func() { t.storeSums(2, 3) })
}

// storeSums stores two tiles of sums.
func (t *amx) storeSums(tiles ...int) {
	for _, i := range tiles {
		t.tileStore(i, amxBuf, amxColumn, i*sumBytes)
	}
}

// ifPair runs body unless a single group is left.
func (t *amx) ifPair(body func()) {
	t.CMPQ(amxGroups, operand.Imm(1))
	t.skip(t.JEQ, body)
}

// block multiplies a block.
func (t *amx) block(store bool) {
	for half := range t.passes() {
		t.pass(half, store || half > 0)
	}
	for i := range 2 {
		t.ADDQ(operand.U32(tileSize), tilesA[i])
		t.ADDQ(operand.U32(uint32(size(t.Panel))), tilesW[i])
	}
}

// pass multiplies a block, or half of it.
func (t *amx) pass(half int, store bool) {
	sums := func(group, strip int) {
		i := 2*group + strip
		if store {
			t.storeSums(i)
		}
		t.tileMultiply(4+group, 6+strip, i)
	}
	t.tileLoad(tilesA[0], amxRow, 16*half, 4)
	t.tileLoad(tilesW[0], amxColumn, 256*half, 6)
	sums(0, 0)
	t.tileLoad(tilesW[1], amxColumn, 256*half, 7)
	sums(0, 1)
	t.ifPair(func() {
		t.tileLoad(tilesA[1], amxRow, 16*half, 5)
		sums(1, 0)
		sums(1, 1)
	})
	if store {
		t.ADDQ(operand.U32(pairBytes), amxBuf)
	}
}

// The registers of a turn of vectors: where the tiles and the panel of a tile of sums begin, and walks through
// them; how many tiles of sums and blocks are left.
var (
	sumsA, walkA     = reg.R13, reg.RAX
	sumsW, walkW     = reg.R12, reg.RSI
	sumsY            = reg.RDI
	sumsLeft, sumsIn = reg.RBX, reg.RCX
)

// addSums adds what products has stored to the results.
func (t *amx) addSums() {
	t.MOVQ(amxA, sumsA)
	t.MOVQ(amxPanel, sumsW)
	t.MOVQ(amxY, sumsY)
	t.load("buf", amxBuf)
	t.MOVQ(operand.U32(2), sumsLeft)
	t.ifPair(func() { t.MOVQ(operand.U32(4), sumsLeft) })
	t.loop(sumsLeft, func() {
		t.MOVQ(sumsA, walkA)
		t.MOVQ(sumsW, walkW)
		t.MOVQ(amxTurn, sumsIn)
		for i, y := range amxResults {
			t.VMOVUPS(operand.Mem{Base: sumsY, Disp: resultRow * i}, y)
		}
		t.loop(sumsIn, func() {
			t.addBlock()
			t.ADDQ(operand.U32(tileSize), walkA)
			t.ADDQ(operand.U32(uint32(size(t.Panel))), walkW)
			t.ADDQ(operand.U32(uint32(t.passes()*pairBytes)), amxBuf)
		})
		for i, y := range amxResults {
			t.VMOVUPS(y, operand.Mem{Base: sumsY, Disp: resultRow * i})
		}
		t.nextSums()
	})
}

// nextSums leads from a tile of sums to the next: of the other strip or, if that has been, of the next group.
func (t *amx) nextSums() {
	t.IMUL3Q(operand.U32(uint32(t.passes()*pairBytes)), amxTurn, reg.RCX)
	t.SUBQ(reg.RCX, amxBuf)
	t.ADDQ(operand.U32(sumBytes), amxBuf)
	t.load("next", reg.RCX)
	t.ADDQ(operand.U32(64), sumsY)
	t.ADDQ(reg.RCX, sumsW)
	t.TESTQ(operand.U32(1), sumsLeft)
	t.skip(t.JEQ, func() {
		t.ADDQ(operand.U32(groupResults-2*64), sumsY)
		t.ADDQ(reg.RCX, reg.RCX)
		t.SUBQ(reg.RCX, sumsW)
		t.load("lda", reg.RCX)
		t.ADDQ(reg.RCX, sumsA)
	})
}

// addBlock adds the sums over a block to the results.
func (t *amx) addBlock() {
	vector := func(offset int, z reg.VecPhysical) { t.VMOVUPS(operand.Mem{Base: walkW, Disp: offset}, z) }
	vector(panelScale, amxScale)
	switch {
	case t.Form == kinds.Min:
		vector(panelMin, amxMin)
	case t.Form.HasHalves():
		vector(panelSub0, amxSubs[0])
		vector(panelSub1, amxSubs[1])
	}
	if t.Form == kinds.HalvesMin {
		vector(panelMin2, amxMin)
	}
	for i, y := range amxResults {
		tmp := amxSums[i%3*4:][:4]
		t.addRow(i, y, tmp[0], tmp[1], tmp[2:])
	}
}

// addRow adds the sums of a row of activations.
func (t *amx) addRow(i int, y, sum, scale reg.VecPhysical, tmp []reg.VecPhysical) {
	act := func(offset int) operand.Mem { return operand.Mem{Base: walkA, Disp: offset + 4*i} }
	sums := func(half int) operand.Mem { return operand.Mem{Base: amxBuf, Disp: half*pairBytes + 64*i} }
	t.VCVTDQ2PS(sums(0), sum)
	if t.Form.HasHalves() { // from +0 on: see vnniTile.halves
		t.VPXORD(tmp[0], tmp[0], tmp[0])
		t.VFMADD213PS(tmp[0], amxSubs[0], sum)
		t.VCVTDQ2PS(sums(1), tmp[0])
		t.VFMADD231PS(tmp[0], amxSubs[1], sum)
	}
	t.VMULPS_BCST(act(tileD), amxScale, scale)
	t.VFMADD231PS(sum, scale, y)
	switch t.Form {
	case kinds.Min:
		t.VFMADD231PS_BCST(act(tileS), amxMin, y)
	case kinds.HalvesMin:
		t.zeroMin(act, tmp[0], tmp[1])
		t.VFMADD231PS(tmp[0], amxMin, y)
	}
}

// zeroMin sets sum to those of the minima for each 16 columns times activations.
func (t *amx) zeroMin(act func(int) operand.Mem, sum, minima reg.VecPhysical) {
	t.VMOVUPS(operand.Mem{Base: walkW, Disp: panelZero}, minima)
	t.VPXORD(sum, sum, sum)
	t.dotWords(act(tileHalf), minima, sum)
	t.VCVTDQ2PS(sum, sum)
	t.VMULPS_BCST(act(tileD), sum, sum)
}
