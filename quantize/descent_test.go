package quantize

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// TestGridLevels: code finds the level that is nearest to a value by rounding to an integer, or
// in the table. Other levels, such as halves of odd numbers, would be missed without an error.
func TestGridLevels(t *testing.T) {
	for _, f := range Formats() {
		if f.grid == nil {
			continue
		}
		want := nonLinear
		if !f.grid.table {
			least := int(f.grid.levels[0])
			want = integers(least, least+len(f.grid.levels)-1)
		}
		if !slices.Equal(f.grid.levels, want) {
			t.Errorf("%v: levels %v of its grid, want %v", f.Type, f.grid.levels, want)
		}
	}
}

// blockCost returns what an error of a block costs: eᵀ·S·e.
func (d *descent) blockCost(v []float32) (sum float64) {
	for i := range d.z {
		for l, s := range d.costRow(i) {
			sum += float64(s) * float64(d.z[i]-v[i]) * float64(d.z[l]-v[l])
		}
	}
	return sum
}

// TestDescent: the values that a descent ends at are, bit by bit, those that its block
// decodes to; no step of one code pays any more; and every stage makes the cost less
// than the one before, on average over blocks.
func TestDescent(t *testing.T) {
	const cols = 256
	products, _ := correlated(cols)
	for _, format := range Formats() {
		if format.grid == nil {
			continue
		}
		n, size := format.Type.Block()
		q := newQuad(feedback(t, format.Type, products, cols), format.grid)
		q.rows = 1
		d := &q.row[0]
		r := rand.New(rand.NewPCG(11, 12))
		b, v := make([]byte, size), make([]float32, n)
		var plain, rounded, stepped, refitted float64
		for k := range 24 {
			at := k % (cols / n) * n
			for i := range d.z {
				d.z[i] = float32(r.NormFloat64())
			}
			q.at, d.at = at, at
			d.start(format, b)
			format.Decode(v, b)
			plain += d.blockCost(v)
			d.open(b)
			q.round()
			rounded += d.blockCost(d.v)
			q.differentiate()
			q.descend()
			stepped += d.blockCost(d.v)

			q.encode(format, b, size)
			refitted += d.blockCost(d.v)
			checkDerivative(t, format, q)
			if format.Decode(v, b); !slices.Equal(v, d.v) {
				t.Fatalf("%v: block %d decodes to other values", format.Type, k)
			}
			for i := range d.z {
				if d.step(i) {
					t.Errorf("%v: block %d: value %d: another step pays", format.Type, k, i)
				}
			}
		}
		checkRefitGroup(t, format, q)
		t.Logf("%v: %.3f after rounding, %.3f after steps, %.3f with scales fitted again", format.Type, rounded/plain, stepped/plain, refitted/plain)
		if !(rounded < plain && stepped < rounded && refitted < stepped) {
			t.Errorf("%v: costs %v, %v, %v, %v", format.Type, plain, rounded, stepped, refitted)
		}
	}
}

// checkDerivative: after all changes, g is the cost's matrix times z-v.
func checkDerivative(t *testing.T, format *Format, q *quad) {
	t.Helper()
	d := &q.row[0]
	for i, g := range d.g {
		want, size := 0., 0.
		for l, s := range d.costRow(i) {
			p := float64(s) * float64(d.z[l]-d.v[l])
			want, size = want+p, size+math.Abs(p)
		}
		if math.Abs(float64(g)-want) > 1e-4*size {
			t.Fatalf("%v: value %d: g is %v, want %v", format.Type, i, g, want)
		}
	}
}

// checkRefitGroup: a scale that was made worse is found again.
func checkRefitGroup(t *testing.T, format *Format, q *quad) {
	t.Helper()
	d, n := &q.row[0], q.grid.group
	if format.grid.minScale == format.grid.maxScale {
		return
	}
	for j := range q.n / n {
		before := d.blockCost(d.v)
		d.k.s[j]++
		if d.k.s[j] > d.grid.maxScale {
			d.k.s[j] -= 2
		}
		d.recompute(j, q.a[:])
		q.differentiate()
		worse := d.blockCost(d.v)
		q.refitGroup(j)
		if after := d.blockCost(d.v); worse > before && after > before*1.0001 {
			t.Errorf("%v: group %d: cost %v, %v with another scale, %v with the scale fitted again", format.Type, j, before, worse, after)
		}
	}
}
