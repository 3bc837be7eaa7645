package mat

import (
	"encoding/binary"
	"fmt"
	"math"
	"unsafe"

	"mptgo/ggml/internal/scalar"
	"mptgo/gguf"
)

// Panels is a matrix of float32, Rows x Cols, in strips of [StripRows] rows that are
// sorted by columns: what a thin matrix, as low-rank adapters have, is multiplied by
// fast with any number of rows of activations. Rows that fill up the last strip are
// zero. See [Panels.Compact] for values of 16 bits.
//
// A product with Panels is one chain of fused multiply-adds,
//
//	sum = fma(w[r][c], x[c], sum)
//
// over the columns c in increasing order, starting from +0. Long rows are to be
// multiplied in parts, as [Kernels.SetChains] allows, and the parts to be added.
type Panels struct {
	Rows, Cols int
	typ        gguf.Type // of the values: F32, F16 or BF16
	data       []float32 // [strips][Cols][StripRows], or nil, and
	halves     []uint16
}

// NewPanels returns a matrix of zeros.
func NewPanels(rows, cols int) *Panels {
	p := &Panels{Rows: rows, Cols: cols}
	p.data = make([]float32, p.Strips()*cols*StripRows)
	return p
}

// PanelsFit reports whether there can be panels of so many rows and columns: of at least one each, and no
// larger than memory can be.
func PanelsFit(rows, cols int) bool {
	const most = math.MaxInt / 4 // values
	return rows > 0 && cols > 0 && rows <= most-StripRows && cols <= most/(rows+StripRows)
}

// Strips returns the number of strips.
func (p *Panels) Strips() int { return (p.Rows + StripRows - 1) / StripRows }

// Bytes returns the size of the values in memory.
func (p *Panels) Bytes() int { return 4*len(p.data) + 2*len(p.halves) }

// SetRow sets row r to the values v. The panels must not be compact.
func (p *Panels) SetRow(r int, v []float32) {
	if r < 0 || r >= p.Rows || len(v) != p.Cols || p.data == nil {
		panic(fmt.Sprintf("mat: row %d of %d values in panels of %d x %d of %v", r, len(v), p.Rows, p.Cols, p.typ))
	}
	strip := p.data[r/StripRows*StripRows*p.Cols:]
	for c, x := range v {
		strip[c*StripRows+r%StripRows] = x
	}
}

// SetColumn sets column c to the values v, one for each row. The panels must not be compact.
func (p *Panels) SetColumn(c int, v []float32) {
	if c < 0 || c >= p.Cols || len(v) != p.Rows || p.data == nil {
		panic(fmt.Sprintf("mat: column %d of %d values in panels of %d x %d of %v", c, len(v), p.Rows, p.Cols, p.typ))
	}
	for s := range p.Strips() {
		copy(p.data[(s*p.Cols+c)*StripRows:][:StripRows], v[s*StripRows:])
	}
}

// Compact keeps the values in 16 bits, as bfloat16 or as binary16, if that leaves every one as it
// is. Products have the same bits; they read half of the memory.
func (p *Panels) Compact() {
	for _, typ := range []gguf.Type{gguf.BF16, gguf.F16} {
		if p.data != nil && p.fits(typ) {
			p.pack(typ)
		}
	}
}

// pack keeps the values as those of a type of 16 bits.
func (p *Panels) pack(typ gguf.Type) {
	p.halves = make([]uint16, len(p.data))
	for i, v := range p.data {
		p.halves[i] = narrow(typ, v)
	}
	p.data, p.typ = nil, typ
}

// fits reports whether a type of 16 bits has all values.
func (p *Panels) fits(typ gguf.Type) bool {
	for _, v := range p.data {
		if math.Float32bits(widen(typ, narrow(typ, v))) != math.Float32bits(v) {
			return false
		}
	}
	return true
}

// narrow returns the number of a type of 16 bits that is v, if there is one.
func narrow(typ gguf.Type, v float32) uint16 {
	if typ == gguf.BF16 {
		return uint16(math.Float32bits(v) >> 16)
	}
	var b [2]byte
	scalar.ToHalf(b[:], v)
	return binary.LittleEndian.Uint16(b[:])
}

// widen returns the value of a number of 16 bits.
func widen(typ gguf.Type, h uint16) float32 {
	if typ == gguf.BF16 {
		return math.Float32frombits(uint32(h) << 16)
	}
	var b [2]byte
	binary.LittleEndian.PutUint16(b[:], h)
	return scalar.FromHalf(b[:])
}

// Values returns all values in an order that is the same for equal matrices.
func (p *Panels) Values() []float32 {
	if p.data != nil {
		return p.data
	}
	v := make([]float32, len(p.halves))
	for i := range v {
		v[i] = p.value(i)
	}
	return v
}

// value returns value i of data or halves.
func (p *Panels) value(i int) float32 {
	if p.data != nil {
		return p.data[i]
	}
	return widen(p.typ, p.halves[i])
}

// first returns the place of value i.
func (p *Panels) first(i int) *byte {
	if p.data != nil {
		return (*byte)(unsafe.Pointer(&p.data[i]))
	}
	return (*byte)(unsafe.Pointer(&p.halves[i]))
}

// size returns the bytes of a value.
func (p *Panels) size() int {
	if p.data != nil {
		return 4
	}
	return 2
}
