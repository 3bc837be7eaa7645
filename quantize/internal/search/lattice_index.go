package search

import (
	"cmp"
	"mptgo/quantize/internal/num"
	"slices"
	"sync"

	"mptgo/internal/codebook"
)

// A gridIndex finds the points of a grid near given values. To encode, the
// coordinates of points are the odd numbers 2l+1, and l is what grid files pack.
type gridIndex struct {
	dims  int
	width int     // bits of l in a packed point
	top   int32   // the largest l
	odd   []int32 // the coordinates of all points
	index []int16 // of the point at a place; -1 if none is there
	near  [][]int16
}

// The indices of the types that can be written. Values off the grid are
// compared with the points at the nearest few distances.
var (
	BookIQ2_S   = newGridIndex("iq2_s", 8, 3, 1)
	BookIQ3_XXS = newGridIndex("iq3_xxs", 4, 8, 2)
	BookIQ3_S   = newGridIndex("iq3_s", 4, 8, 3)
)

// newGridIndex returns a function that makes an index, of points with dims
// coordinates of the given number of levels, when it is first called.
func newGridIndex(name string, dims, levels, distances int) func() *gridIndex {
	return sync.OnceValue(func() *gridIndex {
		c := &gridIndex{dims: dims, width: 16 / dims, top: int32(levels - 1)}
		if dims == 4 {
			c.width = 3
		}
		places := 1 << (c.width * dims)
		c.index, c.near = make([]int16, places), make([][]int16, places)
		for u := range c.index {
			c.index[u] = -1
		}
		for i, p := range codebook.Packed(name) {
			c.index[p] = int16(i)
			c.odd = append(c.odd, c.coordinates(int(p))...)
		}
		for u, i := range c.index {
			if at := c.coordinates(u); i < 0 && slices.Max(at) <= 2*c.top+1 {
				c.near[u] = c.neighbours(at, distances)
			}
		}
		return c
	})
}

// coordinates returns those of the place with the packed number u.
func (c *gridIndex) coordinates(u int) []int32 {
	at := make([]int32, c.dims)
	for i := range at {
		at[i] = 2*int32(u>>(c.width*i)&(1<<c.width-1)) + 1
	}
	return at
}

// neighbours returns the points at the least distances from a place, the
// nearest ones first, and of those the ones with the smallest index.
func (c *gridIndex) neighbours(at []int32, distances int) []int16 {
	type point struct {
		index    int16
		distance int32
	}
	var points []point
	limits := make([]int32, distances) // the least distances found, ascending
	for i := range limits {
		limits[i] = 1 << 30
	}
	for i := 0; i < len(c.odd); i += c.dims {
		var d int32
		for k, v := range at {
			d += (c.odd[i+k] - v) * (c.odd[i+k] - v)
		}
		if d > limits[distances-1] {
			continue
		}
		points = append(points, point{int16(i / c.dims), d})
		if k, found := slices.BinarySearch(limits, d); !found {
			limits = slices.Insert(limits, k, d)[:distances]
		}
	}
	points = slices.DeleteFunc(points, func(p point) bool { return p.distance > limits[distances-1] })
	slices.SortStableFunc(points, func(a, b point) int { return cmp.Compare(a.distance, b.distance) })
	near := make([]int16, len(points))
	for i, p := range points {
		near[i] = p.index
	}
	return near
}

// find returns the point nearest to v/scale, of those near the place that v·inv
// rounds to, and whether that place is on the grid. Root is the square root of
// the weights.
func (c *gridIndex) find(v, root []float32, inv, scale float32) (index int16, on bool) {
	u := 0
	for i, x := range v[:c.dims] {
		l := num.Clamp(num.Nearest(0.5*(float32(inv*x)-1)), 0, c.top)
		u |= int(l) << (c.width * i)
	}
	if c.index[u] >= 0 {
		return c.index[u], true
	}
	best := float32(0)
	index = -1
	for _, p := range c.near[u] {
		var sum float32
		for i, g := range c.point(p) {
			e := float32(scale*float32(g)) - v[i]
			sum += float32(float32(root[i]*e) * e)
		}
		if index < 0 || sum < best {
			index, best = p, sum
		}
	}
	return index, false
}

// point returns the coordinates of a point.
func (c *gridIndex) point(index int16) []int32 {
	i := int(index) * c.dims
	return c.odd[i : i+c.dims]
}
