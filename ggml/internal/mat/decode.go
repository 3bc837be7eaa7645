package mat

import (
	"unsafe"

	"mptgo/ggml/internal/scratch"
	"mptgo/gguf"
)

// decoder makes float32 values of the weights of a type, those of [blockType.decodeBlock].
type decoder struct {
	// kernel sets pieces of sixteen values, distance bytes apart, to n blocks of the file, or of float types
	// to n times 32 values.
	kernel decodeFunc

	// expand, if it is set, makes the blocks that kernel reads instead.
	expand expandFunc
}

type decodeFunc = func(dst *float32, distance int, w *byte, n int)

// run decodes the n units at the start of data.
func (d *decoder) run(to []float32, distance int, data []byte, n, unit int, s *Scratch) {
	if n == 0 {
		return
	}
	_ = to[(n*unit/StripRows-1)*distance+StripRows-1]
	if d.expand == nil {
		d.kernel(&to[0], 4*distance, &data[0], n)
		return
	}
	blocks := scratch.Grow(&s.expanded, n*unit/32)
	d.expand(blocks, data)
	d.kernel(&to[0], 4*distance, (*byte)(unsafe.Pointer(&blocks[0])), len(blocks))
}

// decodeUnit returns how many values of a type decoders take together, and their bytes.
func decodeUnit(typ gguf.Type) (values, size int) {
	values, size = typ.Block()
	if isFloat(typ) {
		return 32 * values, 32 * size
	}
	return values, size
}

// decodeColumns sets pieces of [StripRows] values, distance values apart, to columns c0 to c1 of row r. c0 is
// a multiple of 32, and c1 one or the end of a row.
func (p *product) decodeColumns(k *floatKernels, to []float32, distance, r, c0, c1 int) {
	if k == nil || k.decode[p.w.Type].kernel == nil {
		p.decodeGeneric(to, distance, r, c0, c1)
		return
	}
	d, data := &k.decode[p.w.Type], p.rowData(r)
	unit, size := decodeUnit(p.w.Type)
	switch n := (c1 - c0) / unit; {
	case isFloat(p.w.Type):
		d.run(to, distance, data[c0/unit*size:], n, unit, p.s)
		if c := c0 + n*unit; c < c1 {
			p.decodeGeneric(to[n*unit/StripRows*distance:], distance, r, c, c1)
		}
	case c0%unit == 0 && c1%unit == 0:
		d.run(to, distance, data[c0/unit*size:], n, unit, p.s)
	default: // of a larger block
		first, last := c0/unit, (c1+unit-1)/unit
		values := scratch.Grow(&p.s.row, (last-first)*unit)
		d.run(values, StripRows, data[first*size:], last-first, unit, p.s)
		inPieces(to, distance, values[c0-first*unit:c1-first*unit])
	}
}

// decodeGeneric defines decodeColumns.
func (p *product) decodeGeneric(to []float32, distance, r, c0, c1 int) {
	data := p.rowData(r)
	if isFloat(p.w.Type) {
		size := p.row / p.w.Cols
		values := scratch.Grow(&p.s.row, c1-c0)
		floatTypes[p.w.Type](values, data[c0*size:c1*size])
		inPieces(to, distance, values)
		return
	}
	var values [32]float32
	for b := c0 / 32; b < c1/32; b++ {
		blockTypes[p.w.Type].decodeBlock(&values, data, b, &p.s.unpacked)
		inPieces(to[(b*32-c0)/StripRows*distance:], distance, values[:])
	}
}

// inPieces copies values to pieces of StripRows, of which the last may be shorter.
func inPieces(to []float32, distance int, values []float32) {
	for i := 0; len(values) > 0; i++ {
		values = values[copy(to[i*distance:][:StripRows], values):]
	}
}
