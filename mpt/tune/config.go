package tune

import (
	"fmt"

	"mptgo/mpt/tune/data"
)

// Config says how to train. The kernels are those of the model: see [mpt.Tier].
type Config struct {
	LoRA        LoRA
	Optimizer   Optimizer
	Schedule    Schedule
	Init        string  // the folder or file of the adapter to begin with; "" = a new one
	MaxGradNorm float64 // the norm of all gradients is limited to it; 0 = not at all

	Batch     int  // rows of a step
	Epochs    int  // passes over the rows
	MaxSteps  int  // takes the place of Epochs unless it is 0
	NoShuffle bool // the rows keep their order
	Seed      uint64

	Held data.Rows // that are evaluated, or nil: a run goes on with the same only

	Exact   bool // activations stay float32 where block types would have them as int8
	Threads int  // 0 = one for each CPU

	Unpacked   bool // each row is computed by itself
	MicroBatch int  // tokens that are computed together, whole rows; 0 = up to 2048, as memory allows
	Keep       Keep // what is kept for the way back

	// Unfused has adapters written with Wq, Wk and Wv in place of Wqkv: for a base whose checkpoint has
	// those (fused_qkv false), which its file here does not tell. It does not change what is learned.
	Unfused bool

	Samples bool // the caller lets the model write with the adapter between steps, which takes memory

	// Plan, if set, is the whole order of the run: for every step its micro-batches, lists of rows. Batch,
	// Epochs, MaxSteps and MicroBatch are not used then.
	Plan [][][]int

	tier string // other kernels than the model's, in tests; "" = those
}

// Keep is what is kept of the layers between the two directions. It does not change any result.
type Keep string

// The values of Keep.
const (
	KeepAuto Keep = "auto" // as much as memory allows
	KeepNone Keep = "none" // the input of every layer; the rest is made again
	KeepAll  Keep = "all"  // the results of all products
)

// defaultMicroBatch is how many tokens are computed together at the most.
const defaultMicroBatch = 2048

func (c *Config) check() error {
	switch c.Keep {
	case "", KeepAuto, KeepNone, KeepAll:
	default:
		return fmt.Errorf("tune: --keep-activations %q: want auto, none or all", c.Keep)
	}
	switch {
	case c.Plan == nil && c.Batch < 1:
		return fmt.Errorf("tune: a batch of %d rows (--batch): want at least 1", c.Batch)
	case c.Plan == nil && c.Epochs < 1 && c.MaxSteps < 1:
		return fmt.Errorf("tune: neither epochs (--epochs) nor steps (--max-steps)")
	case c.MicroBatch < 0:
		return fmt.Errorf("tune: a micro-batch of %d tokens (--micro-batch)", c.MicroBatch)
	case !(c.LoRA.Dropout >= 0 && c.LoRA.Dropout < 1):
		return fmt.Errorf("tune: a dropout of %v (--lora-dropout): want from 0 to below 1", c.LoRA.Dropout)
	case !(c.MaxGradNorm >= 0):
		return fmt.Errorf("tune: a gradient norm of %v (--max-grad-norm): want at least 0", c.MaxGradNorm)
	}
	return c.Optimizer.check()
}
