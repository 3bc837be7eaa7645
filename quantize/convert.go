package quantize

import (
	"encoding/binary"
	"fmt"
	"math"
	"mptgo/internal/half"

	"mptgo/gguf"
)

// Scratch holds how [Convert] encodes and the memory that it works in, so that
// converting many pieces of tensors does not allocate. The zero value is ready. It may not be
// used by two calls at the same time.
type Scratch struct {
	Search   Search    // how Convert looks for codes
	Feedback *Feedback // of the rows' columns; nil: errors are not compensated

	row []float32
}

// values returns n float32 of s; their content is arbitrary.
func (s *Scratch) values(n int) []float32 {
	if cap(s.row) < n {
		s.row = make([]float32, n)
	}
	return s.row[:n]
}

// Convert writes the rows of cols values in src, of type st, to dst as type dt,
// by way of float32. If the types are equal it copies the bytes as they are;
// otherwise it fails where [EncodeRows] fails. Dst and src must not overlap.
func Convert(dst []byte, dt gguf.Type, src []byte, st gguf.Type, cols int, weights []float32, scratch *Scratch) error {
	rows, err := countRows(dst, dt, src, st, cols)
	if err != nil || rows == 0 {
		return err
	}
	if dt == st {
		copy(dst, src)
		return nil
	}
	in, err := lookup(st)
	if err != nil {
		return err
	}
	out, err := writable(dt)
	if err != nil {
		return err
	}
	if err := checkWeights(dt, cols, weights); err != nil {
		return err
	}
	if f := scratch.Feedback; f != nil && (f.cols != cols || f.block != blockValues(dt)) {
		return fmt.Errorf("quantize: %v: feedback of %d columns in blocks of %d for rows of %d values", dt, f.cols, f.block, cols)
	}
	if scratch.Feedback != nil && scratch.Search == Better {
		return convertTogether(out, scratch, dst, in, src, rows, weights)
	}
	from, to := len(src)/rows, len(dst)/rows
	values := scratch.values(cols)
	for r := range rows {
		s, d := src[r*from:(r+1)*from], dst[r*to:(r+1)*to]
		if err := convertRow(out, scratch, d, in, s, values, weights); err != nil {
			return fmt.Errorf("quantize: %v to %v: row %d: %w", st, dt, r, err)
		}
	}
	return nil
}

// countRows returns the number of rows in src after checking that they are
// whole and take all of dst.
func countRows(dst []byte, dt gguf.Type, src []byte, st gguf.Type, cols int) (int, error) {
	from, err := rowBytes(st, cols)
	if err != nil {
		return 0, err
	}
	to, err := rowBytes(dt, cols)
	if err != nil {
		return 0, err
	}
	rows := len(src) / from
	if len(src)%from != 0 {
		return 0, fmt.Errorf("quantize: %v: %d bytes are not whole rows of %d values", st, len(src), cols)
	}
	if len(dst) != rows*to {
		return 0, fmt.Errorf("quantize: %v: %d rows of %d values take %d bytes, not %d", dt, rows, cols, rows*to, len(dst))
	}
	return rows, nil
}

// convertTogether converts rows with feedback, some at a time.
func convertTogether(out *Format, how *Scratch, dst []byte, in *Format, src []byte, rows int, weights []float32) error {
	from, to, cols := len(src)/rows, len(dst)/rows, how.Feedback.cols
	values := how.values(min(rows, rowsTogether) * cols)
	for r := 0; r < rows; r += rowsTogether {
		n := min(rowsTogether, rows-r)
		part := values[:n*cols]
		in.Decode(part, src[r*from:(r+n)*from])
		if i := notFinite(part); i >= 0 {
			return fmt.Errorf("quantize: %v to %v: row %d: %w", in.Type, out.Type, r+i/cols, notFiniteError(part[i/cols*cols:], i%cols))
		}
		d := dst[r*to : (r+n)*to]
		how.Feedback.encode(out, d, part)
		if i, err := encodeBad(out, d, part, cols, weights); err != nil {
			return fmt.Errorf("quantize: %v to %v: row %d: %w", in.Type, out.Type, r+i, err)
		}
	}
	return nil
}

// encodeBad encodes those of some rows by themselves that feedback has made too large to
// be stored, though their own values may not be. It returns the row that is.
func encodeBad(out *Format, dst []byte, src []float32, cols int, weights []float32) (row int, err error) {
	to := len(dst) / (len(src) / cols)
	for r := range len(src) / cols {
		d := dst[r*to : (r+1)*to]
		if out.bad(d) < 0 {
			continue
		}
		if err := encodeRow(out, Better, d, src[r*cols:(r+1)*cols], weights); err != nil {
			return r, err
		}
	}
	return 0, nil
}

// convertRow converts one row, by the short way where there is one.
func convertRow(out *Format, how *Scratch, dst []byte, in *Format, src []byte, values, weights []float32) error {
	direct := shortcuts[pair{in.Type, out.Type}]
	if direct == nil {
		in.Decode(values, src)
		return encodeRow(out, how.Search, dst, values, weights)
	}
	if i := in.bad(src); i >= 0 {
		in.Decode(values, src)
		return notFiniteError(values, i)
	}
	direct(dst, src)
	if i := out.bad(dst); i >= 0 {
		return tooLarge(out.Type, i)
	}
	return nil
}

type pair struct{ from, to gguf.Type }

// shortcuts are the conversions of checkpoints that need no float32 in between.
var shortcuts = map[pair]func(dst, src []byte){
	{gguf.BF16, gguf.F16}: func(dst, src []byte) {
		for i := 0; i+2 <= len(src); i += 2 {
			x := half.BF16ToF32(binary.LittleEndian.Uint16(src[i:]))
			binary.LittleEndian.PutUint16(dst[i:], half.F16(x))
		}
	},
	{gguf.BF16, gguf.F32}: func(dst, src []byte) {
		for ; len(src) >= 2; dst, src = dst[4:], src[2:] {
			binary.LittleEndian.PutUint32(dst, uint32(binary.LittleEndian.Uint16(src))<<16)
		}
	},
	{gguf.F16, gguf.F32}: func(dst, src []byte) {
		for ; len(src) >= 2; dst, src = dst[4:], src[2:] {
			binary.LittleEndian.PutUint32(dst, math.Float32bits(half.Get(src)))
		}
	},
}
