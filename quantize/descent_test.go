package quantize

import (
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
		d := descent{f: feedback(t, format.Type, products, cols), grid: format.grid, z: make([]float32, n)}
		r := rand.New(rand.NewPCG(11, 12))
		b, v := make([]byte, size), make([]float32, n)
		var plain, rounded, stepped, refitted float64
		for k := range 24 {
			at := k % (cols / n) * n
			for i := range d.z {
				d.z[i] = float32(r.NormFloat64())
			}
			d.at = at
			d.start(format, b)
			format.Decode(v, b)
			plain += d.blockCost(v)
			format.grid.open(&d.k, b)
			for j := range d.k.s {
				if format.grid.minScale == format.grid.maxScale {
					d.k.s[j], d.k.m[j] = 1, format.grid.minOffset
				}
			}
			d.round()
			rounded += d.blockCost(d.v[:n])
			d.differentiate()
			d.descend()
			stepped += d.blockCost(d.v[:n])

			d.block(format, b, at)
			refitted += d.blockCost(d.v[:n])
			if format.Decode(v, b); !slices.Equal(v, d.v[:n]) {
				t.Fatalf("%v: block %d decodes to other values", format.Type, k)
			}
			for i := range d.z {
				if d.step(i) {
					t.Errorf("%v: block %d: value %d: another step pays", format.Type, k, i)
				}
			}
		}
		checkRefitGroup(t, format, &d)
		t.Logf("%v: %.3f after rounding, %.3f after steps, %.3f with scales fitted again", format.Type, rounded/plain, stepped/plain, refitted/plain)
		if !(rounded < plain && stepped < rounded && refitted < stepped) {
			t.Errorf("%v: costs %v, %v, %v, %v", format.Type, plain, rounded, stepped, refitted)
		}
	}
}

// checkRefitGroup: a scale that was made worse is found again.
func checkRefitGroup(t *testing.T, format *Format, d *descent) {
	t.Helper()
	if format.grid.minScale == format.grid.maxScale {
		return
	}
	for j := range len(d.z) / d.grid.group {
		before := d.blockCost(d.v[:len(d.z)])
		d.k.s[j]++
		if d.k.s[j] > d.grid.maxScale {
			d.k.s[j] -= 2
		}
		d.recompute(j)
		worse := d.blockCost(d.v[:len(d.z)])
		d.refitGroup(j)
		if after := d.blockCost(d.v[:len(d.z)]); worse > before && after > before*1.0001 {
			t.Errorf("%v: group %d: cost %v, %v with another scale, %v with the scale fitted again", format.Type, j, before, worse, after)
		}
	}
}
