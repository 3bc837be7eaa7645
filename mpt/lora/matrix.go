package lora

import (
	"encoding/binary"
	"fmt"
	"math"
	"sync"

	"mptgo/gguf"
	"mptgo/mpt/checkpoint"
	"mptgo/quantize"
)

// A Matrix is a matrix of an adapter, as it lies in the file.
type Matrix struct {
	Name       string // in the file
	Type       gguf.Type
	Rows, Cols int

	read func(dst []byte, r0, r1 int) error
}

// RowBytes returns the size of a row.
func (m *Matrix) RowBytes() int {
	n, err := m.Type.RowBytes(m.Cols)
	if err != nil {
		panic(err) // checked when the matrix was made
	}
	return n
}

// ReadRows stores rows r0 up to r1, as they are in the file, in dst.
func (m *Matrix) ReadRows(dst []byte, r0, r1 int) error { return m.read(dst, r0, r1) }

// Floats returns all values, row after row. A value that is infinite or no number is
// an error.
func (m *Matrix) Floats() ([]float32, error) {
	v, err := m.floats(0, m.Rows)
	if err != nil {
		return nil, err
	}
	for i, x := range v {
		if x-x != 0 {
			return nil, malformed("%s: row %d, column %d is %v", m.Name, i/m.Cols, i%m.Cols, x)
		}
	}
	return v, nil
}

// floats returns the values of rows r0 up to r1.
func (m *Matrix) floats(r0, r1 int) ([]float32, error) {
	b := make([]byte, (r1-r0)*m.RowBytes())
	if err := m.read(b, r0, r1); err != nil {
		return nil, err
	}
	v, err := decode(m.Type, b, (r1-r0)*m.Cols)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", m.Name, err)
	}
	return v, nil
}

// decode returns n values of a type.
func decode(t gguf.Type, b []byte, n int) ([]float32, error) {
	v := make([]float32, n)
	if t != gguf.F64 {
		return v, quantize.DecodeRow(t, v, b)
	}
	for i := range v {
		v[i] = float32(math.Float64frombits(binary.LittleEndian.Uint64(b[8*i:])))
	}
	return v, nil
}

// fromCheckpoint returns a tensor of PEFT's file. A vector counts as one row.
func fromCheckpoint(t *checkpoint.Tensor) (*Matrix, error) {
	typ, err := t.Type()
	if err != nil {
		return nil, err
	}
	m := &Matrix{Name: t.Name, Type: typ, Rows: 1, read: t.ReadRows}
	switch len(t.Shape) {
	case 1:
		m.Cols = t.Shape[0]
		m.read = func(dst []byte, r0, r1 int) error {
			if r0 == r1 {
				return nil
			}
			return t.ReadRows(dst, 0, m.Cols)
		}
	case 2:
		m.Rows, m.Cols = t.Shape[0], t.Shape[1]
	default:
		return nil, malformed("tensor %s has the shape %v", t.Name, t.Shape)
	}
	if m.Rows < 1 || m.Cols < 1 {
		return nil, malformed("tensor %s has the shape %v", t.Name, t.Shape)
	}
	return m, nil
}

// transposed returns m with rows for columns, as float32. It is read as a whole, when
// it is first asked for.
func (m *Matrix) transposed() *Matrix {
	values := sync.OnceValues(m.Floats)
	t := &Matrix{Name: m.Name, Type: gguf.F32, Rows: m.Cols, Cols: m.Rows}
	t.read = func(dst []byte, r0, r1 int) error {
		v, err := values()
		if err != nil {
			return err
		}
		for r := r0; r < r1; r++ {
			for c := range t.Cols {
				binary.LittleEndian.PutUint32(dst, math.Float32bits(v[c*m.Cols+r]))
				dst = dst[4:]
			}
		}
		return nil
	}
	return t
}

// fromGGUF returns a tensor of an adapter file.
func fromGGUF(t *gguf.Tensor) (*Matrix, error) {
	if len(t.Shape) > 2 {
		return nil, malformed("tensor %s has %d dimensions", t.Name, len(t.Shape))
	}
	if _, ok := quantize.Lookup(t.Type); !ok {
		return nil, malformed("tensor %s: %v cannot be read", t.Name, t.Type)
	}
	return &Matrix{Name: t.Name, Type: t.Type, Rows: t.Rows(), Cols: t.Shape[0], read: t.ReadRows}, nil
}
