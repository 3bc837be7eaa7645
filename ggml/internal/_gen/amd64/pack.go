package amd64

import (
	"fmt"

	"github.com/mmcloughlin/avo/attr"
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"

	"mptgo/ggml/internal/_gen/kinds"
)

// A pack kernel unpacks eight rows of blocks into their half of a panel (see
// tile.go): dwords of four codes are transposed from rows of weights to rows
// side by side.

func emitPack(g *gen) {
	for _, name := range []string{"Q4_0", "Q4_1", "Q5_0", "Q5_1"} {
		emitPackBlocks(g, kinds.Of(name), "", (*pack).fourOrFive)
	}
	emitPackBlocks(g, kinds.Of("Q8_0"), "", (*pack).signed)
	emitPackQ6K(g, (*pack).subScales)
	emitPackQ4K(g)
	emitPackQ5K(g)
	emitPackQ3K(g, (*pack).subScales)
	emitPackQ2K(g, (*pack).subScales)
	emitPackIQ4(g, 64+1024, (*pack).widen)
	emitPackExpanded(g, "Plain5", 64, 512, func(p *pack) { p.expandedBytes(0x10) })
	emitPackExpanded(g, "Plain16", 64, 1024, (*pack).expandedWords)
}

// emitVNNIPack writes the kernels whose panels differ for VPDPBUSD. The kernels
// need no more than AVX2.
func emitVNNIPack(g *gen) {
	emitPackBlocks(g, kinds.Of("Q8_0"), "VNNI", (*pack).offset128)
	emitPackQ6K(g, (*pack).floatSubScales)
	emitPackQ3K(g, (*pack).floatSubScales)
	emitPackQ2K(g, (*pack).floatSubScales)
	emitPackIQ4(g, 64+512, (*pack).store)
	emitPackExpanded(g, "Plain8", 64, 512, func(p *pack) { p.expandedBytes(0x80) })
	emitPackExpanded(g, "Halves", 256, 512, (*pack).expandedHalves)
}

// pack is a kernel under construction.
type pack struct {
	*gen
	rowGroups
	typ   kinds.Type
	out   reg.Register
	head  int // bytes before the codes of a panel block
	block int // where the block of the panel that store writes to begins
}

// rowGroups addresses eight rows as two groups of four.
type rowGroups [2]rows

// newRowGroups loads the parameters w and stride.
func newRowGroups(g *gen) rowGroups {
	r := rowGroups{{reg.RSI, reg.R8, reg.R9}, {reg.R10, reg.R8, reg.R9}}
	g.load("w", r[0].base)
	g.load("stride", r[0].stride)
	r[0].init(g)
	g.LEAQ(operand.Mem{Base: r[0].base, Index: r[0].stride, Scale: 4}, r[1].base)
	return r
}

func (r rowGroups) at(row, offset int) operand.Mem { return r[row/4].at(row%4, offset) }

// advance moves on by n bytes in every row.
func (r rowGroups) advance(g *gen, n int) {
	g.ADDQ(operand.U32(n), r[0].base)
	g.ADDQ(operand.U32(n), r[1].base)
}

// newPack begins a pack kernel.
func newPack(g *gen, typ kinds.Type, head int, unit string) *pack {
	name := "pack" + typ.Name
	g.fn(name, "panel *byte, w *byte, stride int, n int, ahead uintptr, step int", fmt.Sprintf(`
%s unpacks n %s of eight rows, stride bytes apart, into a panel.
For each block it fetches some lines at ahead and moves ahead by step.`, name, unit))
	p := &pack{gen: g, typ: typ, out: reg.RDI, head: head}
	g.load("panel", p.out)
	p.rowGroups = newRowGroups(g)
	g.load("n", reg.RCX)
	g.load("ahead", reg.R12)
	g.load("step", reg.R13)
	return p
}

// emitPackBlocks writes the kernel of a type with blocks of 32: the scale, the minimum if it has
// one, and what codes writes. The constants in registers that codes needs are loaded here.
func emitPackBlocks(g *gen, t kinds.Type, tier string, codes func(*pack)) {
	form := kinds.Plain
	if len(t.Halves) > 1 {
		form = kinds.Min
	}
	p := newPack(g, t, head(form), "blocks")
	columns := 8
	if t.Name == "Q8_0" && tier == "" {
		columns = 16
	}
	g.bytes(0x0f0f0f0f, nibbleMask, reg.EAX)
	switch {
	case tier != "":
		g.bytes(0x80808080, signBits, reg.EAX)
	case t.High != 0:
		p.bytes(0x08040201, reg.Y10, reg.EAX)
		p.bytes(0x80402010, reg.Y11, reg.EAX)
		p.bytes(0x10101010, reg.Y12, reg.EAX)
	}
	g.loop(reg.RCX, func() {
		g.fetch(reg.R12, reg.R13, fetchedLines)
		p.halves(t.Scale(), panelScale)
		if form == kinds.Min {
			p.halves(t.Min(), panelMin)
		}
		codes(p)
		p.advance(g, t.Size)
		g.ADDQ(operand.U32(p.head+64*columns), p.out)
	})
	g.end()
}

// fourOrFive writes codes of four bits, or of five.
func (p *pack) fourOrFive() {
	if p.typ.High == 0 {
		p.nibbles(p.typ.Codes, nil)
		return
	}
	p.fifths(p.typ.High, func() { p.nibbles(p.typ.Codes, p.fifth) })
}

var (
	nibbleMask = reg.Y15
	signBits   = reg.Y14 // 0x80
)

// halfVector gathers the binary16 numbers at offset of eight rows and widens
// them. It uses AX and BX.
func halfVector(g *gen, r rowGroups, offset int, dst reg.VecPhysical) {
	words := []reg.GPPhysical{reg.RAX, reg.RBX}
	for i, w := range words {
		g.MOVWLZX(r.at(4*i+3, offset), w.As32())
		for row := 2; row >= 0; row-- {
			g.SHLQ(operand.Imm(16), w)
			g.MOVW(r.at(4*i+row, offset), w.As16())
		}
	}
	g.VMOVQ(words[0], dst.AsX())
	g.VPINSRQ(operand.Imm(1), words[1], dst.AsX(), dst.AsX())
	g.VCVTPH2PS(dst.AsX(), dst)
}

// halves writes a vector of binary16 numbers to the panel.
func (p *pack) halves(offset, vector int) {
	halfVector(p.gen, p.rowGroups, offset, reg.Y0)
	p.VMOVUPS(reg.Y0, operand.Mem{Base: p.out, Disp: vector})
}

// transpose loads 16 bytes at offset of the eight rows and returns four
// registers with a dword of every row, in the order of rows. dst are four
// registers, tmp four others.
func (p *pack) transpose(offset int, dst, tmp []reg.VecPhysical) []reg.VecPhysical {
	return transpose(p.gen, p.rowGroups, offset, dst, tmp)
}

func transpose(g *gen, r rowGroups, offset int, dst, tmp []reg.VecPhysical) []reg.VecPhysical {
	for i, d := range dst {
		g.VMOVDQU(r.at(i, offset), d.AsX())
		g.VINSERTI128(operand.Imm(1), r.at(i+4, offset), d, d)
	}
	g.VPUNPCKLDQ(dst[1], dst[0], tmp[0])
	g.VPUNPCKLDQ(dst[3], dst[2], tmp[1])
	g.VPUNPCKHDQ(dst[1], dst[0], tmp[2])
	g.VPUNPCKHDQ(dst[3], dst[2], tmp[3])
	g.VPUNPCKLQDQ(tmp[1], tmp[0], dst[0])
	g.VPUNPCKHQDQ(tmp[1], tmp[0], dst[1])
	g.VPUNPCKLQDQ(tmp[3], tmp[2], dst[2])
	g.VPUNPCKHQDQ(tmp[3], tmp[2], dst[3])
	return dst
}

// dwords gathers the dword at offset of eight rows.
func dwords(g *gen, r rowGroups, offset int, dst, tmp reg.VecPhysical) {
	for i, x := range []reg.VecPhysical{dst, tmp} {
		g.VMOVD(r.at(4*i, offset), x.AsX())
		for row := 1; row < 4; row++ {
			g.VPINSRD(operand.Imm(uint64(row)), r.at(4*i+row, offset), x.AsX(), x.AsX())
		}
	}
	g.VINSERTI128(operand.Imm(1), tmp.AsX(), dst, dst)
}

// store writes codes as dword column g.
func (p *pack) store(y reg.VecPhysical, g int) {
	p.VMOVDQU(y, operand.Mem{Base: p.out, Disp: p.block + p.head + 64*g})
}

// put writes a vector to the block of the panel.
func (p *pack) put(y reg.VecPhysical, vector int) {
	p.VMOVUPS(y, operand.Mem{Base: p.out, Disp: p.block + vector})
}

// nibbles unpacks 16 bytes of nibbles at offset: columns 0-3 from the low, 4-7
// from the high ones. add, if any, adds the higher bits of a column.
func (p *pack) nibbles(offset int, add func(y reg.VecPhysical, column int)) {
	cols := p.transpose(offset, ymm(0, 4), ymm(4, 8))
	for i, y := range cols {
		low := reg.Y4
		p.VPAND(nibbleMask, y, low)
		if add != nil {
			add(low, i)
		}
		p.store(low, i)
	}
	for i, y := range cols {
		p.VPSRLW(operand.Imm(4), y, y)
		p.VPAND(nibbleMask, y, y)
		if add != nil {
			add(y, 4+i)
		}
		p.store(y, 4+i)
	}
}

// fifths collects the words of fifth bits at offset for the calls of fifth in
// body.
func (p *pack) fifths(offset int, body func()) {
	dwords(p.gen, p.rowGroups, offset, reg.Y8, reg.Y9)
	body()
}

// fifth adds bits 4*column to 4*column+3 of every row's word to the four codes
// in its dword.
func (p *pack) fifth(y reg.VecPhysical, column int) {
	if column%2 == 0 {
		p.VPSHUFB(p.mask("firstByte", 0, 0, 0, 0), reg.Y8, reg.Y13)
		p.VPSRLD(operand.Imm(8), reg.Y8, reg.Y8)
	}
	bits := []reg.VecPhysical{reg.Y10, reg.Y11}[column%2]
	p.VPAND(bits, reg.Y13, reg.Y14)
	p.VPCMPEQB(bits, reg.Y14, reg.Y14)
	p.VPAND(reg.Y12, reg.Y14, reg.Y14)
	p.VPOR(reg.Y14, y, y)
}

// signed widens 32 signed bytes to int16 pairs.
func (p *pack) signed() {
	for part := range 2 {
		for i, y := range p.transpose(p.typ.Codes+16*part, ymm(0, 4), ymm(4, 8)) {
			p.widen(y, 4*part+i)
		}
	}
}

// widen writes dword column g of signed bytes as two columns of int16 pairs.
func (p *pack) widen(y reg.VecPhysical, g int) {
	p.words(y, reg.Y4, reg.Y5)
	p.store(reg.Y4, 2*g)
	p.store(reg.Y5, 2*g+1)
}

// words widens the signed bytes of dwords to two pairs of int16.
func (p *pack) words(y, first, second reg.VecPhysical) {
	p.VPSHUFB(p.mask("words01", zeroByte, 0, zeroByte, 1), y, first)
	p.VPSHUFB(p.mask("words23", zeroByte, 2, zeroByte, 3), y, second)
	p.VPSRAW(operand.Imm(8), first, first)
	p.VPSRAW(operand.Imm(8), second, second)
}

// offset128 makes 32 signed bytes unsigned, with zero point 128.
func (p *pack) offset128() {
	for part := range 2 {
		for i, y := range p.transpose(p.typ.Codes+16*part, ymm(0, 4), ymm(4, 8)) {
			p.VPXOR(signBits, y, y)
			p.store(y, 4*part+i)
		}
	}
}

// emitPackQ6K writes a kernel of Q6_K, a block of which is eight blocks of the
// panel: see mat/type_q6_k.go for the layout. subScales writes the vector of the scales
// for 16 columns.
func emitPackQ6K(g *gen, subScales func(p *pack, y reg.VecPhysical, b byte, vector int)) {
	const size = 256 + 512
	t := kinds.Of("Q6_K")
	p := newPack(g, t, 256, "blocks, eight of which are one of the file,")
	g.SHRQ(operand.Imm(3), reg.RCX)
	g.bytes(0x0f0f0f0f, nibbleMask, reg.EAX)
	g.bytes(0x30303030, reg.Y14, reg.EAX)
	g.loop(reg.RCX, func() {
		halfVector(g, p.rowGroups, t.Scale(), reg.Y0)
		for j := range 8 {
			g.VMOVUPS(reg.Y0, operand.Mem{Base: p.out, Disp: size*j + panelScale})
		}
		p.zeroScales(p.transpose(t.Small.From, ymm(0, 4), ymm(4, 8)), size, 5, subScales)
		for i := range 4 {
			half, part := i/2, i%2
			g.fetch(reg.R12, reg.R13, fetchedLines)
			p.sixths(half, part, size)
			g.fetch(reg.R12, reg.R13, fetchedLines)
		}
		p.advance(g, t.Size)
		g.ADDQ(operand.U32(8*size), p.out)
	})
	g.end()
}

// subScales writes the int8 scales of some columns, byte b of the dwords in y, as
// pairs of int16.
func (p *pack) subScales(y reg.VecPhysical, b byte, vector int) {
	p.wordPair(y, b, b)
	p.put(reg.Y4, vector)
}

// floatSubScales writes them as float32.
func (p *pack) floatSubScales(y reg.VecPhysical, b byte, vector int) {
	p.VPSLLD(operand.Imm(24-8*uint64(b)), y, reg.Y4)
	p.VPSRAD(operand.Imm(24), reg.Y4, reg.Y4)
	p.VCVTDQ2PS(reg.Y4, reg.Y4)
	p.put(reg.Y4, vector)
}

// wordPair sets Y4 to two signed bytes of the dwords in y as pairs of int16.
func (p *pack) wordPair(y reg.VecPhysical, first, second byte) {
	p.VPSHUFB(p.mask(fmt.Sprintf("words%d%d", first, second), zeroByte, first, zeroByte, second), y, reg.Y4)
	p.VPSRAW(operand.Imm(8), reg.Y4, reg.Y4)
}

// zeroScales writes the scales of all 16 columns of eight blocks, four to a dword,
// with write, and their products with the zero point, 1<<zero.
func (p *pack) zeroScales(scales []reg.VecPhysical, size int, zero uint64, write func(p *pack, y reg.VecPhysical, b byte, vector int)) {
	p.VPXOR(reg.Y13, reg.Y13, reg.Y13)
	for i, y := range scales {
		for j := range 2 {
			first, second := byte(2*j), byte(2*j+1)
			p.block = size * (2*i + j)
			write(p, y, first, panelSub0)
			write(p, y, second, panelSub1)
			p.wordPair(y, first, second)
			p.VPSLLW(operand.Imm(zero), reg.Y4, reg.Y4)
			p.VPSUBW(reg.Y4, reg.Y13, reg.Y4)
			p.put(reg.Y4, panelZero)
		}
	}
}

// sixths unpacks columns 16*part to 16*part+15 of the four runs of 32 columns
// in a half of Q6_K: the nibbles of two runs lie in the same bytes, and the
// upper bits of all four.
func (p *pack) sixths(half, part, size int) {
	high := p.transpose(p.typ.High+32*half+16*part, ymm(8, 12), ymm(4, 8))
	for pair := range 2 {
		low := p.transpose(p.typ.Codes+64*half+32*pair+16*part, ymm(0, 4), ymm(4, 8))
		for i, y := range low {
			put := func(run int) {
				out := operand.Mem{Base: p.out, Disp: size*(4*half+run) + p.head + 64*(4*part+i)}
				shiftTo4(p.gen, 2*run, high[i], reg.Y5)
				p.VPAND(reg.Y14, reg.Y5, reg.Y5)
				p.VPOR(reg.Y5, reg.Y4, reg.Y4)
				p.VMOVDQU(reg.Y4, out)
			}
			p.VPAND(nibbleMask, y, reg.Y4)
			put(pair)
			p.VPSRLW(operand.Imm(4), y, reg.Y4)
			p.VPAND(nibbleMask, reg.Y4, reg.Y4)
			put(pair + 2)
		}
	}
}

// shiftTo4 sets dst to y with bits from, from+1 of every byte at 4, 5; its
// other bits are arbitrary.
func shiftTo4(g *gen, from int, y, dst reg.VecPhysical) { shift(g, from, 4, y, dst) }

// shift sets dst to y with bit from of every byte, and those above, at bit to;
// other bits are arbitrary.
func shift(g *gen, from, to int, y, dst reg.VecPhysical) {
	switch {
	case from < to:
		g.VPSLLW(operand.Imm(uint64(to-from)), y, dst)
	case from > to:
		g.VPSRLW(operand.Imm(uint64(from-to)), y, dst)
	case y != dst:
		g.VMOVDQA(y, dst)
	}
}

// zeroByte in a mask makes a zero.
const zeroByte = 0x80

// mask returns a VPSHUFB mask that applies the same choice of four bytes to
// every dword.
func (p *pack) mask(name string, choice ...byte) operand.Mem {
	full := make([]byte, 32)
	for i := range full {
		if full[i] = choice[i%4]; full[i] != zeroByte {
			full[i] += byte(i % 16 / 4 * 4)
		}
	}
	return p.constant(name, full)
}

// constant returns the address of 32 bytes of read-only data.
func (g *gen) constant(name string, b []byte) operand.Mem {
	if m, ok := g.constants[name]; ok {
		return m
	}
	m := g.StaticGlobal(g.prefix + name)
	g.DataAttributes(attr.RODATA | attr.NOPTR)
	for i := 0; i < len(b); i += 8 {
		var v uint64
		for j, x := range b[i : i+8] {
			v |= uint64(x) << (8 * j)
		}
		g.AddDatum(i, operand.U64(v))
	}
	g.constants[name] = m
	return m
}
