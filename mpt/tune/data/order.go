package data

import (
	"math"
	"math/bits"
	"math/rand/v2"
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
