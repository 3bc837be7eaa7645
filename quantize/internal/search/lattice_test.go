package search

import (
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"mptgo/internal/codebook"
	"mptgo/quantize/internal/num"
)

// A plainBook is a grid as the searches define it: without lists that are packed, and scales one
// after the other.
type plainBook struct {
	*gridIndex
	name      string
	distances int
	odd       []int32
	near      map[int][]int // of places that were asked for
}

func newPlainBook(book func() *gridIndex, name string, distances int) *plainBook {
	p := &plainBook{gridIndex: book(), name: name, distances: distances, near: map[int][]int{}}
	for _, u := range codebook.Packed(name) {
		p.odd = append(p.odd, p.coordinates(int(u))...)
	}
	return p
}

// find returns the point nearest to v/scale, of those near the place that v·inv rounds to, and
// whether that place is on the grid.
func (p *plainBook) find(v, root []float32, inv, scale float32) (index int16, on bool) {
	u := 0
	for i, x := range v[:p.Dims] {
		u |= int(num.Clamp(num.Nearest(0.5*(float32(inv*x)-1)), 0, p.Top)) << (p.Width * i)
	}
	if p.index[u] >= 0 {
		return p.index[u], true
	}
	if p.near[u] == nil {
		p.near[u] = p.around(p.coordinates(u))
	}
	least, best := float32(0), -1
	for _, n := range p.near[u] {
		var sum float32
		for i, g := range p.odd[n*p.Dims:][:p.Dims] {
			e := float32(scale*float32(g)) - v[i]
			sum += float32(float32(root[i]*e) * e)
		}
		if best < 0 || sum < least {
			least, best = sum, n
		}
	}
	return int16(best), false
}

// around returns the points at the least distances from a place, distance by distance.
func (p *plainBook) around(place []int32) (near []int) {
	at := map[int32][]int{}
	for i := range len(p.odd) / p.Dims {
		var d int32
		for k, v := range p.odd[i*p.Dims:][:p.Dims] {
			d += (v - place[k]) * (v - place[k])
		}
		at[d] = append(at[d], i)
	}
	for _, d := range slices.Sorted(maps.Keys(at))[:p.distances] {
		near = append(near, at[d]...)
	}
	return near
}

// findAll sets the points whose bit in skip is not set.
func (p *plainBook) findAll(f *gridValues, index *[8]int16, skip uint8, inv, scale float32) (on uint8) {
	for k := range f.n {
		if skip>>k&1 == 0 {
			i, ok := p.find(f.v[k*p.Dims:], f.root[k*p.Dims:], inv, scale)
			index[k] = i
			if ok {
				on |= 1 << k
			}
		}
	}
	return on
}

func (p *plainBook) correlate(f *gridValues, index *[8]int16) (a, b float32) {
	for k, n := range index[:f.n] {
		for j, g := range p.odd[int(n)*p.Dims:][:p.Dims] {
			i, q := k*p.Dims+j, float32(g)
			a += float32(float32(f.w[i]*f.v[i]) * q)
			b += float32(float32(f.w[i]*q) * q)
		}
	}
	return a, b
}

// search is what [GridSearch.search] is held to.
func (p *plainBook) search(s *GridSearch, f *gridValues, index *[8]int16, m float32) (scale float32) {
	top := float32(2*p.Top + 1)
	scale = m / top
	var best float32
	on := uint8(0xff)
	for k := -s.Steps; k <= s.Steps; k++ {
		inv := (top + float32(float32(k)*s.Step)) / m
		try := *index
		all := p.findAll(f, &try, 0, inv, 1/inv)
		a, b := p.correlate(f, &try)
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
	p.findAll(f, index, on, 1/scale, scale)
	if a, b := p.correlate(f, index); b > 0 {
		scale = a / b
	}
	return scale
}

// drawGroup returns n values and weights of one of several kinds.
func drawGroup(r *rand.Rand, n int) (x, w []float32) {
	x, w = make([]float32, n), make([]float32, n)
	size := []float32{1, 1, 1, 1, 0x1p-140, 0x1p-120, 0x1p40, 0x1p62, 0x1p126}[r.IntN(9)]
	kind := r.IntN(6)
	for i := range x {
		v := float32(r.NormFloat64())
		switch kind {
		case 0: // multiples, of which many lie half-way between places
			v = float32(r.IntN(33)-16) / 2
		case 1: // few that are not zero
			v *= float32(r.IntN(2) * r.IntN(2) * r.IntN(2))
		case 2: // equal but for signs
			v = float32(math.Copysign(3, float64(v)))
		}
		x[i], w[i] = size*v, r.Float32()
		switch kind {
		case 3: // what errors weigh without an importance
			w[i] = float32(x[i] * x[i])
		case 4:
			w[i] *= float32(r.IntN(2))
		case 5:
			w[i] *= []float32{1, 0x1p120, 0x1p-120, 0}[r.IntN(4)]
		}
	}
	return x, w
}

// TestGridSearch holds the search for points and scales to its definition.
func TestGridSearch(t *testing.T) {
	for _, c := range []struct {
		name      string
		distances int
		s         GridSearch
	}{
		{"iq2_s", 1, GridSearch{Book: BookIQ2_S, Group: 16, Steps: 9, Step: 0.1}},
		{"iq3_xxs", 2, GridSearch{Book: BookIQ3_XXS, Group: 32, Steps: 15, Step: 0.2, Even: true}},
		{"iq3_s", 3, GridSearch{Book: BookIQ3_S, Group: 32, Steps: 9, Step: 0.2, Again: true}},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := rand.New(rand.NewPCG(3, 4))
			plain := newPlainBook(c.s.Book, c.name, c.distances)
			var tries gridTries
			for i := range 3000 {
				x, w := drawGroup(r, c.s.Group)
				f := gridValues{book: plain.gridIndex, w: w, n: len(x) / plain.Dims}
				var signs [4]uint8
				f.split(x, c.s.Even, &signs)
				m := num.Largest(f.v[:len(x)])
				if m <= 0 {
					continue
				}
				var got, want [8]int16
				a, b := c.s.search(&tries, &f, &got, m), plain.search(&c.s, &f, &want, m)
				if got != want || math.Float32bits(a) != math.Float32bits(b) && (a == a || b == b) {
					t.Fatal(fmt.Sprintf("group %d: points %v and scale %v, want %v and %v; values %v, weights %v",
						i, got, a, want, b, x, w))
				}
			}
		})
	}
}
