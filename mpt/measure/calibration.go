package measure

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"mptgo/ggml"
	"mptgo/mpt"
	"mptgo/quantize/imatrix"
)

// longestGroup is how many neighbouring columns' correlations are recorded together for a
// quantisation: as many as half of the fewest tokens that they come from. More are mostly chance,
// and cost time and memory.
const longestGroup = fewestTexts * selfLength / 2

// A calibration measures the inputs of a model's matrices while the model is quantised: those of a
// block when its first matrix is asked for. So there is never memory for more than a few blocks.
type calibration struct {
	ctx   context.Context
	stop  context.CancelCauseFunc
	m     *mpt.Model
	walk  *mpt.Walk
	given *imatrix.Matrix // whose mean squares count, or nil

	mu     sync.Mutex
	wanted map[string]bool
	sums   inputSums // of blocks that are measured, as long as they are used
	spare  [][]float32
}

// errCalibration is wrapped by what goes wrong with a calibration.
var errCalibration = errors.New("self-calibration")

// newCalibration returns the calibration of a model with texts of at most length tokens.
func newCalibration(ctx context.Context, m *mpt.Model, texts [][]int32, length int, given *imatrix.Matrix) (*calibration, error) {
	c := &calibration{m: m, given: given, wanted: map[string]bool{}}
	c.ctx, c.stop = context.WithCancelCause(ctx)
	c.sums = inputSums{into: imatrix.New(length), products: true, last: outputName(m)}
	var err error
	if c.walk, err = m.NewWalk(texts, length); err != nil {
		c.stop(nil)
	}
	return c, err
}

// Want reports whether a matrix is measured. Those that nobody wants are not.
func (c *calibration) Want(name string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, w := range c.m.Matrices() {
		if w.Name == name && name != c.sums.last {
			c.wanted[name] = true
		}
	}
	return c.wanted[name]
}

// Entry returns what was measured of a matrix.
func (c *calibration) Entry(name string) (*imatrix.Entry, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for c.sums.into.Entries[name] == nil {
		if err := c.next(); err != nil {
			return nil, fmt.Errorf("measure: %w: %s: %w", errCalibration, name, err)
		}
	}
	if c.given == nil || c.given.Entries[name] == nil {
		return c.sums.into.Entries[name], nil
	}
	e := *c.given.Entries[name]
	scaled := imatrix.New(0)
	scaled.Entries[name] = &e
	scaled.BorrowProducts(c.sums.into)
	return &e, nil
}

// next measures the next block.
func (c *calibration) next() error {
	if err := c.walk.Next(c.ctx, c.of); err != nil {
		return err
	}
	if c.sums.err != nil {
		return c.sums.err
	}
	return c.sums.into.Check()
}

// of returns the sums for the inputs of w.
func (c *calibration) of(w *ggml.Matrix, n int) ggml.Sums {
	if !c.wanted[w.Name] {
		return ggml.Sums{}
	}
	c.sums.run = groupOf(w.Cols)
	if c.sums.into.Entries[w.Name] == nil {
		c.sums.into.Entries[w.Name] = &imatrix.Entry{
			Sum2: make([]float64, w.Cols), Products: c.memory(w.Cols * c.sums.run), Run: c.sums.run,
		}
	}
	return c.sums.of(w, n)
}

// groupOf returns how many columns form a group, of rows of so many: as few groups as there may be,
// of equal lengths.
func groupOf(cols int) int {
	if cols <= longestGroup {
		return cols
	}
	groups := (cols + longestGroup - 1) / longestGroup
	run := (cols + groups - 1) / groups
	return (run + shortestRun - 1) / shortestRun * shortestRun
}

// memory returns n zeros, which another matrix may have had.
func (c *calibration) memory(n int) []float32 {
	for i, b := range c.spare {
		if len(b) == n {
			c.spare = append(c.spare[:i], c.spare[i+1:]...)
			clear(b)
			return b
		}
	}
	return make([]float32, n)
}

// Done forgets what was measured of a matrix.
func (c *calibration) Done(name string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if e := c.sums.into.Entries[name]; e != nil {
		c.spare = append(c.spare, e.Products)
		e.Products = nil // the entry remains: it is measured only once
	}
}

// Cancel ends a measurement that goes on: the file that it is for has failed.
func (c *calibration) Cancel(cause error) { c.stop(cause) }

func (c *calibration) close() {
	c.stop(nil)
	c.walk.Close()
}

// promised returns an importance matrix of which only the names are known yet.
func (c *calibration) promised() *imatrix.Matrix {
	all := imatrix.New(c.sums.into.ChunkSize)
	all.AddDataset(SelfDataset)
	for _, w := range c.m.Matrices() {
		if w.Name != c.sums.last {
			all.Entries[w.Name] = &imatrix.Entry{Sum2: make([]float64, w.Cols)}
		}
	}
	return all
}
