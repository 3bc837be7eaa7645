package search

import (
	"math/bits"

	"mptgo/quantize/internal/num"
	"mptgo/quantize/internal/vec"
)

// A GridSearch says how the groups of a codebook format are fitted.
type GridSearch struct {
	Book  func() *gridIndex
	Group int     // values that share a scale
	Steps int     // scales to try on either side of the obvious one,
	Step  float32 // this far apart
	Zero  float32 // groups of values below it count as zero
	Even  bool    // the number of negative values among eight is even
	Again bool    // in the end all points are looked for again, not only those off the grid
	Fudge float32 // what the scale of a block is multiplied by
}

// A gridGroup is a group of up to 32 values: x ≈ scale·(±point).
type gridGroup struct {
	scale float32
	Index [8]int16
	Signs [4]uint8 // of eight values each, the set bits are negative
	Empty bool     // all values count as zero
}

// fit looks for the points and the scale that fit x best. T is for the scales that it tries.
func (s *GridSearch) fit(t *gridTries, x, w []float32) (g gridGroup) {
	book := s.Book()
	f := gridValues{book: book, w: w, n: len(x) / book.Dims}
	f.split(x, s.Even, &g.Signs)
	m := num.Largest(f.v[:len(x)])
	if m == 0 || m < s.Zero {
		g.Empty = true
		return g
	}
	g.scale = s.search(t, &f, &g.Index, m)
	if g.scale < 0 {
		g.scale = -g.scale
		for i := range g.Signs {
			g.Signs[i] = ^g.Signs[i]
		}
	}
	return g
}

// search finds the points and returns the scale for values up to m.
func (s *GridSearch) search(t *gridTries, f *gridValues, index *[8]int16, m float32) (scale float32) {
	top := float32(2*f.book.Top + 1)
	scale = m / top
	t.n = 2*s.Steps + 1
	for i := range t.n {
		t.inv[i] = (top + float32(float32(i-s.Steps)*s.Step)) / m
		t.scale[i] = 1 / t.inv[i]
	}
	f.find(t)
	f.correlate(t)
	best, k := float32(0), -1
	for i, a := range t.a[:t.n] {
		if b := t.b[i]; b > 0 && float32(a*a) > float32(best*b) {
			k, scale = i, a/b
			best = scale * a
		}
	}
	if k < 0 {
		return scale
	}
	points, on := t.result(k, f.n)
	if on != 1<<f.n-1 && scale > 0 {
		if s.Again {
			on = 0
		}
		scale = f.refit(t, points[:f.n], on, scale)
	}
	for i, p := range points[:f.n] {
		index[i] = f.book.index[p]
	}
	return scale
}

// gridTries are scales that are tried for a group, and what is found with them.
type gridTries struct {
	n          int // of scales
	inv, scale vec.LatticeScales
	at, points vec.LatticePlaces // what values are rounded to, and the points near it
	a, b       vec.LatticeScales // Σ w·v·q and Σ w·q·q for the coordinates q of points
}

// result returns the n points found with scale k, and the bits of those that the values fell on.
func (t *gridTries) result(k, n int) (points [8]uint32, on int) {
	for i := range n {
		points[i] = t.points[i][k]
		if points[i] == t.at[i][k] { // only points are found where they are
			on |= 1 << i
		}
	}
	return points, on
}

// gridValues are the values of a group without their signs.
type gridValues struct {
	book    *gridIndex
	n       int         // points
	w       []float32   // weights
	v, root [32]float32 // magnitudes, square roots of weights
}

// find finds points with all scales of t.
func (f *gridValues) find(t *gridTries) {
	v, root := f.v[:len(f.w)], f.root[:len(f.w)]
	f.book.Places(&t.at, v, &t.inv, t.n)
	f.book.Nearest(&t.points, &t.at, v, root, &t.scale, t.n)
}

// correlate sets the sums of t.
func (f *gridValues) correlate(t *gridTries) {
	f.book.Correlate(&t.a, &t.b, f.v[:len(f.w)], f.w, &t.points, t.n)
}

// refit finds the points whose bit in keep is not set for another scale, and returns the scale
// that fits all points best.
func (f *gridValues) refit(t *gridTries, points []uint32, keep int, scale float32) float32 {
	t.n, t.inv[0], t.scale[0] = 1, 1/scale, scale
	f.find(t)
	for i := range points {
		if keep>>i&1 != 0 {
			t.points[i][0] = points[i]
		}
		points[i] = t.points[i][0]
	}
	f.correlate(t)
	if a, b := t.a[0], t.b[0]; b > 0 {
		return a / b
	}
	return scale
}

// split separates magnitudes and signs. To make the number of signs among eight
// values even, it gives the one that matters least the wrong sign.
func (f *gridValues) split(x []float32, even bool, signs *[4]uint8) {
	for i, v := range x {
		f.root[i] = num.Sqrt(f.w[i])
		f.v[i] = v
		if v < 0 {
			f.v[i] = -v
			signs[i/8] |= 1 << (i % 8)
		}
	}
	if !even {
		return
	}
	for i := 0; i < len(x); i += 8 {
		if bits.OnesCount8(signs[i/8])%2 == 0 {
			continue
		}
		least, cost := 0, float32(0)
		for k, v := range x[i : i+8] {
			if c := float32(float32(f.w[i+k]*v) * v); k == 0 || c < cost {
				least, cost = k, c
			}
		}
		f.v[i+least] = -f.v[i+least]
		signs[i/8] ^= 1 << least
	}
}

// FitBlock fits all groups of a block and returns them with the scale d of the
// block and the integer scales s of the groups, for which the scale of a group
// is about d·(2s+1). D is 0 if all values count as zero.
func (s *GridSearch) FitBlock(x, w []float32) (groups [16]gridGroup, d float32, ints [16]uint8) {
	n := len(x) / s.Group
	var most float32
	var t gridTries
	for j := range n {
		i, e := j*s.Group, (j+1)*s.Group
		groups[j] = s.fit(&t, x[i:e], w[i:e])
		most = max(most, groups[j].scale)
	}
	if most == 0 {
		return groups, 0, ints
	}
	d = most / 31
	id := num.Inverse(d)
	for j := range n {
		l := num.Nearest(0.5 * (float32(id*groups[j].scale) - 1))
		ints[j] = uint8(num.Clamp(l, 0, 15))
	}
	return groups, d * s.Fudge, ints
}
