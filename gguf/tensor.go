package gguf

import (
	"errors"
	"fmt"
	"io/fs"
	"math"
	"slices"
)

// Tensor is a tensor of a file. Its fields must not be modified.
type Tensor struct {
	Name  string
	Type  Type
	Shape []int // 1 to 4 dimensions; Shape[0], the fastest varying, is the length of a row

	file string // that it lies in
	size int
	data []byte
}

// Data returns the bytes of t, row after row. They are a view of the file,
// read-only and valid until [File.Close]; in a mapped file they start at a
// multiple of 8 bytes in memory.
func (t *Tensor) Data() []byte { return t.data }

// Size returns the number of bytes in t.
func (t *Tensor) Size() int { return t.size }

// Rows returns the number of rows, the product of Shape[1:].
func (t *Tensor) Rows() int {
	n := 1
	for _, v := range t.Shape[1:] {
		n *= v
	}
	return n
}

// RowBytes returns the number of bytes in a row.
func (t *Tensor) RowBytes() int { return t.size / t.Rows() }

// ReadRows copies rows r0 to before r1 to dst, whose length must be r1-r0 times
// [Tensor.RowBytes]. If part of the file is gone, which would be a fault where
// [Tensor.Data] is read, that is an error: see [File.Guard].
func (t *Tensor) ReadRows(dst []byte, r0, r1 int) error {
	size := t.RowBytes()
	switch {
	case r0 < 0 || r1 < r0 || r1 > t.Rows() || len(dst) != (r1-r0)*size:
		return fmt.Errorf("gguf: %s: tensor %q: rows %d to %d of %d into %d bytes: out of range", t.file, t.Name, r0, r1, t.Rows(), len(dst))
	case t.data == nil:
		return fmt.Errorf("gguf: %s: tensor %q: %w", t.file, t.Name, fs.ErrClosed)
	}
	return guard(t.file, func() error {
		copy(dst, t.data[r0*size:r1*size])
		return nil
	})
}

// Info returns what a file that holds a copy of t says about it.
func (t *Tensor) Info() TensorInfo {
	return TensorInfo{Name: t.Name, Type: t.Type, Shape: slices.Clone(t.Shape)}
}

// TensorInfo describes a tensor that is to be written.
type TensorInfo struct {
	Name  string // 1 to 63 bytes
	Type  Type
	Shape []int // as in [Tensor]
}

// Size returns the number of bytes that the tensor takes, or an error if there
// can be no such tensor.
func (t TensorInfo) Size() (int, error) {
	n, err := sizeOf(t.Type, t.Shape)
	if err != nil {
		return 0, fmt.Errorf("gguf: tensor %q: %w", t.Name, err)
	}
	return n, nil
}

// sizeOf returns the number of bytes in a tensor. Neither that nor the number
// of values may overflow an int.
func sizeOf(t Type, ne []int) (int, error) {
	if !t.Valid() {
		return 0, unknownType(t)
	}
	if len(ne) < 1 || len(ne) > maxDims {
		return 0, fmt.Errorf("%d dimensions: want 1 to %d", len(ne), maxDims)
	}
	values := 1
	for i, v := range ne {
		if v < 1 {
			return 0, fmt.Errorf("dimension %d is %d: want at least 1", i, v)
		}
		if values > math.MaxInt/v {
			return 0, fmt.Errorf("shape %v: too many values", ne)
		}
		values *= v
	}
	block, bytes := t.Block()
	if ne[0]%block != 0 {
		return 0, fmt.Errorf("rows of %d values do not divide into %v blocks of %d", ne[0], t, block)
	}
	if values/block > math.MaxInt/bytes {
		return 0, fmt.Errorf("shape %v: too many bytes", ne)
	}
	return values / block * bytes, nil
}

// removed names the types that the format once had.
var removed = map[Type]string{
	4: "Q4_2", 5: "Q4_3",
	31: "Q4_0_4_4", 32: "Q4_0_4_8", 33: "Q4_0_8_8",
	36: "IQ4_NL_4_4", 37: "IQ4_NL_4_8", 38: "IQ4_NL_8_8",
}

func unknownType(t Type) error {
	if name := removed[t]; name != "" {
		return fmt.Errorf("type %s (%d) was removed from the format: quantise the model again", name, uint32(t))
	}
	if t >= 97 {
		return fmt.Errorf("unknown type %d: if the file was made by a fork of llama.cpp, quantise the model again to a common type", uint32(t))
	}
	return errors.New("unknown type " + fmt.Sprint(uint32(t)))
}
