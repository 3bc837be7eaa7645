package train

import (
	"fmt"

	"mptgo/ggml"
	"mptgo/ggml/internal/act"
	"mptgo/ggml/internal/att"
	"mptgo/ggml/internal/mat"
	"mptgo/ggml/internal/tier"
	"mptgo/ggml/internal/vec"
)

// Rows are N rows of Cols float32 that follow each other.
type Rows struct {
	N, Cols int
	X       []float32
}

// Row returns row i.
func (r Rows) Row(i int) []float32 { return r.X[i*r.Cols : (i+1)*r.Cols : (i+1)*r.Cols] }

// First returns the first n rows.
func (r Rows) First(n int) Rows { return Rows{n, r.Cols, r.X[:n*r.Cols]} }

// Example is N rows, from row From on, that are the tokens of one example, the first at position 0.
// Examples do not see each other.
type Example struct{ From, N int }

// Engine runs operations on the workers of a pool. It serves one caller at a time. The first error of an
// operation, such as a file of weights that can no longer be read, is kept, and those after it do nothing.
type Engine struct {
	pool    *ggml.Pool
	tier    *tier.Tier
	exact   bool
	workers []worker // by worker
	acts    []byte   // the input of a product, quantised or sorted by lanes
	lanes   []byte
	small   []float32 // rows of low rank, sorted for sums over tokens
	err     error
}

// worker is the memory of one worker.
type worker struct {
	mat   mat.Scratch
	att   attention
	a, b  []float32
	wide  []float32
	tiles []float32
}

// New returns an engine that runs on pool with the kernels of the given name, or the best if it is
// empty. Exact has the products with block types keep their activations in float32.
func New(pool *ggml.Pool, kernels string, exact bool) (*Engine, error) {
	name, err := ggml.TierName(kernels)
	if err != nil {
		return nil, err
	}
	t, ok := tier.Named(name)
	if !ok {
		return nil, fmt.Errorf("train: there are no kernels %q", name)
	}
	return &Engine{pool: pool, tier: t, exact: exact, workers: make([]worker, pool.Workers())}, nil
}

// Err returns the first error since the last call, and forgets it.
func (e *Engine) Err() error {
	err := e.err
	e.err = nil
	return err
}

// Workers returns how many tasks run at the same time.
func (e *Engine) Workers() int { return e.pool.Workers() }

// run calls f for every task. What a task makes must depend on the task alone.
func (e *Engine) run(tasks int, f func(task int, s *worker)) {
	if e.err != nil {
		return
	}
	e.err = e.pool.Run(tasks, func(task, worker int) { f(task, &e.workers[worker]) })
}

// rowsAtATime is how many rows one task of an operation of rows takes.
const rowsAtATime = 8

// perRows calls f for every row of n.
func (e *Engine) perRows(n int, f func(i int, s *worker)) {
	e.run((n+rowsAtATime-1)/rowsAtATime, func(task int, s *worker) {
		for i := task * rowsAtATime; i < min(n, (task+1)*rowsAtATime); i++ {
			f(i, s)
		}
	})
}

func (e *Engine) vec() *vec.Kernels { return &e.tier.Vec }
func (e *Engine) att() *att.Kernels { return &e.tier.Att }

// AddBias adds b, unless it is nil, to every row of y.
func (e *Engine) AddBias(y Rows, b []float32) {
	if b != nil {
		e.perRows(y.N, func(i int, _ *worker) { e.vec().Add(y.Row(i), b) })
	}
}

// Add adds x to y.
func (e *Engine) Add(y, x Rows) {
	e.perRows(x.N, func(i int, _ *worker) { e.vec().Add(y.Row(i), x.Row(i)) })
}

// Clamp limits every value of x to [-c, c].
func (e *Engine) Clamp(x Rows, c float32) {
	e.perRows(x.N, func(i int, _ *worker) { e.vec().Clamp(x.Row(i), c) })
}

// ClampBack sets d to 0 where x, which was clamped, was outside of [-c, c].
func (e *Engine) ClampBack(d, x Rows, c float32) {
	e.perRows(x.N, func(i int, _ *worker) {
		to := d.Row(i)
		for j, v := range x.Row(i) {
			if !(v >= -c && v <= c) {
				to[j] = 0
			}
		}
	})
}

// Divide divides every row of x by v.
func (e *Engine) Divide(x Rows, v []float32) {
	e.perRows(x.N, func(i int, _ *worker) { e.vec().Div(x.Row(i), v) })
}

// input makes x ready for products with matrices.
func (e *Engine) input(x Rows, ws ...*ggml.Matrix) *act.Acts {
	a := &act.Acts{N: x.N, K: x.Cols, X: x.X}
	quantise, sort := false, false
	for _, w := range ws {
		if !e.exact && e.tier.Mat.NeedsQ8(w.Type) {
			quantise = true
		} else if x.N >= mat.LanesBatch && e.tier.Mat.NeedsLanes(w.Type, e.exact) {
			sort = true
		}
	}
	if quantise {
		a.Place(aligned(&e.acts, act.BlocksBytes(x.N, x.Cols)))
		e.perRows(x.N, func(i int, _ *worker) { e.tier.Act.QuantizeRow(a, i, x.N) })
	}
	if sort {
		a.PlaceLanes(aligned(&e.lanes, act.LanesBytes(x.N, x.Cols)))
		e.perRows(x.N, func(i int, _ *worker) { e.tier.Act.SortLanes(a, i) })
	}
	return a
}
