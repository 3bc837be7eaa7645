package quantize

import (
	"fmt"
	"math"

	"mptgo/gguf"
)

// EncodeRows writes the rows of cols values in src to dst as type t, with the
// bytes that ggml's reference code writes. Weights is
// nil or holds the importance of each column, finite and not negative; types
// that have no use for it ignore it. Every row is encoded on its own, so any
// split of a tensor into rows gives the same bytes.
//
// It fails if a length does not fit, if a value is NaN or infinite, and if one
// is too large for t; the error names its row, counted from the start of src,
// and its column.
func EncodeRows(t gguf.Type, dst []byte, src []float32, cols int, weights []float32) error {
	return SearchReference.Encode(t, dst, src, cols, weights)
}

// Encode is [EncodeRows] with another search for the codes.
func (s Search) Encode(t gguf.Type, dst []byte, src []float32, cols int, weights []float32) error {
	f, err := writable(t)
	if err != nil {
		return err
	}
	size, err := rowBytes(t, cols)
	if err != nil {
		return err
	}
	if err := checkWeights(t, cols, weights); err != nil {
		return err
	}
	rows := len(src) / cols
	if len(src)%cols != 0 {
		return fmt.Errorf("quantize: %v: %d values are not whole rows of %d", t, len(src), cols)
	}
	if len(dst) != rows*size {
		return fmt.Errorf("quantize: %v: %d rows of %d values take %d bytes, not %d", t, rows, cols, rows*size, len(dst))
	}
	for r := range rows {
		err := encodeRow(f, s, dst[r*size:(r+1)*size], src[r*cols:(r+1)*cols], weights)
		if err != nil {
			return fmt.Errorf("quantize: %v: row %d: %w", t, r, err)
		}
	}
	return nil
}

// DecodeRow sets dst to the values of the blocks of type t in src. It fails if
// the lengths do not match.
func DecodeRow(t gguf.Type, dst []float32, src []byte) error {
	f, err := lookup(t)
	if err != nil {
		return err
	}
	size, err := t.RowBytes(len(dst))
	if err != nil {
		return fmt.Errorf("quantize: %w", err)
	}
	if len(src) != size {
		return fmt.Errorf("quantize: %v: %d values take %d bytes, not %d", t, len(dst), size, len(src))
	}
	f.Decode(dst, src)
	return nil
}

// CheckFinite returns an error if a value or a scale in src, whole blocks of
// type t, is infinite or NaN. The error names the first such block.
func CheckFinite(t gguf.Type, src []byte) error {
	f, err := lookup(t)
	if err != nil {
		return err
	}
	n, size := t.Block()
	if len(src)%size != 0 {
		return fmt.Errorf("quantize: %v: %d bytes are not whole blocks of %d", t, len(src), size)
	}
	b := f.bad(src)
	switch {
	case b < 0:
		return nil
	case n == 1:
		return fmt.Errorf("quantize: %v: value %d is infinite or NaN", t, b)
	}
	return fmt.Errorf("quantize: %v: block %d, values %d to %d: a scale is infinite or NaN", t, b, b*n, b*n+n-1)
}

// NotFinite counts the blocks of src, whole blocks of type t, that hold a value or a
// scale which is infinite or NaN; first is the index of the first one, or -1.
func NotFinite(t gguf.Type, src []byte) (count, first int, err error) {
	f, err := lookup(t)
	if err != nil {
		return 0, -1, err
	}
	_, size := t.Block()
	if len(src)%size != 0 {
		return 0, -1, fmt.Errorf("quantize: %v: %d bytes are not whole blocks of %d", t, len(src), size)
	}
	first = -1
	for at := 0; ; count++ {
		b := f.bad(src[at*size:])
		if b < 0 {
			return count, first, nil
		}
		if first < 0 {
			first = b
		}
		at += b + 1
	}
}

// encodeRow encodes one row and checks its values before and after.
func encodeRow(f *Format, s Search, dst []byte, src, weights []float32) error {
	if i := notFinite(src); i >= 0 {
		return notFiniteError(src, i)
	}
	s.encodeRow(f, dst, src, weights)
	if b := f.bad(dst); b >= 0 {
		return tooLarge(f.Type, b)
	}
	return nil
}

// writable returns the format of t if it can be written.
func writable(t gguf.Type) (*Format, error) {
	f, err := lookup(t)
	if err == nil && f.Encode == nil {
		return nil, fmt.Errorf("quantize: %v: this type can be read but not written", t)
	}
	return f, err
}

// rowBytes is t.RowBytes for rows that must not be empty and any t.
func rowBytes(t gguf.Type, cols int) (int, error) {
	if !t.Valid() {
		return 0, fmt.Errorf("quantize: %v: unknown tensor type", t)
	}
	if cols <= 0 {
		return 0, fmt.Errorf("quantize: %v: a row of %d values", t, cols)
	}
	size, err := t.RowBytes(cols)
	if err != nil {
		return 0, fmt.Errorf("quantize: %w", err)
	}
	return size, nil
}

// checkWeights checks importance weights for rows of cols values.
func checkWeights(t gguf.Type, cols int, weights []float32) error {
	if weights == nil {
		return nil
	}
	if len(weights) != cols {
		return fmt.Errorf("quantize: %v: %d importance weights for rows of %d values", t, len(weights), cols)
	}
	for i, w := range weights {
		if !(w >= 0 && w <= math.MaxFloat32) {
			return fmt.Errorf("quantize: %v: the importance of column %d is %v", t, i, w)
		}
	}
	return nil
}

// notFinite returns the index of the first NaN or infinity in x, or -1.
func notFinite(x []float32) int {
	// A carry into the sign bit shows an exponent of all ones. Collecting the
	// carries keeps branches out of a loop that nearly always runs to its end.
	var carry uint32
	for _, v := range x {
		carry |= math.Float32bits(v)&0x7fffffff + 0x00800000
	}
	if carry>>31 == 0 {
		return -1
	}
	for i, v := range x {
		if math.Float32bits(v)&0x7f800000 == 0x7f800000 {
			return i
		}
	}
	return -1
}

// notFiniteError is the error for x[i].
func notFiniteError(x []float32, i int) error {
	return fmt.Errorf("column %d: the value is %v; the source is damaged", i, x[i])
}

// tooLarge is the error for finite values that overflowed in a block of type t.
func tooLarge(t gguf.Type, block int) error {
	n, _ := t.Block()
	if n == 1 {
		return fmt.Errorf("column %d: the value is too large for %v; use BF16 or F32", block, t)
	}
	return fmt.Errorf("columns %d to %d: a value is too large for %v; use BF16 or F32", block*n, block*n+n-1, t)
}

// ParseWritable returns the tensor type with the given name if it can be written.
func ParseWritable(name string) (gguf.Type, error) {
	t, err := gguf.ParseType(name)
	if err != nil {
		return 0, err
	}
	_, err = writable(t)
	return t, err
}
