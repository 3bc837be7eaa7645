package convert

import (
	"bytes"
	"slices"

	"mptgo/mpt/checkpoint"
)

// equal reports whether two tensors have the same type, shape and bytes.
func equal(a, b *checkpoint.Tensor) (bool, error) {
	if a.SameData(b) {
		return true, nil
	}
	if a.DType != b.DType || !slices.Equal(a.Shape, b.Shape) {
		return false, nil
	}
	step := max(1, pieceBytes/max(1, a.RowBytes()))
	x, y := make([]byte, step*a.RowBytes()), make([]byte, step*a.RowBytes())
	for r := 0; r < a.Rows(); r += step {
		n := min(step, a.Rows()-r)
		x, y := x[:n*a.RowBytes()], y[:n*a.RowBytes()]
		if err := a.ReadRows(x, r, r+n); err != nil {
			return false, err
		}
		if err := b.ReadRows(y, r, r+n); err != nil {
			return false, err
		}
		if !bytes.Equal(x, y) {
			return false, nil
		}
	}
	return true, nil
}
