package search

import (
	"math/bits"
	"mptgo/quantize/internal/num"
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

// fit looks for the points and the scale that fit x best.
func (s *GridSearch) fit(x, w []float32) (g gridGroup) {
	book := s.Book()
	f := gridValues{book: book, w: w, n: len(x) / book.dims}
	f.split(x, s.Even, &g.Signs)
	m := num.Largest(f.v[:len(x)])
	if m == 0 || m < s.Zero {
		g.Empty = true
		return g
	}
	g.scale = s.search(&f, &g.Index, m)
	if g.scale < 0 {
		g.scale = -g.scale
		for i := range g.Signs {
			g.Signs[i] = ^g.Signs[i]
		}
	}
	return g
}

// search finds the points and returns the scale for values up to m.
func (s *GridSearch) search(f *gridValues, index *[8]int16, m float32) (scale float32) {
	top := float32(2*f.book.top + 1)
	scale = m / top
	var best float32
	on := uint8(0xff) // bit k: point k was found on the grid
	for k := -s.Steps; k <= s.Steps; k++ {
		inv := (top + float32(float32(k)*s.Step)) / m
		try := *index
		all := f.find(&try, 0, inv, 1/inv)
		a, b := f.correlate(&try)
		if b > 0 && float32(a*a) > float32(best*b) {
			*index, on, scale = try, all, a/b
			best = scale * a
		}
	}
	if all := uint8(1<<f.n - 1); on&all == all || !(scale > 0) {
		return scale
	}
	if s.Again {
		on = 0
	}
	f.find(index, on, 1/scale, scale)
	if a, b := f.correlate(index); b > 0 {
		scale = a / b
	}
	return scale
}

// gridValues are the values of a group without their signs.
type gridValues struct {
	book    *gridIndex
	n       int         // points
	w       []float32   // weights
	v, root [32]float32 // magnitudes, square roots of weights
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

// find sets the points whose bit in skip is not set, and returns the bits of
// those that the values fell on.
func (f *gridValues) find(index *[8]int16, skip uint8, inv, scale float32) (on uint8) {
	for k := range f.n {
		if skip>>k&1 != 0 {
			continue
		}
		i := k * f.book.dims
		p, ok := f.book.find(f.v[i:], f.root[i:], inv, scale)
		index[k] = p
		if ok {
			on |= 1 << k
		}
	}
	return on
}

// correlate returns Σ w·v·q and Σ w·q·q for the coordinates q of the points.
func (f *gridValues) correlate(index *[8]int16) (a, b float32) {
	i := 0
	for _, p := range index[:f.n] {
		for _, g := range f.book.point(p) {
			q := float32(g)
			a += float32(float32(f.w[i]*f.v[i]) * q)
			b += float32(float32(f.w[i]*q) * q)
			i++
		}
	}
	return a, b
}

// FitBlock fits all groups of a block and returns them with the scale d of the
// block and the integer scales s of the groups, for which the scale of a group
// is about d·(2s+1). D is 0 if all values count as zero.
func (s *GridSearch) FitBlock(x, w []float32) (groups [16]gridGroup, d float32, ints [16]uint8) {
	n := len(x) / s.Group
	var most float32
	for j := range n {
		i, e := j*s.Group, (j+1)*s.Group
		groups[j] = s.fit(x[i:e], w[i:e])
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
