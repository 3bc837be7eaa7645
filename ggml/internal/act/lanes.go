package act

import (
	"fmt"
	"unsafe"

	"mptgo/ggml/internal/scalar"
)

// Products with float weights and many rows of activations read these sorted by
// lanes (see the package comment): for each lane all rows, and of each row the
// values of the lane. Rows are filled up with zeros to a multiple of 16.

// LanesBytes returns the memory that [Acts.PlaceLanes] needs for n rows of k
// values.
func LanesBytes(n, k int) int { return 4 * scalar.Lanes * laneDistance(n, k) }

// laneDistance returns how far apart, in values, the lanes of n rows of k values
// are: an odd number of cache lines, so that they do not all fall on the same
// place of a cache.
func laneDistance(n, k int) int { return ((n*LaneSteps(k)+15)/16 | 1) * 16 }

// LaneSteps returns how many of k values a lane has.
func LaneSteps(k int) int { return (k + scalar.Lanes - 1) / scalar.Lanes }

// PlaceLanes puts the sorted form of a into mem, which holds at least
// [LanesBytes] bytes, begins at a multiple of 4 and is used for nothing else.
func (a *Acts) PlaceLanes(mem []byte) {
	need := LanesBytes(a.N, a.K)
	if len(mem) < need {
		panic(fmt.Sprintf("act: %d bytes for sorted rows that take %d", len(mem), need))
	}
	if uintptr(unsafe.Pointer(&mem[0]))%unsafe.Alignof(float32(0)) != 0 {
		panic("act: sorted rows at an odd address")
	}
	a.lanes = unsafe.Slice((*float32)(unsafe.Pointer(&mem[0])), need/4)
}

// sorted reports whether there is memory for the sorted form.
func (a *Acts) Sorted() bool { return a.lanes != nil }

// lane returns the values of a lane from a row on.
func (a *Acts) Lane(lane, row int) []float32 {
	return a.lanes[lane*laneDistance(a.N, a.K)+row*LaneSteps(a.K):]
}

// SortLanes makes the sorted form of row i from X. [Acts.PlaceLanes] must have
// been called. Different rows may be sorted at the same time.
func (k *Kernels) SortLanes(a *Acts, i int) {
	x := a.X[i*a.K : (i+1)*a.K]
	steps, lane := LaneSteps(a.K), laneDistance(a.N, a.K)
	to := a.lanes[i*steps : 15*lane+(i+1)*steps]
	const whole = 8 * scalar.Lanes // values that a kernel treats together
	done := 0
	if k.sort != nil && len(x) >= whole {
		done = len(x) / whole
		k.sort(&to[0], 4*lane, &x[0], done)
	}
	sortLanesGeneric(to[done*8:], lane, x[done*whole:])
}

// sortLanesGeneric defines [Kernels.SortLanes] for one row.
func sortLanesGeneric(to []float32, lane int, x []float32) {
	for step := 0; step*scalar.Lanes < len(x); step++ {
		part := x[step*scalar.Lanes : min((step+1)*scalar.Lanes, len(x))]
		for l := range scalar.Lanes {
			v := float32(0)
			if l < len(part) {
				v = part[l]
			}
			to[l*lane+step] = v
		}
	}
}
