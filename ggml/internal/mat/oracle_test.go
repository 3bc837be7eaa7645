package mat

import (
	"math"
	"math/rand/v2"
	"testing"

	"mptgo/ggml/internal/act"
	"mptgo/ggml/internal/probe"
	"mptgo/ggml/internal/scalar"
	"mptgo/gguf"
	"mptgo/quantize"
)

// TestMatMulOracle holds the definition against sums in float64 over weights
// decoded by package quantize, within a bound that follows from the number of
// roundings.
func TestMatMulOracle(t *testing.T) {
	forModes(t, func(t *testing.T, c matCase) {
		r := rand.New(rand.NewPCG(7, uint64(c.typ)))
		var s Scratch
		for _, c.k = range []int{256, 1024, 4096} {
			c.n, c.rows, c.numbers = 3, 5, plain
			w, a := c.numbers.weights(t, r, c.typ, c.rows, c.k), c.numbers.acts(t, r, c.n, c.k)
			got := c.mul(t, definition, w, a, &s)
			for i, y := range got {
				row := decoded(t, w, i%c.rows)
				want, bound := c.oracle(w, row, i%c.rows, a, i/c.rows)
				if e := math.Abs(float64(y) - want); !(e <= bound) {
					t.Fatalf("%v: result %d is %v, want %v within %g", c, i, y, want, bound)
				}
			}
		}
	})
}

// decoded returns row r of w by the definition of its format.
func decoded(t *testing.T, w *Weights, r int) []float32 {
	row := make([]float32, w.Cols)
	size := len(w.Data) / w.Rows
	if err := quantize.DecodeRow(w.Type, row, w.Data[r*size:(r+1)*size]); err != nil {
		t.Fatal(err)
	}
	return row
}

// oracle returns the product of a decoded row, the r-th of w, with row i of a,
// and how far a kernel may be off: u = 2^-24 times the number of roundings that
// a term meets times the sum of the magnitudes of the terms. The roundings are,
// at most,
//
//   - for floats one for each of k/16 products of a lane and four in the fold,
//   - for blocks two in the decoding, three in the kernel's scales and two for
//     each of k/32 blocks.
//
// A term of a block is d·q·x or m·x, so with w = d·q+m both together are at most
// (|w|+2|m|)·|x|. One percent is for products of such errors.
func (c matCase) oracle(w *Weights, row []float32, r int, a *act.Acts, i int) (sum, bound float64) {
	var magnitude float64
	quantised := isBlock(c.typ) && !c.exact
	for k, v := range row {
		x, size := float64(a.X[i*a.K+k]), math.Abs(float64(v))
		if quantised {
			b := &a.Row(i)[k/act.BlockLen]
			x = float64(b.D) * float64(b.Q[k%act.BlockLen])
			size += 2 * math.Abs(minimum(w, r, k))
		}
		sum += float64(v) * x
		magnitude += size * math.Abs(x)
	}
	roundings := len(row)/scalar.Lanes + 4
	if quantised {
		roundings = 2*len(row)/act.BlockLen + 5
	}
	return sum, 1.01 * float64(roundings) / (1 << 24) * magnitude
}

// minimum returns the minimum that column k of row r has, 0 if the type has
// none.
func minimum(w *Weights, r, k int) float64 {
	t := blockTypes[w.Type]
	if !t.min {
		return 0
	}
	var u unpacked
	size := len(w.Data) / w.Rows
	t.unpack(&u, w.Data[r*size:(r+1)*size], k/32)
	return float64(u.m) * float64(u.z[k%32/16])
}

// TestDecode checks that exact mode sees the values that the formats define.
func TestDecode(t *testing.T) {
	for _, typ := range matTypes() {
		t.Run("type="+typ.String(), func(t *testing.T) {
			r := rand.New(rand.NewPCG(8, uint64(typ)))
			for _, d := range []data{plain, hostile, broken} {
				w := d.weights(t, r, typ, 1, 2048)
				var s Scratch
				p := product{w: *w, row: len(w.Data), s: &s}
				got := make([]float32, w.Cols)
				p.decode(got, 0)
				for i, want := range decoded(t, w, 0) {
					if !probe.SameBits(got[i], want) {
						t.Fatalf("value %d is %v, want %v", i, got[i], want)
					}
				}
			}
		})
	}
}

// TestLayouts checks that the generators know the types as package gguf does.
func TestLayouts(t *testing.T) {
	for _, typ := range matTypes() {
		values, size := typ.Block()
		l, ok := layouts[typ]
		if isBlock(typ) != ok || ok && (l.values != values || l.size != size) {
			t.Errorf("%v: the generators have %+v, gguf %d values in %d bytes", typ, l, values, size)
		}
		for _, at := range append([]int{l.small[1] - 2}, l.halves...) {
			if ok && at+2 > size {
				t.Errorf("%v: %d is outside of a block", typ, at)
			}
		}
	}
}

// TestTypesHaveGeometry checks that the tables agree with package gguf on which
// types have blocks.
func TestTypesHaveGeometry(t *testing.T) {
	for _, typ := range matTypes() {
		values, _ := typ.Block()
		if isBlock(typ) != (values > 1) || isBlock(typ) && values%act.BlockLen != 0 {
			t.Errorf("%v has blocks of %d values", typ, values)
		}
		if isBlock(typ) && isFloat(typ) {
			t.Errorf("%v is in both tables", typ)
		}
	}
	if Supported(gguf.Q8_1) || Supported(gguf.Type(1<<31)) {
		t.Error("a type without kernels is supported")
	}
}
