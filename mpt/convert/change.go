package convert

import (
	"encoding/binary"
	"math"
	"sync"

	"mptgo/gguf"
	"mptgo/mpt/lora"
	"mptgo/quantize"
)

// A rowChange is what an adapter does to rows of a tensor.
type rowChange struct {
	rows  int
	apply func(row []float32, r int) error // r counts from the first row of the change
}

// change has rows of a tensor, from row from on, changed as they are read.
func (p *plan) change(o *output, from int, c rowChange) {
	first := 0 // row of the tensor that a part begins with
	for i := range o.parts {
		o.parts[i] = p.layout.changed(o, o.parts[i], first, from, c)
		first += o.parts[i].rows
	}
	o.folded = true
}

// changed returns q, which begins with row first of o, as float32 with a change. Factors
// that the file has are applied last; those that the source has are taken out before.
// They are powers of two.
func (l *layout) changed(o *output, q part, first, from int, c rowChange) part {
	cols, name := o.row, o.info.Name
	s := source{typ: gguf.F32, rows: q.rows, rowBytes: 4 * cols, origin: max(q.src.typ, q.src.origin)}
	folded := l.folded || o.folded
	s.read = func(dst []byte, r0, r1 int) error {
		rows, err := q.floats(r0, r1, cols)
		if err != nil {
			return err
		}
		for r := r0; r < r1; r++ {
			row := rows[(r-r0)*cols : (r-r0+1)*cols]
			if at := first + r - from; at >= 0 && at < c.rows {
				f := l.factor(name, first+r)
				if folded {
					scaleValues(row, 1/f)
				}
				if err := c.apply(row, at); err != nil {
					return err
				}
				scaleValues(row, f)
			} else if !folded {
				scaleValues(row, q.factor)
			}
		}
		return quantize.EncodeRows(gguf.F32, dst, rows, cols, nil)
	}
	return s.whole()
}

func scaleValues(row []float32, f float32) {
	if f != 1 {
		for i := range row {
			row[i] *= f
		}
	}
}

// floats reads rows of a part, without its factor.
func (q *part) floats(r0, r1, cols int) ([]float32, error) {
	b := make([]byte, (r1-r0)*q.src.rowBytes)
	if err := q.src.read(b, q.first+r0, q.first+r1); err != nil {
		return nil, err
	}
	v := make([]float32, (r1-r0)*cols)
	if q.src.typ == gguf.F64 {
		for i := range v {
			v[i] = float32(math.Float64frombits(binary.LittleEndian.Uint64(b[8*i:])))
		}
		return v, nil
	}
	return v, quantize.DecodeRow(q.src.typ, v, b)
}

// thin is a change in memory: row r of the matrix gets the sum of the rows of basis, each
// times a number of row r of coefs.
type thin struct {
	rank, cols   int
	coefs, basis []float32 // [rows, rank], [rank, cols]
	magnitude    []float32 // [rows], of DoRA
}

// newChange returns the change that a pair is. Its values are read when they are first
// needed.
func newChange(x *lora.Pair, scale float32) rowChange {
	load := sync.OnceValues(func() (*thin, error) { return loadThin(x, scale) })
	rows := x.Out
	if x.IsTable() {
		rows = x.In
	}
	return rowChange{rows, func(row []float32, r int) error {
		t, err := load()
		if err != nil {
			return err
		}
		t.add(row, r)
		if t.magnitude != nil {
			scaleTo(row, t.magnitude[r])
		}
		return nil
	}}
}

func loadThin(x *lora.Pair, scale float32) (t *thin, err error) {
	t = &thin{rank: x.Rank, cols: x.In}
	if t.basis, err = x.A.Floats(); err != nil {
		return nil, err
	}
	if t.coefs, err = x.B.Floats(); err != nil {
		return nil, err
	}
	if x.Magnitude != nil {
		if t.magnitude, err = x.Magnitude.Floats(); err != nil {
			return nil, err
		}
	}
	if x.IsTable() {
		t.coefs, t.basis, t.cols = t.basis, transpose(t.coefs, x.Out, x.Rank), x.Out
	}
	scaleValues(t.coefs, float32(x.Scale)*scale)
	return t, nil
}

func transpose(v []float32, rows, cols int) []float32 {
	t := make([]float32, len(v))
	for r := range rows {
		for c := range cols {
			t[c*rows+r] = v[r*cols+c]
		}
	}
	return t
}

// add adds row r of the change, four rows of the basis at a time.
func (t *thin) add(row []float32, r int) {
	coefs := t.coefs[r*t.rank : (r+1)*t.rank]
	basis := t.basis
	for ; len(coefs) >= 4; coefs, basis = coefs[4:], basis[4*t.cols:] {
		n := len(row)
		c0, c1, c2, c3 := coefs[0], coefs[1], coefs[2], coefs[3]
		b0, b1, b2, b3 := basis[:n], basis[n:][:n], basis[2*n:][:n], basis[3*n:][:n]
		for i := range row {
			row[i] += float32(c0*b0[i]) + float32(c1*b1[i]) + float32(c2*b2[i]) + float32(c3*b3[i])
		}
	}
	for k, c := range coefs {
		b := basis[k*t.cols:][:len(row)]
		for i := range row {
			row[i] += float32(c * b[i])
		}
	}
}

// scaleTo scales row to a length.
func scaleTo(row []float32, length float32) {
	var sum float64
	for _, x := range row {
		sum += float64(x) * float64(x)
	}
	if sum > 0 {
		f := float64(length) / math.Sqrt(sum)
		for i, x := range row {
			row[i] = float32(float64(x) * f)
		}
	}
}

// newReplacement returns the change that puts a whole tensor in place, in rows of cols
// values.
func newReplacement(w lora.Whole, cols int) rowChange {
	load := sync.OnceValues(w.Value.Floats)
	return rowChange{w.Value.Rows * w.Value.Cols / cols, func(row []float32, r int) error {
		v, err := load()
		if err == nil {
			copy(row, v[r*cols:])
		}
		return err
	}}
}
