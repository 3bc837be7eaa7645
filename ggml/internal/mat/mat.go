// Package mat multiplies matrices as they lie in model files with activations. A type of weights
// is a file type_<name>.go and a row in the table of block.go; kernels of an architecture make it fast.
package mat

import (
	"fmt"
	"strings"

	"mptgo/ggml/internal/act"
	"mptgo/ggml/internal/cpu"
	"mptgo/ggml/internal/vec"
	"mptgo/gguf"
)

// Weights is a matrix as it lies in the file: Rows rows of Cols values. Data
// may begin at any address.
type Weights struct {
	Type       gguf.Type
	Rows, Cols int
	Data       []byte
}

// StripRows is the height of the strips that a matrix is computed in. A range
// of rows given to [Kernels.MatMul] should be a multiple of it; the rest of a
// shorter strip is computed for nothing.
const StripRows = 16

// PackedBatch is the number of rows of activations from which on block weights
// are unpacked once for several of them instead of read anew for every row. It is a
// matter of speed, but tiles want at least 2.
const PackedBatch = 2

// LanesBatch is the number of rows of activations from which on products with
// float weights may unpack them for the whole batch. It is a matter of speed.
const LanesBatch = 6

// Scratch is the memory that one worker's calls of [Kernels.MatMul] work in.
// The zero value is ready; it grows to what the largest call needs.
type Scratch struct {
	unpacked unpacked // 32 weights

	padded   []byte          // a ragged strip of weights
	out      []float32       // and its results
	panel    []byte          // an unpacked strip of blocks
	tiles    []byte          // sums over its blocks
	expanded []expandedBlock // a strip on the way there

	row        []float32 // decoded rows
	floatPanel []float32 // an unpacked strip of floats
	lanes      []float32 // its running sums
	tails      []float32 // the last columns of the activations, filled up with zeros
	last       []float32 // and of a strip
	gradients  []float32 // rows of them, without what lies between
}

// Kernels are the kernels of a tier. The driver in Go is common to all
// tiers; where a field is nil it uses the definition.
type Kernels struct {
	vec   vec.Kernels
	block [len(blockTypes)]*blockKernels // by gguf.Type
	float *floatKernels
}

var generic = Kernels{vec: vec.Generic}

// For returns the kernels of a level: those that its name has in the table of the
// architecture. It panics if the table lacks it.
func For(l cpu.Level) Kernels {
	if k, ok := levels[l.Name]; ok {
		return k
	}
	if l.Name != "generic" {
		panic("mat: no kernels of products for the level " + l.Name)
	}
	return generic
}

// Supported reports whether [Kernels.MatMul] takes weights of the given type.
func Supported(typ gguf.Type) bool {
	return isFloat(typ) || isBlock(typ)
}

// NeedsQ8 reports whether a product with weights of the given type, unless it
// is exact, reads the quantised form of its activations.
func (k *Kernels) NeedsQ8(typ gguf.Type) bool { return isBlock(typ) }

// NeedsLanes reports whether a product with weights of the given type and
// [LanesBatch] or more rows of activations may read them sorted by lanes.
func (k *Kernels) NeedsLanes(typ gguf.Type, exact bool) bool {
	return k.float != nil && (isFloat(typ) || exact)
}

// SupportedTypes lists the names of the types that [Kernels.MatMul] takes.
func SupportedTypes() string {
	var names []string
	for t := gguf.Type(0); int(t) < max(len(floatTypes), len(blockTypes)); t++ {
		if Supported(t) {
			names = append(names, t.String())
		}
	}
	return strings.Join(names, ", ")
}

func isFloat(typ gguf.Type) bool {
	return int(typ) < len(floatTypes) && floatTypes[typ] != nil
}

func isBlock(typ gguf.Type) bool {
	return int(typ) < len(blockTypes) && blockTypes[typ] != nil
}

// MatMul sets y[i*ldy+r] to the product of row r of w with row i of a, for r in
// [r0, r1) and i in [0, n). Weights of a block type are multiplied with the
// quantised rows, or if exact is set decoded and multiplied with the float32
// rows. Different ranges of rows may be computed at the same time, each with
// its own scratch.
func (k *Kernels) MatMul(y []float32, ldy int, w *Weights, a *act.Acts, n, r0, r1 int, exact bool, s *Scratch) {
	row := checkMatMul(y, ldy, w, a, n, r0, r1)
	if n == 0 || r0 == r1 {
		return
	}
	p := product{y: y, ldy: ldy, w: *w, row: row, a: a, n: n, r0: r0, r1: r1, s: s}
	if isBlock(w.Type) && !exact {
		if want := n * act.Stride(a.K); a.QuantisedBlocks() < want {
			panic(fmt.Sprintf("mat: %v weights need quantised activations", w.Type))
		}
		p.block(k.block[w.Type])
		return
	}
	if len(a.X) < n*a.K {
		panic(fmt.Sprintf("mat: %d activations instead of %d rows of %d", len(a.X), n, a.K))
	}
	if n >= LanesBatch && !a.Sorted() && k.NeedsLanes(w.Type, exact) {
		panic(fmt.Sprintf("mat: %v weights need activations sorted by lanes", w.Type))
	}
	p.float(k.float)
}

// checkMatMul panics if the arguments do not fit together: what it lets through
// is taken as given from here on. It returns the bytes of a row of w.
func checkMatMul(y []float32, ldy int, w *Weights, a *act.Acts, n, r0, r1 int) int {
	if !Supported(w.Type) {
		panic(fmt.Sprintf("mat: no kernel for %v", w.Type))
	}
	row, err := w.Type.RowBytes(w.Cols)
	if err != nil || w.Rows < 0 || len(w.Data) < w.Rows*row {
		panic(fmt.Sprintf("mat: %d bytes are not %d rows of %d values of %v", len(w.Data), w.Rows, w.Cols, w.Type))
	}
	if w.Cols != a.K || n < 0 || n > a.N {
		panic(fmt.Sprintf("mat: %d of %d rows of %d activations for %d columns", n, a.N, a.K, w.Cols))
	}
	if r0 < 0 || r1 < r0 || r1 > w.Rows || ldy < r1 {
		panic(fmt.Sprintf("mat: rows %d to %d of %d into rows of %d", r0, r1, w.Rows, ldy))
	}
	if n > 0 && len(y) < (n-1)*ldy+r1 {
		panic(fmt.Sprintf("mat: %d results instead of %d rows of %d", len(y), n, ldy))
	}
	return row
}

// product is a call of [Kernels.MatMul]: rows r0 to r1 of w times n rows of a.
type product struct {
	y      []float32
	ldy    int
	w      Weights
	row    int // bytes of a row of w
	a      *act.Acts
	n      int
	r0, r1 int
	s      *Scratch
}

// rowData returns the bytes of row r.
func (p *product) rowData(r int) []byte { return p.w.Data[r*p.row : (r+1)*p.row] }
