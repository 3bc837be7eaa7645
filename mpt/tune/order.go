package tune

import (
	"slices"

	"mptgo/mpt/tune/data"
)

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
		o.epoch, o.at = epoch, data.InOrder(o.rows)
		if !o.c.NoShuffle {
			o.at = data.Order(o.rows, o.c.Seed, uint64(epoch))
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
