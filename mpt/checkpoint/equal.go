package checkpoint

import (
	"bytes"
	"slices"
)

// compared is how many bytes of two tensors are compared at a time, give or take a row.
const compared = 1 << 20

// Equal reports whether two tensors have the same type, shape and bytes.
func (t *Tensor) Equal(u *Tensor) (bool, error) {
	if t.SameData(u) {
		return true, nil
	}
	if t.DType != u.DType || !slices.Equal(t.Shape, u.Shape) || t.dtype.isOpaque() {
		return false, nil
	}
	step := max(1, compared/max(1, t.RowBytes()))
	x, y := make([]byte, min(step, t.Rows())*t.RowBytes()), make([]byte, min(step, t.Rows())*t.RowBytes())
	for r := 0; r < t.Rows(); r += step {
		n := min(step, t.Rows()-r)
		x, y := x[:n*t.RowBytes()], y[:n*t.RowBytes()]
		if err := t.ReadRows(x, r, r+n); err != nil {
			return false, err
		}
		if err := u.ReadRows(y, r, r+n); err != nil {
			return false, err
		}
		if !bytes.Equal(x, y) {
			return false, nil
		}
	}
	return true, nil
}
