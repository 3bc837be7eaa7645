package convert

import (
	"encoding/binary"
	"math"
	"slices"

	"mptgo/gguf"
	"mptgo/mpt/checkpoint"
	"mptgo/quantize"
)

// sameValues reports whether two tensors have the same shape and values, whatever their
// types.
func sameValues(a, b *checkpoint.Tensor) (bool, error) {
	if same, err := a.Equal(b); same || err != nil || a.DType == b.DType {
		return same, err
	}
	if !slices.Equal(a.Shape, b.Shape) {
		return false, nil
	}
	step := max(1, pieceBytes/max(1, a.RowBytes()))
	for r := 0; r < a.Rows(); r += step {
		n := min(step, a.Rows()-r)
		x, err := doubles(a, r, n)
		if err != nil {
			return false, err
		}
		y, err := doubles(b, r, n)
		if err != nil || !slices.Equal(x, y) {
			return false, err
		}
	}
	return true, nil
}

// doubles reads n rows of a tensor from row r.
func doubles(t *checkpoint.Tensor, r, n int) ([]float64, error) {
	typ, err := t.Type()
	if err != nil {
		return nil, err
	}
	b := make([]byte, n*t.RowBytes())
	if err := t.ReadRows(b, r, r+n); err != nil {
		return nil, err
	}
	_, size := typ.Block()
	v := make([]float64, len(b)/size)
	if typ == gguf.F64 {
		for i := range v {
			v[i] = math.Float64frombits(binary.LittleEndian.Uint64(b[8*i:]))
		}
		return v, nil
	}
	row := make([]float32, len(v))
	if err := quantize.DecodeRow(typ, row, b); err != nil {
		return nil, err
	}
	for i, x := range row {
		v[i] = float64(x)
	}
	return v, nil
}
