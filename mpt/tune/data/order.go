package data

import (
	"math"
	"math/bits"
	"math/rand/v2"
	"slices"
)

// splitEpoch is a number that no epoch has.
const splitEpoch = math.MaxUint64

// Order returns the numbers 0 to n-1 in the order of an epoch. It will never change for the same
// arguments: r is PCG-DXSM of math/rand/v2 with the seeds (seed, epoch), and for i = n-1 down to 1 items
// i and j are exchanged, where j is the upper half of the 128 bits of r's next 64 times i+1.
func Order(n int, seed, epoch uint64) []int {
	r := rand.NewPCG(seed, epoch)
	order := InOrder(n)
	for i := n - 1; i > 0; i-- {
		j, _ := bits.Mul64(r.Uint64(), uint64(i)+1)
		order[i], order[j] = order[j], order[i]
	}
	return order
}

// InOrder returns the numbers 0 to n-1.
func InOrder(n int) []int {
	order := make([]int, n)
	for i := range order {
		order[i] = i
	}
	return order
}

// Steps cuts the order of an epoch into steps of batch rows, batch >= 1; the last takes what is left.
func Steps(order []int, batch int) [][]int { return slices.Collect(slices.Chunk(order, batch)) }

// Fill cuts the rows of a step into micro-batches of at most limit tokens, in their order. A longer row is
// a micro-batch by itself.
func Fill(rows []int, length func(row int) int, limit int) [][]int {
	var all [][]int
	room := 0
	for _, r := range rows {
		n := length(r)
		if len(all) == 0 || n > room {
			all, room = append(all, nil), limit
		}
		all[len(all)-1] = append(all[len(all)-1], r)
		room -= n
	}
	return all
}

// Pack is [Fill] with fewer micro-batches: rows, the longest first, go where the least room is left
// that suffices (best fit decreasing). No row is left out or cut. Rows of a micro-batch, and
// micro-batches by their first rows, are in the order of the step.
func Pack(rows []int, length func(row int) int, limit int) [][]int {
	longest := InOrder(len(rows)) // numbers in rows
	slices.SortStableFunc(longest, func(a, b int) int { return length(rows[b]) - length(rows[a]) })
	var all [][]int
	withRoom := map[int][]int{} // micro-batches by the room that is left
	for _, i := range longest {
		n := length(rows[i])
		bin, room := len(all), limit
		for left := n; left < limit; left++ {
			if bins := withRoom[left]; len(bins) > 0 {
				bin, room = bins[0], left
				withRoom[left] = bins[1:]
				break
			}
		}
		if bin == len(all) {
			all = append(all, nil)
		}
		all[bin] = append(all[bin], i)
		withRoom[room-n] = append(withRoom[room-n], bin)
	}
	for _, bin := range all {
		slices.Sort(bin)
	}
	slices.SortFunc(all, func(a, b []int) int { return a[0] - b[0] })
	for _, bin := range all {
		for j, i := range bin {
			bin[j] = rows[i]
		}
	}
	return all
}
