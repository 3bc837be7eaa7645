package quantize

import (
	"encoding/binary"
	"fmt"
	"math"
	"mptgo/internal/half"

	"mptgo/gguf"
)

// Encoder converts pieces of tensors from one type to another: see [Encoder.Convert]. Its
// fields are the choices, and it keeps the memory that it works in, so that converting many
// pieces does not allocate. The zero value is ready. It serves one goroutine at a time.
type Encoder struct {
	Search   Search    // how codes are looked for; the zero value is that of [EncodeRows]
	Weights  []float32 // the importance of each column, as for [EncodeRows]; nil: all are alike
	Feedback *Feedback // compensation of errors among the columns; nil: none

	row []float32
}

// values returns n float32 of e; their content is arbitrary.
func (e *Encoder) values(n int) []float32 {
	if cap(e.row) < n {
		e.row = make([]float32, n)
	}
	return e.row[:n]
}

// Convert writes the rows of cols values in src, of type st, to dst as type dt,
// by way of float32. If the types are equal it copies the bytes as they are;
// otherwise it fails where [EncodeRows] fails. Dst and src must not overlap.
func (e *Encoder) Convert(dst []byte, dt gguf.Type, src []byte, st gguf.Type, cols int) error {
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
	if err := checkWeights(dt, cols, e.Weights); err != nil {
		return err
	}
	if f := e.Feedback; f != nil && (f.cols != cols || f.block != blockValues(dt)) {
		return fmt.Errorf("quantize: %v: feedback of %d columns in blocks of %d for rows of %d values", dt, f.cols, f.block, cols)
	}
	if e.Feedback != nil && e.Search == SearchBetter {
		return e.convertTogether(out, dst, in, src, rows)
	}
	from, to := len(src)/rows, len(dst)/rows
	values := e.values(cols)
	for r := range rows {
		s, d := src[r*from:(r+1)*from], dst[r*to:(r+1)*to]
		if err := e.convertRow(out, d, in, s, values); err != nil {
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
func (e *Encoder) convertTogether(out *Format, dst []byte, in *Format, src []byte, rows int) error {
	from, to, cols := len(src)/rows, len(dst)/rows, e.Feedback.cols
	values := e.values(min(rows, rowsTogether) * cols)
	for r := 0; r < rows; r += rowsTogether {
		n := min(rowsTogether, rows-r)
		part := values[:n*cols]
		in.Decode(part, src[r*from:(r+n)*from])
		if i := notFinite(part); i >= 0 {
			return fmt.Errorf("quantize: %v to %v: row %d: %w", in.Type, out.Type, r+i/cols, notFiniteError(part[i/cols*cols:], i%cols))
		}
		d := dst[r*to : (r+n)*to]
		e.Feedback.encode(out, d, part)
		if i, err := encodeBad(out, d, part, cols, e.Weights); err != nil {
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
		if err := encodeRow(out, SearchBetter, d, src[r*cols:(r+1)*cols], weights); err != nil {
			return r, err
		}
	}
	return 0, nil
}

// convertRow converts one row, by the short way where there is one.
func (e *Encoder) convertRow(out *Format, dst []byte, in *Format, src []byte, values []float32) error {
	direct := shortcuts[pair{in.Type, out.Type}]
	if direct == nil {
		in.Decode(values, src)
		return encodeRow(out, e.Search, dst, values, e.Weights)
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
