package vec

import "mptgo/quantize/internal/num"

// A Lattice has points whose coordinates are odd numbers, 2l+1 for l from 0 to Top. A place is a
// vector of such numbers, whether there is a point or not; it is packed into a number of Width
// bits of l for each of Dims coordinates. There are two kinds: four coordinates of three bits, and
// eight of two.
type Lattice struct {
	Dims, Width int
	Top         int32
	Lists       []uint32 // of places, see [Lattice.List]
	Near        []uint16 // points
}

// Eight is the number of points that lists are a multiple of.
const Eight = 8

// List returns the points near a place in the order of their rank: of those at the same distance
// the first one counts. It is empty if the place is a point. To be a multiple of eight, a list
// repeats points that are already there.
//
// The number in Lists says where the list begins, in eights, times 256, and how many eights it has.
func (l *Lattice) List(place uint32) []uint16 {
	n := l.Lists[place]
	at := n >> 8 * Eight
	return l.Near[at:][:n&255*Eight]
}

// LatticeTries is how many scales can be tried at the same time.
const LatticeTries = 32

// LatticeScales has a number for each scale that is tried.
type LatticeScales [LatticeTries]float32

// LatticePlaces has places for the up to eight vectors of a group, for each scale that is tried.
type LatticePlaces [8][LatticeTries]uint32

// Places sets at to the places that the vectors v, one after the other, are rounded to with each
// of the first n inverse scales. What at has for other scales means nothing.
func (l *Lattice) Places(at *LatticePlaces, v []float32, inv *LatticeScales, n int) {
	if placesFast(l, at, v, inv, n) {
		return
	}
	for k := range len(v) / l.Dims {
		x := v[k*l.Dims:][:l.Dims]
		for t, scale := range inv[:n] {
			at[k][t] = l.place(x, scale)
		}
	}
}

func (l *Lattice) place(x []float32, inv float32) (place uint32) {
	for i, v := range x {
		c := num.Clamp(num.Nearest(0.5*(float32(inv*v)-1)), 0, l.Top)
		place |= uint32(c) << (l.Width * i)
	}
	return place
}

// Nearest sets p to the points nearest to the vectors v, of those near the places at, for each of
// the first n scales. Root is the square root of weights.
func (l *Lattice) Nearest(p, at *LatticePlaces, v, root []float32, scales *LatticeScales, n int) {
	root = root[:len(v)]
	if nearestFast(l, p, at, v, root, scales, n) {
		return
	}
	for k := range len(v) / l.Dims {
		x, w := v[k*l.Dims:][:l.Dims], root[k*l.Dims:][:l.Dims]
		for t, scale := range scales[:n] {
			p[k][t] = l.nearest(at[k][t], x, w, scale)
		}
	}
}

// nearest returns the point nearest to x, of those near a place. The distance is the sum of what
// each coordinate costs, from the first one on. An infinite or no distance is not less than any.
func (l *Lattice) nearest(place uint32, x, root []float32, scale float32) uint32 {
	list := l.List(place)
	if len(list) == 0 {
		return place
	}
	var costs [8][8]float32 // of each coordinate, for each l
	for i, v := range x {
		for c := range l.Top + 1 {
			e := float32(scale*float32(2*c+1)) - v
			costs[i&7][c&7] = float32(float32(root[i]*e) * e)
		}
	}
	mask := uint16(1<<l.Width - 1)
	least, best := float32(0), list[0]
	for j, p := range list {
		sum, rest := float32(0), p
		for i := range x {
			sum += costs[i&7][rest&mask&7]
			rest >>= l.Width
		}
		if j == 0 || sum < least {
			least, best = sum, p
		}
	}
	return uint32(best)
}

// Correlate sets a to Σ w·v·q and b to Σ w·q·q for the coordinates q of the points p, for each of
// the first n scales. The sums are added up from the first value to the last. What a and b have for
// other scales means nothing.
func (l *Lattice) Correlate(a, b *LatticeScales, v, w []float32, p *LatticePlaces, n int) {
	w = w[:len(v)]
	if latticeCorrelateFast(l, a, b, v, w, p, n) {
		return
	}
	mask := uint32(1<<l.Width - 1)
	for t := range n {
		a[t], b[t] = 0, 0
		for i, x := range v {
			q := float32(2*(p[i/l.Dims][t]>>(i%l.Dims*l.Width)&mask) + 1)
			a[t] += float32(float32(w[i]*x) * q)
			b[t] += float32(float32(w[i]*q) * q)
		}
	}
}
