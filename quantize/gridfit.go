package quantize

import "math/bits"

// A gridSearch says how the groups of a codebook format are fitted.
type gridSearch struct {
	book  func() *gridIndex
	group int     // values that share a scale
	steps int     // scales to try on either side of the obvious one,
	step  float32 // this far apart
	zero  float32 // groups of values below it count as zero
	even  bool    // the number of negative values among eight is even
	again bool    // in the end all points are looked for again, not only those off the grid
	fudge float32 // what the scale of a block is multiplied by
}

// A gridGroup is a group of up to 32 values: x ≈ scale·(±point).
type gridGroup struct {
	scale float32
	index [8]int16
	signs [4]uint8 // of eight values each, the set bits are negative
	empty bool     // all values count as zero
}

// fit looks for the points and the scale that fit x best.
func (s *gridSearch) fit(x, w []float32) (g gridGroup) {
	book := s.book()
	f := gridValues{book: book, w: w, n: len(x) / book.dims}
	f.split(x, s.even, &g.signs)
	m := largest(f.v[:len(x)])
	if m == 0 || m < s.zero {
		g.empty = true
		return g
	}
	g.scale = s.search(&f, &g.index, m)
	if g.scale < 0 {
		g.scale = -g.scale
		for i := range g.signs {
			g.signs[i] = ^g.signs[i]
		}
	}
	return g
}

// search finds the points and returns the scale for values up to m.
func (s *gridSearch) search(f *gridValues, index *[8]int16, m float32) (scale float32) {
	top := float32(2*f.book.top + 1)
	scale = m / top
	var best float32
	on := uint8(0xff) // bit k: point k was found on the grid
	for k := -s.steps; k <= s.steps; k++ {
		inv := (top + float32(float32(k)*s.step)) / m
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
	if s.again {
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
		f.root[i] = sqrt(f.w[i])
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

// fitBlock fits all groups of a block and returns them with the scale d of the
// block and the integer scales s of the groups, for which the scale of a group
// is about d·(2s+1). D is 0 if all values count as zero.
func (s *gridSearch) fitBlock(x, w []float32) (groups [16]gridGroup, d float32, ints [16]uint8) {
	n := len(x) / s.group
	var most float32
	for j := range n {
		i, e := j*s.group, (j+1)*s.group
		groups[j] = s.fit(x[i:e], w[i:e])
		most = max(most, groups[j].scale)
	}
	if most == 0 {
		return groups, 0, ints
	}
	d = most / 31
	id := inverse(d)
	for j := range n {
		l := nearest(0.5 * (float32(id*groups[j].scale) - 1))
		ints[j] = uint8(clamp(l, 0, 15))
	}
	return groups, d * s.fudge, ints
}

// weighGrid sets the weights of a block; floor is what values that are zero
// weigh, in parts of the mean square, if the importance is not known.
func weighGrid(w, x, importance []float32, floor float32) {
	mean := 2 * sumSquares(x) / 256
	if importance != nil {
		weigh(w, x, importance, mean)
		return
	}
	for i, v := range x {
		w[i] = float32(floor*mean) + float32(v*v)
	}
}
