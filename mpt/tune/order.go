package tune

import (
	"math/bits"
	"math/rand/v2"
	"slices"
)

// shuffled returns the numbers below n in the order of an epoch: Fisher and Yates's shuffle with numbers
// that depend on seed and epoch alone.
func shuffled(n int, seed, epoch uint64) []int {
	order := make([]int, n)
	for i := range order {
		order[i] = i
	}
	r := rand.NewPCG(seed, epoch)
	for i := n - 1; i > 0; i-- {
		j, _ := bits.Mul64(r.Uint64(), uint64(i+1))
		order[i], order[int(j)] = order[int(j)], order[i]
	}
	return order
}

// order gives the rows of every step.
type order struct {
	rows  int
	c     *Config
	epoch int // whose order is known
	at    []int
}

// perEpoch returns the steps of an epoch, the last of which takes what is left.
func (o *order) perEpoch() int { return (o.rows + o.c.Batch - 1) / o.c.Batch }

// steps returns those of the run.
func (o *order) steps() int {
	switch {
	case o.c.Plan != nil:
		return len(o.c.Plan)
	case o.c.MaxSteps > 0:
		return o.c.MaxSteps
	}
	return o.c.Epochs * o.perEpoch()
}

// step returns the rows of step k.
func (o *order) step(k int) []int {
	if o.c.Plan != nil {
		return slices.Concat(o.c.Plan[k]...)
	}
	epoch, in := k/o.perEpoch(), k%o.perEpoch()
	if o.at == nil || o.epoch != epoch {
		o.epoch, o.at = epoch, shuffled(o.rows, o.c.Seed, uint64(epoch))
		if o.c.NoShuffle {
			slices.Sort(o.at)
		}
	}
	return o.at[in*o.c.Batch : min((in+1)*o.c.Batch, o.rows)]
}

// epochs returns how many epochs step k is from the start.
func (o *order) epochs(k int) float64 {
	if o.c.Plan != nil {
		return 0
	}
	return float64(k) / float64(o.perEpoch())
}
