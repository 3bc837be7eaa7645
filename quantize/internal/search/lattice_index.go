package search

import (
	"cmp"
	"slices"
	"sync"

	"mptgo/internal/codebook"
	"mptgo/quantize/internal/vec"
)

// A gridIndex finds the points of a grid near given values. To encode, the
// coordinates of points are the odd numbers 2l+1, and l is what grid files pack.
type gridIndex struct {
	vec.Lattice
	index []int16 // of the point at a place; -1 if none is there
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
		c := &gridIndex{Lattice: vec.Lattice{Dims: dims, Width: 16 / dims, Top: int32(levels - 1)}}
		if dims == 4 {
			c.Width = 3
		}
		places, points := 1<<(c.Width*dims), codebook.Packed(name)
		c.index, c.Lists = make([]int16, places), make([]uint32, places)
		for u := range c.index {
			c.index[u] = -1
		}
		var odd []int32 // the coordinates of all points
		for i, p := range points {
			c.index[p] = int16(i)
			odd = append(odd, c.coordinates(int(p))...)
		}
		for u, i := range c.index {
			if at := c.coordinates(u); i < 0 && slices.Max(at) <= 2*c.Top+1 {
				c.addList(u, points, neighbours(odd, at, distances))
			}
		}
		return c
	})
}

// addList makes the points with the given indices the list of place u.
func (c *gridIndex) addList(u int, points []uint16, near []int) {
	at := len(c.Near) / vec.Eight
	for _, i := range near {
		c.Near = append(c.Near, points[i])
	}
	for len(c.Near)%vec.Eight != 0 {
		c.Near = append(c.Near, points[near[0]])
	}
	c.Lists[u] = uint32(at<<8 | (len(c.Near)/vec.Eight - at))
}

// coordinates returns those of the place with the packed number u.
func (c *gridIndex) coordinates(u int) []int32 {
	at := make([]int32, c.Dims)
	for i := range at {
		at[i] = 2*int32(u>>(c.Width*i)&(1<<c.Width-1)) + 1
	}
	return at
}

// neighbours returns the indices of the points at the least distances from a
// place, the nearest ones first, and of those the smallest index. Odd has the
// coordinates of all points.
func neighbours(odd, at []int32, distances int) (near []int) {
	type point struct {
		index    int
		distance int32
	}
	var points []point
	limits := make([]int32, distances) // the least distances found, ascending
	for i := range limits {
		limits[i] = 1 << 30
	}
	for i := 0; i < len(odd); i += len(at) {
		var d int32
		for k, v := range at {
			d += (odd[i+k] - v) * (odd[i+k] - v)
		}
		if d > limits[distances-1] {
			continue
		}
		points = append(points, point{i / len(at), d})
		if k, found := slices.BinarySearch(limits, d); !found {
			limits = slices.Insert(limits, k, d)[:distances]
		}
	}
	points = slices.DeleteFunc(points, func(p point) bool { return p.distance > limits[distances-1] })
	slices.SortStableFunc(points, func(a, b point) int { return cmp.Compare(a.distance, b.distance) })
	for _, p := range points {
		near = append(near, p.index)
	}
	return near
}
