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
// the first one counts. It is empty if the place is a point. To be a multiple of eight long, a list
// ends in copies of its first point.
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
	width := l.Width & 31
	for i, v := range x {
		c := num.Clamp(num.Nearest(0.5*(float32(inv*v)-1)), 0, l.Top)
		place |= uint32(c) << (width * i & 31)
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
			p[k][t] = at[k][t]
			if list := l.List(at[k][t]); len(list) > 0 {
				p[k][t] = l.nearest(list, x, w, scale)
			}
		}
	}
}

// nearest returns the point of a list that is nearest to x. Its distance is the sum of the squares
// of errors times their weights, from the first coordinate on. A sum that is no number is not less
// than any, and none is less than that.
func (l *Lattice) nearest(list []uint16, x, root []float32, scale float32) uint32 {
	var scaled [8]float32 // the coordinates that there are
	for c := range scaled {
		scaled[c] = scale * float32(2*c+1)
	}
	least, best := float32(0), list[0]
	for j, p := range list {
		var sum float32
		if l.Dims == 4 {
			sum = distance4((*[4]float32)(x), (*[4]float32)(root), &scaled, p)
		} else {
			sum = distance8((*[8]float32)(x), (*[8]float32)(root), &scaled, p)
		}
		if j == 0 || sum < least {
			least, best = sum, p
		} else if p == list[0] {
			break
		}
	}
	return uint32(best)
}

// distance4 returns the distance of point p of a lattice of four coordinates.
func distance4(x, root *[4]float32, scaled *[8]float32, p uint16) float32 {
	e0, e1, e2, e3 := scaled[p&7]-x[0], scaled[p>>3&7]-x[1], scaled[p>>6&7]-x[2], scaled[p>>9&7]-x[3]
	sum := float32(float32(root[0]*e0) * e0)
	sum += float32(float32(root[1]*e1) * e1)
	sum += float32(float32(root[2]*e2) * e2)
	sum += float32(float32(root[3]*e3) * e3)
	return sum
}

// distance8 returns the distance of point p of a lattice of eight coordinates.
func distance8(x, root *[8]float32, scaled *[8]float32, p uint16) float32 {
	e0, e1, e2, e3 := scaled[p&3]-x[0], scaled[p>>2&3]-x[1], scaled[p>>4&3]-x[2], scaled[p>>6&3]-x[3]
	e4, e5, e6, e7 := scaled[p>>8&3]-x[4], scaled[p>>10&3]-x[5], scaled[p>>12&3]-x[6], scaled[p>>14]-x[7]
	sum := float32(float32(root[0]*e0) * e0)
	sum += float32(float32(root[1]*e1) * e1)
	sum += float32(float32(root[2]*e2) * e2)
	sum += float32(float32(root[3]*e3) * e3)
	sum += float32(float32(root[4]*e4) * e4)
	sum += float32(float32(root[5]*e5) * e5)
	sum += float32(float32(root[6]*e6) * e6)
	sum += float32(float32(root[7]*e7) * e7)
	return sum
}

// Correlate sets a to Σ w·v·q and b to Σ w·q·q for the coordinates q of the points p, for each of
// the first n scales. The sums are added up from the first value to the last. What a and b have for
// other scales means nothing.
func (l *Lattice) Correlate(a, b *LatticeScales, v, w []float32, p *LatticePlaces, n int) {
	w = w[:len(v)]
	if latticeCorrelateFast(l, a, b, v, w, p, n) {
		return
	}
	width := l.Width & 31
	mask := uint32(1<<width - 1)
	for t := range n {
		var wvq, wqq float32
		for k := range len(v) / l.Dims {
			point, y := p[k][t], w[k*l.Dims:][:l.Dims]
			for i, x := range v[k*l.Dims:][:l.Dims] {
				q := float32(int32(2*(point&mask) + 1))
				point >>= width
				wvq += float32(float32(y[i]*x) * q)
				wqq += float32(float32(y[i]*q) * q)
			}
		}
		a[t], b[t] = wvq, wqq
	}
}
