package kernel

import (
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

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

// halfFields says where the binary16 numbers of a block lie.
var halfFields = map[gguf.Type][]int{
	gguf.Q4_0:    {0},
	gguf.Q4_1:    {0, 2},
	gguf.Q5_0:    {0},
	gguf.Q5_1:    {0, 2},
	gguf.Q8_0:    {0},
	gguf.Q2_K:    {80, 82},
	gguf.Q3_K:    {108},
	gguf.Q4_K:    {0, 2},
	gguf.Q5_K:    {0, 2},
	gguf.Q6_K:    {208},
	gguf.IQ2_XXS: {0},
	gguf.IQ2_XS:  {0},
	gguf.IQ3_XXS: {0},
	gguf.IQ1_S:   {0},
	gguf.IQ4_NL:  {0},
	gguf.IQ3_S:   {0},
	gguf.IQ2_S:   {0},
	gguf.IQ4_XS:  {0},
	gguf.IQ1_M:   nil, // in pieces
	gguf.TQ1_0:   {52},
	gguf.TQ2_0:   {64},
	gguf.MXFP4:   nil, // a power of two instead
}

// smallScales says where smaller scales lie, from and to: for sums to reach their
// bounds, these must be extreme while the codes are, with another extreme.
var smallScales = map[gguf.Type][2]int{
	gguf.Q2_K:   {0, 16},
	gguf.Q3_K:   {96, 108},
	gguf.Q4_K:   {4, 16},
	gguf.Q5_K:   {4, 16},
	gguf.Q6_K:   {192, 208},
	gguf.IQ4_XS: {2, 8},
	gguf.IQ3_S:  {106, 110},
	gguf.IQ2_XS: {66, 74},
	gguf.IQ2_S:  {74, 82},
	gguf.IQ1_S:  {34, 50},
	gguf.IQ1_M:  {48, 56},
}

// data says how wild the numbers of a test are.
type data int

const (
	plain   data = iota // of ordinary size
	hostile             // denormals, both zeros, the largest
	broken              // and some infinities and NaNs
)

var hostileHalves = []uint16{
	0x0000, 0x8000, 0x0001, 0x8001, 0x03ff, 0x83ff, 0x0400, 0x7bff, 0xfbff, 0x3c00, 0xbc00, 0x1234,
}

var brokenHalves = []uint16{0x7c00, 0xfc00, 0x7e00, 0xffff, 0x7c01}

// half returns a random binary16 number.
func (d data) half(r *rand.Rand) uint16 {
	switch {
	case d == broken && r.IntN(50) == 0:
		return brokenHalves[r.IntN(len(brokenHalves))]
	case d >= hostile && r.IntN(2) == 0:
		return hostileHalves[r.IntN(len(hostileHalves))]
	}
	return uint16(r.IntN(1<<10)|(8+r.IntN(8))<<10) | uint16(r.IntN(2))<<15
}

// float returns a random float32, the same on every architecture.
func (d data) float(r *rand.Rand) float32 {
	switch {
	case d == broken && r.IntN(400) == 0:
		return []float32{float32(math.Inf(1)), float32(math.Inf(-1)), float32(math.NaN())}[r.IntN(3)]
	case d >= hostile && r.IntN(3) == 0:
		h := []float32{0, float32(math.Copysign(0, -1)), 1e-45, -1e-45, 1e-38, 3e-39, -2e-20, 1e18, -1e18, 3e37}
		return h[r.IntN(len(h))]
	}
	return float32(int32(r.Uint32())) / (1 << 30)
}

// weights returns a random matrix whose data ends where memory ends.
func (d data) weights(t testing.TB, r *rand.Rand, typ gguf.Type, rows, cols int) *Weights {
	row, err := typ.RowBytes(cols)
	if err != nil {
		t.Fatal(err)
	}
	w := &Weights{Type: typ, Rows: rows, Cols: cols, Data: matGuarded(t, rows*row)}
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
		binary.LittleEndian.PutUint32(b, math.Float32bits(d.float(r)))
	case gguf.F16:
		binary.LittleEndian.PutUint16(b, d.half(r))
	case gguf.BF16:
		binary.LittleEndian.PutUint16(b, uint16(math.Float32bits(d.float(r))>>16))
	default:
		d.bytes(r, b)
		if at, ok := smallScales[typ]; ok {
			d.bytes(r, b[at[0]:at[1]])
		}
		fields, ok := halfFields[typ]
		if !ok {
			panic(fmt.Sprintf("halfFields lacks %v", typ))
		}
		for _, at := range fields {
			binary.LittleEndian.PutUint16(b[at:], d.half(r))
		}
		d.oddScale(r, typ, b)
	}
}

// oddScale sets the scale of types that have no binary16 field for it.
func (d data) oddScale(r *rand.Rand, typ gguf.Type, b []byte) {
	switch typ {
	case gguf.IQ1_M: // 4 bits in the upper halves of four words
		h := d.half(r)
		for i := range 4 {
			b[49+2*i] = b[49+2*i]&15 | byte(h>>(4*i))<<4
		}
	case gguf.MXFP4:
		if d == plain {
			b[0] = byte(110 + r.IntN(30))
		}
	}
}

// bytes fills b with random bytes, or with extremes: for the sums over a block
// to reach their bounds all codes must.
func (d data) bytes(r *rand.Rand, b []byte) {
	extreme := func() byte { return []byte{0x00, 0xff, 0x80, 0x7f}[r.IntN(4)] }
	all := extreme()
	same := d >= hostile && r.IntN(3) == 0
	for i := range b {
		switch {
		case same:
			b[i] = all
		case d >= hostile && r.IntN(4) == 0:
			b[i] = extreme()
		default:
			b[i] = byte(r.Uint32())
		}
	}
}

// acts returns random activations, quantised by the definition if their length
// allows.
func (d data) acts(t testing.TB, r *rand.Rand, n, k int) *Acts {
	a := &Acts{N: n, K: k, X: matGuardedFloats(t, n*k)}
	for i := range a.X {
		a.X[i] = d.float(r)
	}
	if d >= hostile {
		d.extremes(r, a)
	}
	if k > 0 {
		a.PlaceLanes(matGuarded(t, LanesBytes(n, k)))
		for i := range n {
			Best().SortLanes(a, i)
		}
	}
	if k%actBlockLen == 0 {
		a.Place(matGuarded(t, ActsBytes(n, k)))
		for i := range n {
			Generic().QuantizeRow(a, i)
		}
	}
	return a
}

// extremes makes some blocks of one magnitude throughout, which makes every
// code 127 or -127, or 0.
func (d data) extremes(r *rand.Rand, a *Acts) {
	for i := 0; i+actBlockLen <= len(a.X); i += actBlockLen {
		if r.IntN(3) > 0 {
			continue
		}
		v := []float32{0, 1, -1, 1e-37, 1e-40, 4e30}[r.IntN(6)]
		flip := r.IntN(2) == 0
		for j := range actBlockLen {
			if a.X[i+j] = v; flip && r.IntN(2) == 0 {
				a.X[i+j] = -v
			}
		}
	}
}

func matGuardedFloats(t testing.TB, n int) []float32 {
	return floatsOf(matGuarded(t, 4*n))
}
