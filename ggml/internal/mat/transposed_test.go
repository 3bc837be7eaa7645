package mat

import (
	"math/rand/v2"
	"testing"

	"mptgo/ggml/internal/probe"
	"mptgo/ggml/internal/scalar"
	"mptgo/gguf"
)

// transposedCase is a matrix with gradients and what to add to.
type transposedCase struct {
	w        *Weights
	dx, dy   []float32
	n        int
	ldx, ldy int
}

func newTransposedCase(t testing.TB, r *rand.Rand, d data, typ gguf.Type, rows, cols, n int) *transposedCase {
	c := &transposedCase{w: d.weights(t, r, typ, rows, cols), n: n, ldx: cols + r.IntN(5), ldy: rows + r.IntN(5)}
	c.dx, c.dy = make([]float32, (n-1)*c.ldx+cols), make([]float32, (n-1)*c.ldy+rows)
	for i := range c.dx {
		c.dx[i] = d.Float(r)
	}
	for i := range c.dy {
		c.dy[i] = d.Float(r)
	}
	c.dy = probe.Guarded(t, c.dy)
	return c
}

// want returns dx for columns [c0, c1), by the words of the definition.
func (c *transposedCase) want(c0, c1 int) []float32 {
	rows := make([][]float32, c.w.Rows)
	p := product{w: *c.w, row: len(c.w.Data) / c.w.Rows, s: &Scratch{}}
	for r := range rows {
		rows[r] = make([]float32, c.w.Cols)
		p.decode(rows[r], r)
	}
	dx := append([]float32(nil), c.dx...)
	for i := range c.n {
		for col := c0; col < c1; col++ {
			for r0 := 0; r0 < c.w.Rows; r0 += 256 {
				var sum float32
				for r := r0; r < min(r0+256, c.w.Rows); r++ {
					sum = scalar.FMA(rows[r][col], c.dy[i*c.ldy+r], sum)
				}
				dx[i*c.ldx+col] += sum
			}
		}
	}
	return dx
}

// TestAddTransposed holds every tier to the definition: all types, heights around the end of a part,
// ranges of columns.
func TestAddTransposed(t *testing.T) {
	for _, typ := range matTypes() {
		t.Run(typ.String(), func(t *testing.T) {
			r := rand.New(rand.NewPCG(7, uint64(typ)))
			unit, _ := typ.Block()
			for _, rows := range []int{1, 15, 255, 256, 257, 530} {
				for _, cols := range []int{max(unit, 32), max(unit, 32) * 3} {
					if isFloat(typ) && rows < 300 {
						cols += 7
					}
					c := newTransposedCase(t, r, plain, typ, rows, cols, 1+r.IntN(8))
					c0 := r.IntN(cols/32+1) * 32 % cols
					c.check(t, typ, 0, cols)
					c.check(t, typ, c0, cols)
					c.check(t, typ, 0, max(32, c0))
				}
			}
			newTransposedCase(t, r, broken, typ, 300, max(unit, 32), 100).check(t, typ, 0, 32)
		})
	}
}

func (c *transposedCase) check(t *testing.T, typ gguf.Type, c0, c1 int) {
	t.Helper()
	want := c.want(c0, c1)
	for _, tier := range tested() {
		var s Scratch
		got := append([]float32(nil), c.dx...)
		tier.AddTransposed(got, c.ldx, c.w, c.dy, c.ldy, c.n, c0, c1, &s)
		for i := range got {
			if !probe.SameBits(got[i], want[i]) {
				t.Fatalf("%s: %v, %d x %d, %d rows, columns %d to %d: row %d, column %d is %v, want %v",
					tier.Name, typ, c.w.Rows, c.w.Cols, c.n, c0, c1, i/c.ldx, i%c.ldx, got[i], want[i])
			}
		}
	}
}

// TestSetColumn: columns and rows make the same panels.
func TestSetColumn(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for _, rows := range []int{1, 16, 37} {
		a, b := NewPanels(rows, 5), NewPanels(rows, 5)
		m := make([]float32, rows*5)
		for i := range m {
			m[i] = r.Float32()
		}
		for i := range rows {
			a.SetRow(i, m[i*5:(i+1)*5])
		}
		for c := range 5 {
			column := make([]float32, rows)
			for i := range column {
				column[i] = m[i*5+c]
			}
			b.SetColumn(c, column)
		}
		if !probe.SameFloats(a.Values(), b.Values()) {
			t.Errorf("%d rows: %v, want %v", rows, b.Values(), a.Values())
		}
	}
}
