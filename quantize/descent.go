package quantize

import (
	"mptgo/internal/codebook"
	"mptgo/quantize/internal/num"
	"mptgo/quantize/internal/search"
	"mptgo/quantize/internal/vec"
)

// A descent improves the codes and scales of a block of a row with a [Feedback]: from
// those that a search for the block by itself has found, step by step, as long as
// what the error of the block costs becomes less. It is one of a [quad].
type descent struct {
	f    *Feedback
	grid *grid
	at   int       // the block's first column
	z    []float32 // what its values had best be
	v, g []float32 // the values, and the cost's matrix times z-v

	k         gridBlock
	still     [256]float32 // a value is left as it is if g is no larger than that
	reference [256]byte    // the block that the reference makes
}

// A grid is the form of the blocks of a type with scales: a value of group j is
// d·s[j]·T(code) - dmin·m[j].
type grid struct {
	group  int       // values in a group
	levels []float32 // T: integers one after another, or
	table  bool      // the entries of [codebook.NonLinear]

	minScale, maxScale   int32 // of s; both are 1 if there is only d
	minOffset, maxOffset int32 // of m; both are 1 if there is only dmin, 0 if there is none

	open  func(k *gridBlock, b []byte)
	close func(b []byte, k *gridBlock)
}

// A gridBlock is what a block of a grid holds.
type gridBlock struct {
	d, dmin float32
	s, m    [16]int32
	codes   [256]uint8
}

// integers returns the levels from..to.
func integers(from, to int) []float32 {
	var x []float32
	for i := from; i <= to; i++ {
		x = append(x, float32(i))
	}
	return x
}

// nonLinear are the levels of the types with that table.
var nonLinear = func() (x []float32) {
	for _, v := range codebook.NonLinear {
		x = append(x, float32(v))
	}
	return x
}()

// gap returns the least that two levels are apart.
func (g *grid) gap() float32 {
	if !g.table {
		return 1
	}
	least := g.levels[1] - g.levels[0]
	for i, l := range g.levels[1:] {
		least = min(least, l-g.levels[i])
	}
	return least
}

func (k *gridBlock) scale(j int) float32  { return float32(k.d * float32(k.s[j])) }
func (k *gridBlock) offset(j int) float32 { return -float32(k.dmin * float32(k.m[j])) }

// start encodes the block by itself. An error of a value weighs what it costs if values
// after it make it good, or by itself where they will not.
func (d *descent) start(f *Format, b []byte) {
	w := d.f.weights[d.at : d.at+len(d.z)]
	if d.grid == nil {
		w = d.f.diagonal[d.at : d.at+len(d.z)]
	}
	if f.better == nil {
		f.Encode(b, d.z, w)
		return
	}
	f.better(b, d.z, w)
	if f.agree != nil && f.agree(d.z) {
		return
	}
	reference := d.reference[:len(b)]
	f.Encode(reference, d.z, w)
	if f.bad(reference) < 0 && (f.bad(b) >= 0 || d.error(f, reference, w) < d.error(f, b, w)) {
		copy(b, reference)
	}
}

// open reads the block that start has made.
func (d *descent) open(b []byte) {
	for j := range d.k.s {
		d.k.s[j], d.k.m[j] = d.grid.minScale, d.grid.minOffset
	}
	d.grid.open(&d.k, b)
}

// error returns what the errors of a block cost with weights for them.
func (d *descent) error(f *Format, b []byte, w []float32) (sum float64) {
	v := d.g
	f.Decode(v, b)
	for i, z := range d.z {
		e := float64(v[i]) - float64(z)
		sum += float64(float64(w[i]) * float64(e*e))
	}
	return sum
}

// round sets code i to what is best after those before it, of which owed comes, and returns the
// error that is left.
func (d *descent) round(i int, owed float32) float32 {
	j := i / d.grid.group
	c := d.code(d.z[i]+float32(owed*d.f.inverse[d.at+i]), d.k.scale(j), d.k.offset(j))
	d.k.codes[i], d.v[i] = c, d.value(j, c)
	return d.z[i] - d.v[i]
}

// code returns the code whose value a·T(code)+b is nearest to x.
func (d *descent) code(x, a, b float32) uint8 {
	inv := num.Inverse(a)
	if d.grid.table {
		return search.NonLinearCode(float32(inv * x))
	}
	zero := int32(d.grid.levels[0])
	return uint8(num.Clamp(num.Nearest(float32((x-b)*inv)), zero, zero+int32(len(d.grid.levels))-1) - zero)
}

// value returns the value that a code in group j stands for.
func (d *descent) value(j int, code uint8) float32 {
	return float32(d.k.scale(j)*d.grid.levels[code]) + d.k.offset(j)
}

// costRow returns row i of the matrix of the block's cost.
func (d *descent) costRow(i int) []float32 {
	return d.f.cost[(d.at+i)*d.f.block:][:d.f.block]
}

// descend changes codes by one as long as that pays.
func (d *descent) descend() {
	d.setStill()
	for range descents {
		changed := false
		for i, still := range d.still[:len(d.z)] {
			if g := d.g[i]; g <= still && -g <= still {
				continue
			}
			for d.step(i) {
				changed = true
			}
		}
		if !changed {
			return
		}
	}
}

// setStill sets up to which g no step of a value can pay. The cost changes by dv²S[i][i] - 2·dv·g,
// with dv no smaller than the smallest step: that is less than 0 from half of dv·S[i][i] on. A little
// less is set, for dv is rounded.
func (d *descent) setStill() {
	gap := d.grid.gap()
	for i, s := range d.f.diagonal[d.at:][:len(d.z)] {
		dv := float32(d.k.scale(i/d.grid.group) * gap)
		if dv < 0 {
			dv = -dv
		}
		d.still[i] = 0.49 * float32(dv*s)
	}
}

// descents is how often descend goes over the codes at most.
const descents = 8

// step changes code i by one if that pays.
func (d *descent) step(i int) bool {
	j, c := i/d.grid.group, int(d.k.codes[i])
	if (d.g[i] > 0) == (d.k.scale(j) > 0) {
		c++
	} else {
		c--
	}
	if c < 0 || c >= len(d.grid.levels) {
		return false
	}
	v := d.value(j, uint8(c))
	dv := v - d.v[i]
	// The cost of (z-v)ᵀS(z-v) changes by dv²S[i][i] - 2·dv·g[i].
	if !(float32(dv*dv)*d.costRow(i)[i] < 0.9999*float32(2*dv*d.g[i])) {
		return false
	}
	d.k.codes[i], d.v[i] = uint8(c), v
	vec.AddScaled(d.g, -dv, d.costRow(i))
	return true
}
