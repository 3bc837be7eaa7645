//go:build !purego

package vec

// latticeOdd has the coordinates 2l+1 for l of three bits, and twice those for l of two, so that a
// third bit, which belongs to the next coordinate, makes no difference.
var latticeOdd = [4]*[8]float32{2: {1, 3, 5, 7, 1, 3, 5, 7}, 3: {1, 3, 5, 7, 9, 11, 13, 15}}

// latticeVectors returns how many vectors of the lattice v has, and whether there is assembly for it.
func latticeVectors(l *Lattice, v []float32) (int, bool) {
	known := l.Dims == 4 && l.Width == 3 || l.Dims == 8 && l.Width == 2
	return len(v) / max(l.Dims, 1), avx2 && known && len(v) >= l.Dims
}

func placesFast(l *Lattice, at *LatticePlaces, v []float32, inv *LatticeScales, n int) bool {
	vectors, ok := latticeVectors(l, v)
	if ok {
		_ = at[:vectors]
		_ = inv[:n]
		latticePlacesx8(at, &v[0], vectors, l.Dims, l.Width, inv, n, l.Top)
	}
	return ok
}

func nearestFast(l *Lattice, p, at *LatticePlaces, v, root []float32, scales *LatticeScales, n int) bool {
	vectors, ok := latticeVectors(l, v)
	if !ok || n == 0 || len(l.Near) == 0 {
		return false
	}
	_ = at[:vectors]
	_ = scales[:n]
	if l.Dims == 4 {
		latticeNearest4(p, at, &v[0], &root[0], vectors, scales, n, &l.Lists[0], &l.Near[0], latticeOdd[l.Width])
	} else {
		latticeNearest8(p, at, &v[0], &root[0], vectors, scales, n, &l.Lists[0], &l.Near[0], latticeOdd[l.Width])
	}
	return true
}

func latticeCorrelateFast(l *Lattice, a, b *LatticeScales, v, w []float32, p *LatticePlaces, n int) bool {
	vectors, ok := latticeVectors(l, v)
	if ok {
		_ = p[:vectors]
		_ = a[:n]
		latticeCorrelatex8(a, b, &v[0], &w[0], p, vectors, l.Dims, l.Width, n, latticeOdd[l.Width])
	}
	return ok
}

//go:noescape
func latticePlacesx8(at *LatticePlaces, v *float32, vectors, dims, width int, inv *LatticeScales, n int, top int32)

//go:noescape
func latticeNearest4(p, at *LatticePlaces, v, root *float32, vectors int, scales *LatticeScales,
	n int, lists *uint32, near *uint16, odd *[8]float32)

//go:noescape
func latticeNearest8(p, at *LatticePlaces, v, root *float32, vectors int, scales *LatticeScales,
	n int, lists *uint32, near *uint16, odd *[8]float32)

//go:noescape
func latticeCorrelatex8(a, b *LatticeScales, v, w *float32, p *LatticePlaces, vectors, dims, width,
	n int, odd *[8]float32)
