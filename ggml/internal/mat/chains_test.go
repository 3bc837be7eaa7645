package mat

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"mptgo/ggml/internal/probe"
	"mptgo/ggml/internal/scalar"
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

func newChainCase(t testing.TB, r *rand.Rand, f probe.Filler, rows, cols, n int) *chainCase {
	c := &chainCase{w: NewPanels(rows, cols), n: n, ldx: cols + r.IntN(5), ldy: rows + r.IntN(5)}
	c.w.data = probe.Guarded(t, c.w.data)
	for i := range rows {
		row := make([]float32, cols)
		f.Fill(r, row)
		c.w.SetRow(i, row)
		c.rows = append(c.rows, row)
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
							testAddChains(t, r, tier, newChainCase(t, r, f, rows, cols, n))
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
				for _, cols := range []int{1, 3, 4, 7, 40} {
					for _, n := range []int{1, 2, 6, 7, 25} {
						testSetChains(t, r, tier, newChainCase(t, r, f, 21, cols, n))
					}
				}
			})
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
			c := newChainCase(b, rand.New(rand.NewPCG(1, 1)), probe.Fillers[0], rows, rank, n)
			b.SetBytes(rows * rank * int64(n))
			for b.Loop() {
				tier.AddChains(c.y, c.ldy, c.w, 0, rows, c.x, c.ldx, n, &c.scratch)
			}
		})
	}
}
