// Package arm64 writes kernels for arm64: the assembly and the Go declarations that go with it,
// one pair of files for each part. Vector instructions are in Arm's syntax ([gen.v]), all else in
// that of Go ([gen.p]).
package arm64

import (
	"bytes"
	"fmt"
	"go/format"
	"log"
	"os"
	"path/filepath"
	"strings"

	"mptgo/ggml/internal/_gen/kinds"
	"mptgo/ggml/internal/_gen/text"
)

// parts are the files to write, by what they hold and the tier that they need.
var parts = []struct {
	op, name string
	emit     func(*gen)
}{
	{"act", "act_neon", emitActs},
	{"att", "att_neon", emitAttention},
	{"att", "block_neon", emitAttBlocks},
	{"mat", "float_neon", emitFloat},
	{"mat", "pack_neon", emitPack},
	{"mat", "stream_neon", func(g *gen) { emitStream(g, neon) }},
	{"mat", "stream_dotprod", func(g *gen) { emitStream(g, dotprod) }},
	{"mat", "tile_neon", func(g *gen) { emitTiles(g, neon) }},
	{"mat", "tile_dotprod", func(g *gen) { emitTiles(g, dotprod) }},
	{"mat", "tile_i8mm", func(g *gen) { emitTiles(g, i8mm) }},
	{"vec", "vec_neon", emitVec},
}

// tier is a set of instructions.
type tier string

const (
	neon    tier = "NEON"
	dotprod tier = "DotProd"
	i8mm    tier = "I8MM"
)

// Write writes all parts: OP/arm64/NAME.s and OP/arm64/NAME.go below a folder.
func Write(root string) error {
	for _, p := range parts {
		if err := write(filepath.Join(root, p.op, "arm64", p.name), p.emit); err != nil {
			return fmt.Errorf("%s of %s: %w", p.name, p.op, err)
		}
	}
	return text.WritePanels(filepath.Join(root, "mat", "arm64", "panels.go"), "arm64", tiles())
}

// tiles lists those of all panels.
func tiles() (all []text.Tiles) {
	for _, isa := range []tier{neon, dotprod, i8mm} {
		for _, p := range kinds.ARM64 {
			all = append(all, text.Tiles{Panel: p, ISA: string(isa), Bytes: panelSize(p.Form), Rows: tileHeights})
		}
	}
	return all
}

var head = text.Head("arm64")

// write generates one part: path.s and path.go.
func write(path string, emit func(*gen)) error {
	g := &gen{}
	emit(g)
	stubs, err := format.Source([]byte(head + "package arm64\n" + g.stubs.String()))
	if err != nil {
		return err
	}
	if err := os.WriteFile(path+".go", stubs, 0o666); err != nil {
		return err
	}
	text := head + "#include \"textflag.h\"\n" + g.data.String() + g.text.String()
	return os.WriteFile(path+".s", []byte(text), 0o666)
}

// gen collects the text of a part.
type gen struct {
	text, stubs bytes.Buffer
	data        bytes.Buffer // constants
	tables      map[string]bool
	offsets     map[string]int // of the parameters of the function
	labels      int
}

// fn begins a function whose parameters are listed as in Go, each with its
// type. Its comment becomes that of the declaration.
func (g *gen) fn(name, params string, frame int, comment string) {
	g.offsets = map[string]int{}
	size := 0
	list, result, _ := strings.Cut(params, ";")
	for _, p := range typed(list) {
		size = g.place(p, size)
	}
	signature := "(" + list + ")"
	if result = strings.TrimSpace(result); result != "" {
		size = g.place(result, (size+7)&^7)
		signature += " (" + result + ")"
	}
	comment = text.Exported(strings.TrimSpace(comment)) // it begins with the name
	name = text.Exported(name)
	fmt.Fprintf(&g.stubs, "\n// %s\n//\n//go:noescape\nfunc %s%s\n",
		strings.Join(text.Wrap(comment), "\n// "), name, signature)
	fmt.Fprintf(&g.text, "\n// func %s%s\nTEXT ·%s(SB), NOSPLIT, $%d-%d\n", name, signature, name, frame, size)
}

// typed splits a list of parameters and repeats the types that several share.
func typed(list string) []string {
	params := strings.Split(list, ", ")
	typ := ""
	for i := len(params) - 1; i >= 0; i-- {
		if _, t, ok := strings.Cut(params[i], " "); ok {
			typ = t
		} else {
			params[i] += " " + typ
		}
	}
	return params
}

// place gives a parameter its place in the frame, from size on, and returns
// where it ends.
func (g *gen) place(param string, size int) int {
	name, typ, _ := strings.Cut(param, " ")
	bytes := 8
	if typ == "float32" {
		bytes = 4
	}
	size = (size + bytes - 1) &^ (bytes - 1)
	g.offsets[name] = size
	return size + bytes
}

// p writes a line of Go assembly.
func (g *gen) p(line string, args ...any) {
	fmt.Fprintf(&g.text, "\t"+line+"\n", args...)
}

// v writes a vector instruction in Arm's syntax.
func (g *gen) v(instruction string, args ...any) {
	g.p("%s", translate(fmt.Sprintf(instruction, args...)))
}

// load puts parameters into general registers.
func (g *gen) load(params string, registers ...string) {
	for i, name := range strings.Fields(params) {
		g.p("MOVD %s+%d(FP), %s", name, g.offset(name), registers[i])
	}
}

// loadFloat puts a float32 into all lanes of a vector register.
func (g *gen) loadFloat(param string, v int) {
	g.p("FMOVS %s+%d(FP), F%d", param, g.offset(param), v)
	g.v("dup v%d.4s, v%d.s[0]", v, v)
}

func (g *gen) offset(param string) int {
	offset, ok := g.offsets[param]
	if !ok {
		log.Fatalf("no parameter %s", param)
	}
	return offset
}

// label writes a label and returns it; it is not used twice in a function.
func (g *gen) label(name string) string {
	g.labels++
	label := fmt.Sprintf("%s%d", name, g.labels)
	fmt.Fprintf(&g.text, "\n%s:\n", label)
	return label
}

// loop repeats body while counter counts down by step to zero. It runs at
// least once.
func (g *gen) loop(counter string, step int, body func()) {
	label := g.label("loop")
	body()
	g.p("SUBS $%d, %s, %s", step, counter, counter)
	g.p("BNE %s", label)
}

// while repeats body while counter is at least step, which is taken off it
// each time.
func (g *gen) while(counter string, step int, body func()) {
	g.labels++
	end := fmt.Sprintf("end%d", g.labels)
	g.p("CMP $%d, %s", step, counter)
	g.p("BLT %s", end)
	label := g.label("loop")
	body()
	g.p("SUB $%d, %s, %s", step, counter, counter)
	g.p("CMP $%d, %s", step, counter)
	g.p("BGE %s", label)
	fmt.Fprintf(&g.text, "\n%s:\n", end)
}

// rowPointers sets the registers to base, base+stride and so on. The first
// may be base.
func (g *gen) rowPointers(base, stride string, rows []string) {
	g.p("MOVD %s, %s", base, rows[0])
	for i := 1; i < len(rows); i++ {
		g.p("ADD %s, %s, %s", stride, rows[i-1], rows[i])
	}
}

// fetch prefetches some cache lines at ahead into the second-level cache,
// since a strip is larger than the first, and moves ahead by step.
func (g *gen) fetch(ahead, step string, lines int) {
	for i := range lines {
		g.p("PRFM %d(%s), PLDL2KEEP", 64*i, ahead)
	}
	g.p("ADD %s, %s, %s", step, ahead, ahead)
}

// copies fills a vector register with a byte.
func (g *gen) copies(b byte, v int) { g.p("VMOVI $%d, V%d.B16", b, v) }

// clear clears a vector register.
func (g *gen) clear(v int) { g.v("eor v%d.16b, v%d.16b, v%d.16b", v, v, v) }

// end writes the end of a function.
func (g *gen) end() { g.p("RET") }
