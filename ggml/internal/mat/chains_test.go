package mat

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"mptgo/ggml/internal/probe"
	"mptgo/ggml/internal/scalar"
	"mptgo/gguf"
)

// chainCase is a matrix with activations and what to add to.
type chainCase struct {
	w       *Panels
	rows    [][]float32
	x, y    []float32
	n       int
	ldx     int
	ldy     int
	scratch Scratch
}

// chainTypes are those that panels may have.
var chainTypes = []gguf.Type{gguf.F32, gguf.F16, gguf.BF16}

// newChainCase returns a case whose panels have values of a type.
func newChainCase(t testing.TB, r *rand.Rand, f probe.Filler, typ gguf.Type, rows, cols, n int) *chainCase {
	c := &chainCase{w: NewPanels(rows, cols), n: n, ldx: cols + r.IntN(5), ldy: rows + r.IntN(5)}
	for i := range rows {
		row := make([]float32, cols)
		f.Fill(r, row)
		if typ != gguf.F32 {
			for i, v := range row {
				row[i] = widen(typ, narrow(typ, v))
			}
		}
		c.w.SetRow(i, row)
		c.rows = append(c.rows, row)
	}
	if typ == gguf.F32 {
		c.w.data = probe.Guarded(t, c.w.data)
	} else {
		c.w.pack(typ)
		c.w.halves = probe.Guarded(t, c.w.halves)
	}
	c.x = make([]float32, (n-1)*c.ldx+cols)
	c.y = make([]float32, (n-1)*c.ldy+rows)
	f.Fill(r, c.x)
	f.Fill(r, c.y)
	c.x = probe.Guarded(t, c.x)
	return c
}

// want returns y plus the products, by the words of the definition.
func (c *chainCase) want(r0, r1 int) []float32 {
	y := append([]float32(nil), c.y...)
	for i := range c.n {
		for r := r0; r < r1; r++ {
			y[i*c.ldy+r] = chain(c.rows[r], c.x[i*c.ldx:]) + y[i*c.ldy+r]
		}
	}
	return y
}

func chain(w, x []float32) (sum float32) {
	for c := range w {
		sum = scalar.FMA(w[c], x[c], sum)
	}
	return sum
}

func TestAddChains(t *testing.T) {
	for _, tier := range tested() {
		for _, f := range probe.Fillers {
			t.Run(tier.Name+"/"+f.Name, func(t *testing.T) {
				r := rand.New(rand.NewPCG(1, 2))
				for _, rows := range []int{1, 15, 16, 17, 48, 61} {
					for _, cols := range []int{1, 2, 3, 4, 5, 8, 16, 33} {
						for _, n := range []int{1, 2, 5, 6, 7, 13, 96, 97} {
							for _, typ := range chainTypes {
								testAddChains(t, r, tier, newChainCase(t, r, f, typ, rows, cols, n))
							}
						}
					}
				}
			})
		}
	}
}

func testAddChains(t *testing.T, r *rand.Rand, tier set, c *chainCase) {
	t.Helper()
	r0 := r.IntN(c.w.Strips()) * StripRows
	r1 := r0 + 1 + r.IntN(c.w.Rows-r0)
	got := probe.Guarded(t, c.y)
	c.scratch.poison()
	tier.AddChains(got, c.ldy, c.w, r0, r1, c.x, c.ldx, c.n, &c.scratch)
	if !probe.SameFloats(got, c.want(r0, r1)) {
		t.Fatalf("rows %d to %d of %d x %d, %d activations: other results", r0, r1, c.w.Rows, c.w.Cols, c.n)
	}
}

func TestSetChains(t *testing.T) {
	for _, tier := range tested() {
		for _, f := range probe.Fillers {
			t.Run(tier.Name+"/"+f.Name, func(t *testing.T) {
				r := rand.New(rand.NewPCG(3, 4))
				for _, typ := range chainTypes {
					for _, cols := range []int{1, 3, 4, 7, 40} {
						for _, n := range []int{1, 2, 6, 7, 25} {
							testSetChains(t, r, tier, newChainCase(t, r, f, typ, 21, cols, n))
						}
						testSetParts(t, r, tier, newChainCase(t, r, f, typ, 21, cols, 1))
					}
				}
			})
		}
	}
}

func testSetParts(t *testing.T, r *rand.Rand, tier set, c *chainCase) {
	t.Helper()
	const ldy = 2 * StripRows
	for part := 1; part < 10; part++ {
		c0 := r.IntN(c.w.Cols + 1)
		c1 := c0 + r.IntN(c.w.Cols+1-c0)
		strip := r.IntN(c.w.Strips())
		count := (c1 - c0 + part - 1) / part
		got := probe.Guarded(t, make([]float32, max(count*ldy-StripRows, 0)))
		tier.SetParts(got, ldy, c.w, strip, c0, c1, part, c.x)
		want := make([]float32, len(got))
		for j := range count {
			a, b := c0+j*part, min(c0+(j+1)*part, c1)
			definition.SetChains(want[j*ldy:], ldy, c.w, strip, a, b, c.x, c.ldx, 1)
		}
		if !probe.SameFloats(got, want) {
			t.Fatalf("columns %d to %d of %d in parts of %d: other results", c0, c1, c.w.Cols, part)
		}
	}
}

// TestCompact: values that 16 bits hold are kept in them, and stay as they are; all others too.
func TestCompact(t *testing.T) {
	tiny, huge := float32(0x1p-24), float32(0x1p100)
	negativeZero := math.Float32frombits(1 << 31)
	for _, c := range []struct {
		values []float32
		want   gguf.Type
	}{
		{[]float32{0, 1, -1.5, huge, negativeZero}, gguf.BF16},
		{[]float32{1 + 0x1p-10, tiny, -65504, negativeZero}, gguf.F16},
		{[]float32{1 + 0x1p-10, huge}, gguf.F32},
		{[]float32{1 + 0x1p-11}, gguf.F32},
		{[]float32{tiny / 2 * (1 + 0x1p-9)}, gguf.F32},
	} {
		p := NewPanels(1, len(c.values))
		p.SetRow(0, c.values)
		want, bytes := slices.Clone(p.Values()), p.Bytes()
		p.Compact()
		if p.typ != c.want || c.want != gguf.F32 && p.Bytes() != bytes/2 {
			t.Errorf("%v: %v, %d bytes of %d; want %v", c.values, p.typ, p.Bytes(), bytes, c.want)
		}
		for i, v := range p.Values() {
			if math.Float32bits(v) != math.Float32bits(want[i]) {
				t.Errorf("%v: %v for %v", c.values, v, want[i])
			}
		}
	}
}

func testSetChains(t *testing.T, r *rand.Rand, tier set, c *chainCase) {
	t.Helper()
	c0 := r.IntN(c.w.Cols + 1)
	c1 := c0 + r.IntN(c.w.Cols+1-c0)
	for strip := range c.w.Strips() {
		got := probe.Guarded(t, make([]float32, c.n*StripRows))
		tier.SetChains(got, StripRows, c.w, strip, c0, c1, c.x, c.ldx, c.n)
		want := make([]float32, c.n*StripRows)
		for i := range c.n {
			for k := range min(StripRows, c.w.Rows-strip*StripRows) {
				want[i*StripRows+k] = chain(c.rows[strip*StripRows+k][c0:c1], c.x[i*c.ldx+c0:])
			}
			for k := c.w.Rows - strip*StripRows; k < StripRows; k++ { // zeros, times what there is
				want[i*StripRows+k] = chain(make([]float32, c1-c0), c.x[i*c.ldx+c0:])
			}
		}
		if !probe.SameFloats(got, want) {
			t.Fatalf("columns %d to %d of %d, %d activations: other results", c0, c1, c.w.Cols, c.n)
		}
	}
}

func BenchmarkAddChains(b *testing.B) {
	tier := best()
	for _, n := range []int{1, 512} {
		b.Run(fmt.Sprintf("n=%d", n), func(b *testing.B) {
			const rows, rank = 2048, 16
			c := newChainCase(b, rand.New(rand.NewPCG(1, 1)), probe.Fillers[0], gguf.F32, rows, rank, n)
			b.SetBytes(rows * rank * int64(n))
			for b.Loop() {
				tier.AddChains(c.y, c.ldy, c.w, 0, rows, c.x, c.ldx, n, &c.scratch)
			}
		})
	}
}
