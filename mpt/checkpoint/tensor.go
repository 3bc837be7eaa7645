package checkpoint

import (
	"errors"
	"fmt"
	"io"
	"math/bits"
)

// A Tensor is a named array in a container. Its elements are read on demand.
type Tensor struct {
	Name  string
	DType string // safetensors' name of the element type, such as "BF16"
	Shape []int  // outermost dimension first, as in torch; empty for a scalar

	dtype   dtype
	in      *Container
	offset  int64 // of the first element in the file, in bytes
	strides []int // in elements; nil if the elements lie in row-major order
	space   int64 // bytes in the file, of an opaque dtype
}

// newTensor describes elements at a byte offset that the caller has checked to
// lie inside the file. It refuses a shape whose size does not fit in an int.
func newTensor(c *Container, name string, dt dtype, shape []int, offset int64, strides []int) (*Tensor, error) {
	n, ok := elements(shape)
	if _, fits := product(n, dt.size); !ok || !fits {
		return nil, malformed("tensor %q: shape %v is too large or negative", name, shape)
	}
	if rowMajor(shape, strides) {
		strides = nil
	}
	return &Tensor{Name: name, DType: dt.name, Shape: shape, dtype: dt, in: c, offset: offset, strides: strides}, nil
}

// Rows returns the first dimension, or 1 for a scalar.
func (t *Tensor) Rows() int {
	if len(t.Shape) == 0 {
		return 1
	}
	return t.Shape[0]
}

// RowBytes returns the size of one row: of everything below the first
// dimension.
func (t *Tensor) RowBytes() int {
	if len(t.Shape) == 0 {
		return t.dtype.size
	}
	n, _ := elements(t.Shape[1:])
	return n * t.dtype.size
}

// Bytes returns the size of all elements together.
func (t *Tensor) Bytes() int {
	if t.dtype.isOpaque() {
		return int(t.space)
	}
	return t.Rows() * t.RowBytes()
}

// SameData reports whether t and u are views of the same elements of the same
// file, as tied weights are when torch saves them.
func (t *Tensor) SameData(u *Tensor) bool {
	same := t.in == u.in && t.offset == u.offset && t.DType == u.DType &&
		len(t.Shape) == len(u.Shape) && len(t.strides) == len(u.strides)
	for i := 0; same && i < len(t.Shape); i++ {
		same = t.Shape[i] == u.Shape[i] && (t.strides == nil || t.strides[i] == u.strides[i])
	}
	return same
}

// ReadRows stores rows r0 up to r1 in dst, little-endian and in row-major order,
// whatever the order in the file. The length of dst must be (r1-r0) times
// [Tensor.RowBytes]. It may be called from several goroutines.
func (t *Tensor) ReadRows(dst []byte, r0, r1 int) error {
	if r0 < 0 || r1 < r0 || r1 > t.Rows() || len(dst) != (r1-r0)*t.RowBytes() {
		return fmt.Errorf("checkpoint: tensor %s: rows %d:%d of %d into %d bytes: out of range",
			t.Name, r0, r1, t.Rows(), len(dst))
	}
	if t.dtype.isOpaque() {
		return fmt.Errorf("checkpoint: tensor %s: elements of type %s are not known: %w",
			t.Name, t.DType, errors.ErrUnsupported)
	}
	if len(dst) == 0 {
		return nil
	}
	var err error
	if t.strides == nil {
		err = t.in.readFull(dst, t.offset+int64(r0)*int64(t.RowBytes()))
	} else {
		err = newGather(t, r0, r1).read(dst)
	}
	if err != nil {
		return fmt.Errorf("checkpoint: %s: tensor %s: %w", t.in.path, t.Name, err)
	}
	return nil
}

// readFull fills dst from the file. The range was inside the file when the
// container was opened, so its end means that the file has shrunk since.
func (c *Container) readFull(dst []byte, offset int64) error {
	n, err := c.r.ReadAt(dst, offset)
	if n == len(dst) {
		return nil
	}
	if errors.Is(err, io.EOF) {
		return malformed("the file ended at byte %d while it was being read", offset+int64(n))
	}
	return err
}

// elements returns the product of the dimensions; ok is false if one is negative
// or the product does not fit in an int.
func elements(shape []int) (n int, ok bool) {
	n, ok = 1, true
	empty := false
	for _, d := range shape {
		empty = empty || d == 0
		if d < 0 {
			return 0, false
		}
		if d > 0 && ok {
			n, ok = product(n, d)
		}
	}
	if empty {
		return 0, true
	}
	return n, ok
}

// product multiplies two non-negative numbers; ok is false on overflow.
func product(a, b int) (n int, ok bool) {
	hi, lo := bits.Mul64(uint64(a), uint64(b))
	n = int(lo)
	return n, hi == 0 && n >= 0 && uint64(n) == lo
}

// rowMajor reports whether elements at these strides are contiguous and in order.
// The stride of a dimension of one does not matter.
func rowMajor(shape, strides []int) bool {
	if strides == nil {
		return true
	}
	want := 1
	for i := len(shape) - 1; i >= 0; i-- {
		if shape[i] != 1 && strides[i] != want {
			return false
		}
		want *= shape[i]
	}
	return true
}
