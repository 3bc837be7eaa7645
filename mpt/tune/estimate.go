package tune

import (
	"fmt"
	"math"
	"runtime/debug"
	"runtime/metrics"

	"mptgo/mpt"
)

// Estimate is what training takes of memory, in bytes.
type Estimate struct {
	Weights    int64 // of the model's file, which is mapped
	Adapter    int64 // its values, gradients and moments, and the values once more as kernels read them
	Workspace  int64 // of a micro-batch
	Buffers    int64 // of the kernels, about
	Program    int64 // of all else: what the process has already, its code, what the collector lets be
	Parameters int64 // values that are trained
	Tokens     int   // of a micro-batch
	Kept       int   // layers whose results are kept, of the others they are made again
}

// Total returns the sum.
func (e Estimate) Total() int64 { return e.Weights + e.Adapter + e.Workspace + e.Buffers + e.Program }

// CheckpointBytes and AdapterBytes return about what a checkpoint and an adapter take on the disk.
func (t *Trainer) CheckpointBytes() int64 { return t.AdapterBytes() + bytesOf(t.moments()) }
func (t *Trainer) AdapterBytes() int64    { return bytesOf(t.adapter()) }

// bytesOf returns what the values of tensors take.
func bytesOf(list []tensor) (n int64) {
	for _, x := range list {
		n += 4 * int64(x.rows) * int64(x.cols)
	}
	return n
}

// MemoryError says that training needs more memory than there is.
type MemoryError struct {
	Need    Estimate // with the shortest micro-batch that holds the longest row
	Limit   mpt.MemoryLimit
	Longest int // tokens of the longest row
}

func (e *MemoryError) Error() string {
	gb := func(n int64) string { return fmt.Sprintf("%.2f GB", float64(n)/1e9) }
	return fmt.Sprintf("tune: training takes %s of memory (weights %s, adapter and optimiser %s, %d tokens at a time %s, the program itself %s), and %s are %s: "+
		"choose a shorter -c, a lower --lora-r, --lora-target Wqkv or --optim decoupled_lionw, or a smaller type of weights",
		gb(e.Need.Total()), gb(e.Need.Weights), gb(e.Need.Adapter), e.Need.Tokens, gb(e.Need.Workspace+e.Need.Buffers), gb(e.Need.Program), gb(e.Limit.Bytes), e.Limit.Source)
}

// estimate returns what a micro-batch of some tokens takes with some layers kept.
func (t *Trainer) estimate(tokens, kept int) Estimate {
	e := Estimate{Tokens: tokens, Kept: kept, Workspace: t.net.measure(tokens, kept)}
	for _, m := range t.modules {
		c := m.change
		e.Parameters += int64(c.Rank) * int64(c.In+c.Out)
		panels := c.Width() * (c.In + c.Out)
		panels += c.Rank * (c.In + c.Out + 2*15) // rows of the other two, filled up to strips of 16
		e.Adapter += 4 * int64(panels)
	}
	e.Adapter += 4 * e.Parameters * int64(2+t.c.Optimizer.moments())
	for _, x := range t.model.File().Tensors() {
		e.Weights += int64(len(x.Data()))
	}
	c := t.model.Config()
	widest := int64(max(c.FFN, c.Embedding, c.Heads*c.HeadDim))
	e.Buffers = int64(tokens)*widest*7 + int64(t.net.e.Workers())*(int64(t.longest)*int64(c.HeadDim)*40+8<<20)
	e.Program = t.program + t.samples(e.Parameters) + int64(collected()*float64(e.Adapter+e.Buffers+t.program))
	return e
}

// samples returns what a session takes that has the adapter once more.
func (t *Trainer) samples(values int64) int64 {
	if !t.c.Samples {
		return 0
	}
	account, err := t.model.Memory()
	if err != nil {
		return 0 // the session will say so
	}
	const float, copies = 4, 3 // as it is read, and as kernels read it in either direction
	return account.Activations + copies*float*values
}

// code is about what the pages of the executable take, and beside what charts and checkpoints do while they
// are written.
const code = 24<<20 + 8<<20

// programBytes returns what the process has of memory, without what it does not use, and its code.
func programBytes() int64 {
	debug.FreeOSMemory()
	in := []metrics.Sample{{Name: "/memory/classes/total:bytes"}, {Name: "/memory/classes/heap/released:bytes"}}
	metrics.Read(in)
	return code + int64(in[0].Value.Uint64()-in[1].Value.Uint64())
}

// collected returns the part of the heap that may lie about before the collector begins: GOGC.
func collected() float64 {
	in := []metrics.Sample{{Name: "/gc/gogc:percent"}}
	metrics.Read(in)
	if percent := in[0].Value.Uint64(); percent <= 1000 {
		return float64(percent) / 100
	}
	return 1 // it never does, or not soon
}

// Check returns what training on rows of up to longest tokens takes, and a [*MemoryError] if that is more
// than [mpt.Model.MemoryLeft] tells; with [mpt.IgnoreMemory] nobody looks. It also refuses what New refuses
// of a configuration and of the adapter to begin with, whatever the rows are.
func Check(m *mpt.Model, longest int, c Config) (Estimate, error) {
	if err := c.check(); err != nil {
		return Estimate{}, err
	}
	t := &Trainer{c: c, model: m, longest: longest, program: programBytes()}
	defer t.Close()
	if err := t.checkPositions(); err != nil {
		return Estimate{}, err
	}
	if err := t.prepare(); err != nil {
		return Estimate{}, err
	}
	e, err := t.fit()
	if err == nil && c.Init != "" {
		err = t.begin()
	}
	return e, err
}

// fit chooses how many tokens are computed together and how many layers are kept.
func (t *Trainer) fit() (Estimate, error) {
	layers := t.model.Config().Layers
	tokens := t.c.MicroBatch
	if tokens == 0 {
		tokens = defaultMicroBatch
	}
	if tokens = max(t.longest, min(tokens, t.most())); t.c.Unpacked {
		tokens = t.longest
	}
	kept := layers
	if t.c.Keep == KeepNone {
		kept = 0
	}
	limit, known := t.model.MemoryLeft()
	fits := func(e Estimate) bool { return !known || e.Total() <= limit.Bytes }
	for {
		for ; t.c.Keep != KeepAll && kept > 0 && !fits(t.estimate(tokens, kept)); kept-- {
		}
		switch e := t.estimate(tokens, kept); {
		case fits(e):
			return e, nil
		case t.c.MicroBatch > 0 || tokens <= t.longest:
			return e, &MemoryError{e, limit, t.longest}
		}
		tokens = max(t.longest, tokens/2)
	}
}

// most returns the tokens that a step has at the most.
func (t *Trainer) most() int {
	rows := t.c.Batch
	for _, step := range t.c.Plan {
		n := 0
		for _, micro := range step {
			n += len(micro)
		}
		rows = max(rows, n)
	}
	return int(min(int64(min(rows, 1<<20))*int64(t.longest), math.MaxInt32))
}
