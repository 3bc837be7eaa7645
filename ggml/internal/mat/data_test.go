package mat

import (
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"mptgo/ggml/internal/act"
	"mptgo/ggml/internal/probe"
	"mptgo/gguf"
)

// matTypes are the types with kernels.
func matTypes() []gguf.Type {
	var types []gguf.Type
	for typ := range gguf.Type(len(floatTypes) + len(blockTypes)) {
		if Supported(typ) {
			types = append(types, typ)
		}
	}
	return types
}

// data says how wild the numbers of a test are.
type data struct{ probe.Data }

var plain, hostile, broken = data{probe.Plain}, data{probe.Hostile}, data{probe.Broken}

// weights returns a random matrix whose data ends where memory ends.
func (d data) weights(t testing.TB, r *rand.Rand, typ gguf.Type, rows, cols int) *Weights {
	row, err := typ.RowBytes(cols)
	if err != nil {
		t.Fatal(err)
	}
	w := &Weights{Type: typ, Rows: rows, Cols: cols, Data: probe.Bytes(t, rows*row)}
	_, size := typ.Block()
	for i := 0; i < len(w.Data); i += size {
		d.block(r, typ, w.Data[i:i+size])
	}
	return w
}

// block fills one block, or one value of a float type.
func (d data) block(r *rand.Rand, typ gguf.Type, b []byte) {
	switch typ {
	case gguf.F32:
		binary.LittleEndian.PutUint32(b, math.Float32bits(d.Float(r)))
	case gguf.F16:
		binary.LittleEndian.PutUint16(b, d.Half(r))
	case gguf.BF16:
		binary.LittleEndian.PutUint16(b, uint16(math.Float32bits(d.Float(r))>>16))
	default:
		d.Bytes(r, b)
		l, ok := layouts[typ]
		if !ok {
			panic(fmt.Sprintf("layouts lacks %v: it is made by _gen/kinds", typ))
		}
		// For sums to reach their bounds, smaller scales must be extreme while the codes
		// are, with another extreme.
		if l.small[1] > 0 {
			d.Bytes(r, b[l.small[0]:l.small[1]])
		}
		for _, at := range l.halves {
			binary.LittleEndian.PutUint16(b[at:], d.Half(r))
		}
		d.oddScale(r, typ, b)
	}
}

// oddScale sets the scale of types that have no binary16 field for it.
func (d data) oddScale(r *rand.Rand, typ gguf.Type, b []byte) {
	switch typ {
	case gguf.IQ1_M: // 4 bits in the upper halves of four words
		h := d.Half(r)
		for i := range 4 {
			b[49+2*i] = b[49+2*i]&15 | byte(h>>(4*i))<<4
		}
	case gguf.MXFP4:
		if d == plain {
			b[0] = byte(110 + r.IntN(30))
		}
	}
}

// acts returns random activations, quantised by the definition if their length
// allows.
func (d data) acts(t testing.TB, r *rand.Rand, n, k int) *act.Acts {
	a := &act.Acts{N: n, K: k, X: probe.Memory[float32](t, n*k)}
	for i := range a.X {
		a.X[i] = d.Float(r)
	}
	if d.Data >= probe.Hostile {
		d.extremes(r, a)
	}
	if k > 0 {
		fast := bestActs()
		a.PlaceLanes(probe.Bytes(t, act.LanesBytes(n, k)))
		for i := range n {
			fast.SortLanes(a, i)
		}
	}
	if k%act.BlockLen == 0 {
		a.Place(probe.Bytes(t, act.BlocksBytes(n, k)))
		for i := range n {
			act.Generic.QuantizeRow(a, i, n)
		}
	}
	return a
}

// extremes makes some blocks of one magnitude throughout, which makes every
// code 127 or -127, or 0.
func (d data) extremes(r *rand.Rand, a *act.Acts) {
	for i := 0; i+act.BlockLen <= len(a.X); i += act.BlockLen {
		if r.IntN(3) > 0 {
			continue
		}
		v := []float32{0, 1, -1, 1e-37, 1e-40, 4e30}[r.IntN(6)]
		flip := r.IntN(2) == 0
		for j := range act.BlockLen {
			if a.X[i+j] = v; flip && r.IntN(2) == 0 {
				a.X[i+j] = -v
			}
		}
	}
}

// bestActs returns the fastest kernels of activations to test.
func bestActs() *act.Kernels {
	levels := probe.Levels()
	k := act.For(levels[len(levels)-1])
	return &k
}
