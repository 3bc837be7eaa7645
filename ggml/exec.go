package ggml

import (
	"context"
	"fmt"

	"mptgo/ggml/internal/kernel"
)

// Exec runs a compiled graph. It holds the values of one batch, so it serves
// one caller at a time; different Execs may share a [Pool].
type Exec struct {
	pool     *Pool
	tier     *kernel.Tier
	exact    bool
	capacity int

	ops     []op
	nodes   []node
	arena   []byte
	scratch []scratch // by worker

	batch   *Batch
	n       int // rows of the running batch
	profile *profile
	sums    func(w *Matrix, rows int) Sums // see SumInputs
}

// node is an operation with its steps.
type node struct {
	op    op
	steps []step
}

// scratch is the memory that a worker's kernels use within a task.
type scratch struct {
	mat kernel.MatScratch
	att kernel.AttScratch

	gram gramScratch // of SumInputs
}

// Batch is the input of a run. For a graph without [Graph.Embed] and
// [Graph.Attend] only N matters.
type Batch struct {
	N      int     // rows
	Tokens []int32 // of every row
	Pos    int     // position of the first row; the others follow it
	KV     []*KV   // by layer, with pages for all positions of the batch

	// Sequences, if set, says that every row is of a sequence of its own, all of them
	// at position Pos. They are the caches of each, and KV is not used.
	Sequences [][]*KV

	Factors []float32 // of low-rank changes, by the number that these were given
}

// pos returns the position of row i.
func (b *Batch) pos(i int) int {
	if b.Sequences != nil {
		return b.Pos
	}
	return b.Pos + i
}

// kv returns the cache that row i belongs to.
func (b *Batch) kv(i, layer int) *KV {
	if b.Sequences != nil {
		return b.Sequences[i][layer]
	}
	return b.KV[layer]
}

// Run computes the graph for a batch of at most the compiled size. Between
// operations it looks whether ctx is done; the caches then hold part of the
// batch, beyond what the caller counts as filled.
func (e *Exec) Run(ctx context.Context, b *Batch) error {
	if b.N < 1 || b.N > e.capacity {
		return fmt.Errorf("ggml: a batch of %d rows in a graph for 1 to %d", b.N, e.capacity)
	}
	e.batch, e.n = b, b.N
	defer func() { e.batch = nil }()
	for i := range e.nodes {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := e.runNode(&e.nodes[i]); err != nil {
			return fmt.Errorf("%s: %w", e.nodes[i].op.out().Name, err)
		}
	}
	return nil
}

// runNode runs the steps of one operation, one after the other.
func (e *Exec) runNode(nd *node) error {
	defer e.profile.start().stop(e, nd)
	if o, ok := nd.op.(*matMul); ok && e.sums != nil {
		if err := e.sumInputs(o); err != nil {
			return err
		}
	}
	for _, s := range nd.steps {
		if err := e.pool.Run(s.tasks(e.n), s.run); err != nil {
			return err
		}
	}
	return nil
}

// Row returns row i of a tensor that was marked with [Graph.Keep] or is an
// [Graph.Input]. It holds until the next run.
func (e *Exec) Row(t *Tensor, i int) []float32 {
	if !t.keep { // spelled out: must would allocate its arguments
		panic("ggml: " + t.Name + " is not kept")
	}
	return t.row(i)
}

// Bytes returns the size of the arena.
func (e *Exec) Bytes() int { return len(e.arena) }

// Tier returns the name of the kernels in use.
func (e *Exec) Tier() string { return e.tier.Name }
