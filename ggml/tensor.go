package ggml

import (
	"errors"
	"fmt"

	"mptgo/ggml/internal/act"
	"mptgo/ggml/internal/mat"
	"mptgo/gguf"
	"mptgo/internal/errkind"
)

// Matrix is a weight matrix as it lies in the model file: Rows rows of Cols values of the given
// type, row after row. The product with an activation row x of Cols values has Rows values.
// [NewMatrix] checks that there can be such a matrix; afterwards the fields must not change.
type Matrix struct {
	Name       string
	Type       gguf.Type
	Rows, Cols int
	Data       []byte // whole rows of blocks of Type
}

// NewMatrix returns the matrix of rows x cols values of type t in data, which
// is used in place and must stay readable. Types that no kernel computes with
// and data of another size are errors.
func NewMatrix(name string, t gguf.Type, rows, cols int, data []byte) (*Matrix, error) {
	if !mat.Supported(t) {
		err := fmt.Errorf("ggml: tensor %q is of type %v, which no kernel computes with yet: make the file again in one of %s", name, t, mat.SupportedTypes())
		return nil, errkind.As(err, errors.ErrUnsupported)
	}
	row, err := t.RowBytes(cols)
	if err != nil {
		return nil, fmt.Errorf("ggml: tensor %q: %w", name, err)
	}
	if rows < 1 || cols < 1 || len(data)/row != rows || len(data)%row != 0 {
		return nil, fmt.Errorf("ggml: tensor %q: %d rows of %d values of %v do not take %d bytes",
			name, rows, cols, t, len(data))
	}
	return &Matrix{name, t, rows, cols, data}, nil
}

// weights returns the matrix as kernels take it.
func (m *Matrix) weights() mat.Weights {
	return mat.Weights{Type: m.Type, Rows: m.Rows, Cols: m.Cols, Data: m.Data}
}

// Bytes returns the size of the matrix in memory.
func (m *Matrix) Bytes() int { return len(m.Data) }

// Tensor is a value of a [Graph]: float32 rows of Cols values, one for each row of a
// batch or, after [Graph.Narrow] and [Graph.Select], for each of those that are wanted. It
// gets its memory when the graph is compiled.
type Tensor struct {
	Name string
	Cols int

	op        op        // what computes it
	consumers int       // operations that read it
	keep      bool      // stays readable after a run
	of        rowKind   // which rows of the batch it has
	quantise  bool      // a product reads it as int8 blocks
	sort      bool      // a product reads it sorted by lanes
	x         []float32 // [batch, Cols], in the arena
	acts      act.Acts
}

// rowKind says which rows of a batch a tensor has.
type rowKind int

const (
	allRows      rowKind = iota
	narrowRows           // those that Narrow takes
	selectedRows         // those that Select takes at a time
)

// row returns row i.
func (t *Tensor) row(i int) []float32 { return t.x[i*t.Cols : (i+1)*t.Cols : (i+1)*t.Cols] }
