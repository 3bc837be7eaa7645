package vec

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// randomLattice returns a lattice with as many random points as lists have room for.
func randomLattice(r *rand.Rand, dims, width int, top int32) *Lattice {
	l := &Lattice{Dims: dims, Width: width, Top: top, Lists: make([]uint32, 1<<(dims*width))}
	point := func() (p uint16) {
		for range dims {
			p = p<<width | uint16(r.Int32N(top+1))
		}
		return p
	}
	for u := range l.Lists {
		if r.IntN(5) == 0 {
			continue // a point
		}
		n, at := 1+r.IntN(3*Eight), len(l.Near)
		for len(l.Near) < at+n {
			if p := point(); !slices.Contains(l.Near[at:], p) {
				l.Near = append(l.Near, p)
			}
		}
		for len(l.Near)%Eight != 0 {
			l.Near = append(l.Near, l.Near[at])
		}
		l.Lists[u] = uint32(at/Eight<<8 | (len(l.Near)-at)/Eight)
	}
	return l
}

// TestLattice holds the loops over lattices to their definitions, with values and scales that make
// sums infinite or no numbers too.
func TestLattice(t *testing.T) {
	if !avx2 {
		t.Skip("this CPU has no AVX2: there are only the definitions")
	}
	r := rand.New(rand.NewPCG(5, 6))
	for _, l := range []*Lattice{randomLattice(r, 4, 3, 7), randomLattice(r, 8, 2, 2)} {
		for i := range 3000 {
			vectors, n := 1+r.IntN(32/l.Dims), 1+r.IntN(LatticeTries)
			v, root := nasty(r, vectors*l.Dims), random(r, vectors*l.Dims)
			if i%7 == 0 { // distances that are equal
				v = slices.Repeat(v[:1], len(v))
				root = slices.Repeat(root[:1], len(root))
			}
			if i%3 == 0 {
				v[r.IntN(len(v))] = []float32{1e38, -1e38, 1e25}[r.IntN(3)]
				root[r.IntN(len(v))] = []float32{float32(math.Inf(1)), 1e30, 0}[r.IntN(3)]
			}
			var inv, scales LatticeScales
			for t := range n {
				inv[t] = float32(15 * r.ExpFloat64())
				scales[t] = 1 / inv[t]
				switch r.IntN(20) {
				case 0:
					inv[t], scales[t] = float32(math.Inf(1)), 0
				case 1:
					inv[t], scales[t] = 1e-38, 1e38
				}
			}
			if i%5 == 0 { // what weighs nothing is infinitely far for large scales
				root[r.IntN(len(v))], scales[r.IntN(n)] = 0, 1e38
			}
			checkLattice(t, l, v, root, &inv, &scales, n)
		}
	}
}

func checkLattice(t *testing.T, l *Lattice, v, root []float32, inv, scales *LatticeScales, n int) {
	t.Helper()
	var at, p, at2, p2 LatticePlaces
	var a, b, a2, b2 LatticeScales
	l.Places(&at, v, inv, n)
	plain(func() { l.Places(&at2, v, inv, n) })
	samePlaces(t, "Places", &at, &at2, len(v)/l.Dims, n)
	l.Nearest(&p, &at, v, root, scales, n)
	plain(func() { l.Nearest(&p2, &at, v, root, scales, n) })
	samePlaces(t, "Nearest", &p, &p2, len(v)/l.Dims, n)
	l.Correlate(&a, &b, v, root, &p, n)
	plain(func() { l.Correlate(&a2, &b2, v, root, &p, n) })
	for i := range n {
		if !identical(a[i], a2[i]) || !identical(b[i], b2[i]) {
			t.Fatalf("Correlate: %v, %v for scale %d, want %v, %v", a[i], b[i], i, a2[i], b2[i])
		}
	}
}

// identical reports whether bits are the same, but for those of what is no number.
func identical(a, b float32) bool {
	return math.Float32bits(a) == math.Float32bits(b) || a != a && b != b
}

func samePlaces(t *testing.T, what string, got, want *LatticePlaces, vectors, n int) {
	t.Helper()
	for k := range vectors {
		if !slices.Equal(got[k][:n], want[k][:n]) {
			t.Fatalf("%s of vector %d: %#x, want %#x", what, k, got[k][:n], want[k][:n])
		}
	}
}

// TestNearest holds the definition of the nearest point to distances that are written down plainly.
func TestNearest(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 8))
	for _, l := range []*Lattice{randomLattice(r, 4, 3, 7), randomLattice(r, 8, 2, 2)} {
		for range 2000 {
			v, root, scale := nasty(r, l.Dims), random(r, l.Dims), r.Float32()
			list := l.List(l.place(v, 1/scale))
			if len(list) == 0 {
				continue
			}
			want, least := uint32(0), float32(0)
			for j, p := range list {
				var sum float32
				for i, x := range v {
					e := float32(scale*float32(2*(p>>(i*l.Width)&(1<<l.Width-1))+1)) - x
					sum += float32(float32(root[i]*e) * e)
				}
				if j == 0 || sum < least {
					want, least = uint32(p), sum
				}
			}
			if got := l.nearest(list, v, root, scale); got != want {
				t.Fatalf("%#x is nearest to %v of %#x, want %#x", got, v, list, want)
			}
		}
	}
}
