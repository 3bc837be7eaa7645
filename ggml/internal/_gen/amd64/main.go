// Package amd64 writes kernels for amd64: the assembly and the Go declarations that go
// with it, one pair of files for each part.
//
// Registers are named by hand, because the tiles need nearly all of them.
// Operands stand in the order of Go assembly, the destination last.
package amd64

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/mmcloughlin/avo/attr"
	"github.com/mmcloughlin/avo/build"
	"github.com/mmcloughlin/avo/ir"
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/pass"
	"github.com/mmcloughlin/avo/printer"
	"github.com/mmcloughlin/avo/reg"

	"mptgo/ggml/internal/_gen/kinds"
	"mptgo/ggml/internal/_gen/text"
)

// part is a pair of files: what kernels of an operation it holds, and what they need, with
// which their names end if there are others.
type part struct {
	op, name, isa, suffix string
	emit                  func(*gen)
}

var parts = []part{
	{"act", "act", "avx2", "", emitActs},
	{"mat", "float", "avx2", "AVX2", emitFloat},
	{"mat", "float", "avx512", "AVX512", emitFloatAVX512},
	{"mat", "decode", "avx2", "AVX2", emitDecode},
	{"mat", "expand", "avx2", "AVX2", emitExpand},
	{"mat", "pack", "avx2", "AVX2", emitPack},
	{"mat", "stream", "avx2", "AVX2", emitStream},
	{"mat", "tile", "avx2", "AVX2", emitTiles},
	{"mat", "pack", "vnni", "VNNI", emitVNNIPack},
	{"mat", "stream", "avxvnni", "AVXVNNI", emitStreamTier(streamTier{"AVXVNNI"})},
	{"mat", "tile", "avxvnni", "AVXVNNI", emitVNNITiles(avxVNNI)},
	{"mat", "tile", "avx512", "AVX512", emitVNNITiles(avx512)},
	{"mat", "stream", "avx512", "AVX512", emitStreamTier(streamTier{"AVX512"})},
	{"mat", "stream", "vbmi", "VBMI", emitStreamVBMI},
	{"mat", "tile", "amx", "AMX", emitAMX},
}

// Write writes all parts: OP/amd64/NAME_ISA.s and OP/amd64/NAME_ISA.go below a folder.
func Write(root string) error {
	for _, p := range parts {
		if err := p.write(filepath.Join(root, p.op, "amd64")); err != nil {
			return fmt.Errorf("%s of %s for %s: %w", p.name, p.op, p.isa, err)
		}
	}
	return text.WritePanels(filepath.Join(root, "mat", "amd64", "panels.go"), "amd64", tiles())
}

// tiles lists those of all panels.
func tiles() (all []text.Tiles) {
	for _, p := range kinds.AVX2 {
		all = append(all, text.Tiles{Panel: p, ISA: "AVX2", Bytes: size(p), Rows: tileHeights})
	}
	for _, w := range []width{avxVNNI, avx512} {
		for _, p := range kinds.VNNI {
			all = append(all, text.Tiles{Panel: p, ISA: w.tier, Bytes: size(p), Rows: w.heights(p)})
		}
	}
	return all
}

// write generates one part.
func (p part) write(dir string) error {
	g := &gen{
		Context: build.NewContext(), prefix: p.name, suffix: p.suffix,
		constants: map[string]operand.Mem{}, evex: p.isa == "avx512" || p.isa == "vbmi" || p.isa == "amx",
	}
	g.ConstraintExpr("amd64,!purego")
	p.emit(g)
	file, err := g.Result()
	if err != nil {
		return err
	}
	if err := pass.Compile.Execute(file); err != nil {
		return err
	}
	cfg := printer.Config{Name: "_gen", Pkg: "amd64"}
	base := filepath.Join(dir, p.name+"_"+p.isa)
	if err := print(base+".s", printer.NewGoAsm(cfg), file); err != nil {
		return err
	}
	return print(base+".go", printer.NewStubs(cfg), file)
}

func print(path string, p printer.Printer, file *ir.File) error {
	b, err := p.Print(file)
	if err != nil {
		return err
	}
	return os.WriteFile(path, b, 0o666)
}

// gen is an avo context with the shorthands of these kernels.
type gen struct {
	*build.Context
	prefix    string // of the names of constants
	suffix    string // of the names of functions
	constants map[string]operand.Mem
	labels    int
	evex      bool // AVX-512 is there
}

// fn begins a function, whose name is exported and ends with the suffix. Its comment, which
// begins with the name, becomes that of the declaration.
func (g *gen) fn(name, params, comment string) {
	full := text.Exported(strings.TrimSuffix(name, g.suffix) + g.suffix)
	g.Function(full)
	g.Attributes(attr.NOSPLIT)
	g.SignatureExpr("func(" + params + ")")
	g.Pragma("noescape")
	g.Doc(text.Wrap(full + strings.TrimPrefix(strings.TrimSpace(comment), name))...)
}

// load puts a parameter into a register.
func (g *gen) load(param string, r reg.Register) { g.Load(g.Param(param), r) }

// loop repeats body while counter, which body does not touch, counts down to
// zero. It runs at least once.
func (g *gen) loop(counter reg.Register, body func()) {
	g.labels++
	label := fmt.Sprintf("loop%d", g.labels)
	g.Label(label)
	body()
	g.DECQ(counter)
	g.JNE(operand.LabelRef(label))
}

// while repeats body while counter is at least step, which is taken off it each
// time.
func (g *gen) while(counter reg.Register, step uint32, body func()) {
	g.labels++
	loop, end := fmt.Sprintf("loop%d", g.labels), fmt.Sprintf("end%d", g.labels)
	g.CMPQ(counter, operand.U32(step))
	g.JLT(operand.LabelRef(end))
	g.Label(loop)
	body()
	g.SUBQ(operand.U32(step), counter)
	g.CMPQ(counter, operand.U32(step))
	g.JGE(operand.LabelRef(loop))
	g.Label(end)
}

// end returns from the function.
func (g *gen) end() {
	g.VZEROUPPER()
	g.RET()
}

// fetch prefetches some cache lines at ahead into the second-level cache, since
// a strip is larger than the first, and moves ahead by step.
func (g *gen) fetch(ahead, step reg.Register, lines int) {
	g.prefetch(g.PREFETCHT1, ahead, lines)
	g.ADDQ(step, ahead)
}

func (g *gen) prefetch(with func(operand.Op), ahead reg.Register, lines int) {
	for i := range lines {
		with(operand.Mem{Base: ahead, Disp: 64 * i})
	}
}

// nonTemporal is cpu.NonTemporal.
var nonTemporal = operand.Mem{
	Symbol: operand.Symbol{Name: "mptgo∕ggml∕internal∕cpu·NonTemporal"}, Base: reg.StaticBase,
}

// fetchOnce prefetches cache lines of what is read once: past the last-level cache where that is better.
func (g *gen) fetchOnce(ahead reg.Register, lines int) {
	g.labels++
	usual, end := fmt.Sprintf("usual%d", g.labels), fmt.Sprintf("fetched%d", g.labels)
	g.CMPB(nonTemporal, operand.Imm(0))
	g.JEQ(operand.LabelRef(usual))
	g.prefetch(g.PREFETCHNTA, ahead, lines)
	g.JMP(operand.LabelRef(end))
	g.Label(usual)
	g.prefetch(g.PREFETCHT1, ahead, lines)
	g.Label(end)
}

// bytes fills y with copies of the four bytes in v.
func (g *gen) bytes(v uint32, y reg.VecPhysical, tmp reg.Register) {
	g.MOVL(operand.U32(v), tmp)
	g.VMOVD(tmp, y.AsX())
	g.VPBROADCASTD(y.AsX(), y)
}

// ones16 fills y with 16-bit ones.
func (g *gen) ones16(y reg.VecPhysical) {
	g.VPCMPEQW(y, y, y)
	g.VPSRLW(operand.Imm(15), y, y)
}

// rows addresses up to four rows at a fixed distance: base, base+1·stride,
// base+2·stride and base+3·stride, with three strides in a register of their
// own.
type rows struct{ base, stride, stride3 reg.Register }

func (r rows) at(row, offset int) operand.Mem {
	m := operand.Mem{Base: r.base, Disp: offset}
	switch row {
	case 1, 2:
		m.Index, m.Scale = r.stride, uint8(row)
	case 3:
		m.Index, m.Scale = r.stride3, 1
	}
	return m
}

// seven addresses one of up to seven rows. five is a register that holds five strides.
func seven(r rows, five reg.Register, row, offset int) operand.Mem {
	m := operand.Mem{Base: r.base, Disp: offset}
	switch row {
	case 4:
		m.Index, m.Scale = r.stride, 4
	case 5:
		m.Index, m.Scale = five, 1
	case 6:
		m.Index, m.Scale = r.stride3, 2
	default:
		return r.at(row, offset)
	}
	return m
}

// init fills stride3.
func (r rows) init(g *gen) {
	g.LEAQ(operand.Mem{Base: r.stride, Index: r.stride, Scale: 2}, r.stride3)
}

// ymm returns registers Yfrom to Yto-1.
func ymm(from, to int) []reg.VecPhysical {
	return []reg.VecPhysical{
		reg.Y0, reg.Y1, reg.Y2, reg.Y3, reg.Y4, reg.Y5, reg.Y6, reg.Y7,
		reg.Y8, reg.Y9, reg.Y10, reg.Y11, reg.Y12, reg.Y13, reg.Y14, reg.Y15,
	}[from:to]
}
