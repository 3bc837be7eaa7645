package finetune

import (
	"errors"
	"os"
	"runtime/debug"

	"mptgo/mpt/tune"
)

// limitGarbage has the collector begin before there is much to collect, unless GOGC says when: an adapter
// and its moments are a large heap, and the collector passes over them quickly, for they have no pointers.
func limitGarbage() {
	const percent = 10 // of what is in use
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(percent)
	}
}

// maxLength is the default of -c for models with a longer context.
const maxLength = 2048

// longest returns how long rows may be, in tokens.
func (r *run) longest() int {
	if r.length != 0 {
		return r.length
	}
	return min(maxLength, r.model.Config().Context)
}

// machine fills in the settings that do not change the result.
func (r *run) machine(c *tune.Config) {
	c.Exact, c.Threads, c.MicroBatch, c.Keep, c.Seed = r.exact, r.threads, r.micro, tune.Keep(r.keepValues), r.seed
	c.Samples, c.Unfused, c.Unpacked = len(r.samples) > 0, r.unfused, !r.packing || r.noPacking
	if r.resume == "" {
		c.Init = r.init
	}
}

// checkMemory refuses a run before its data are read, which may take hours, if it cannot fit: with the rows
// that -c names, or without -c with any. That rows are as long as its default is not known.
func (r *run) checkMemory() (err error) {
	if r.plan != "" {
		return nil
	}
	c := tune.Config{Batch: r.batch, MaxSteps: 1}
	if c.LoRA, err = r.lora(); err != nil {
		return err
	}
	if c.Optimizer, err = r.optimizer(); err != nil {
		return err
	}
	r.machine(&c)
	_, err = tune.Check(r.model, r.longest(), c)
	var short *tune.MemoryError
	if r.length != 0 || !errors.As(err, &short) {
		return err
	}
	if _, err := tune.Check(r.model, 1, c); err != nil {
		return err
	}
	r.note("rows of %d tokens would take %s of memory, and %s are %s: if there are such the run is refused; -c N cuts longer ones",
		r.longest(), size(short.Need.Total()), size(short.Limit.Bytes), short.Limit.Source)
	return nil
}
