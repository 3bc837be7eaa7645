package ggml

import (
	"context"
	"fmt"

	"mptgo/ggml/internal/att"
	"mptgo/ggml/internal/mat"
	"mptgo/ggml/internal/tier"
	"mptgo/internal/slab"
)

// Exec runs a compiled graph. It holds the values of one batch, so it serves
// one caller at a time; different Execs may share a [Pool].
type Exec struct {
	pool    *Pool
	tier    *tier.Tier
	exact   bool
	ops     []op
	nodes   []node
	head    int // the first node that computes selected rows
	arena   []byte
	regions []*region // of it
	scratch []scratch // by worker

	batch   *Batch
	all     rowSet // the rows of the batch
	late    rowSet // those that Narrow takes
	some    rowSet // and those that Select takes at a time
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
	mat mat.Scratch
	att att.Scratch

	gram gramScratch // of SumInputs
}

// Run computes the graph for a batch of at most the compiled size. Between
// operations it looks whether ctx is done; the caches then hold part of the
// batch, beyond what the caller counts as filled.
//
// What follows [Graph.Narrow] is computed for the wanted rows alone, and what follows [Graph.Select] for
// as many of them at a time as it was compiled for. After each such part the batch's Each is called.
func (e *Exec) Run(ctx context.Context, b *Batch) error {
	if err := b.check(e.all.capacity); err != nil {
		return err
	}
	e.batch = b
	defer func() { e.batch = nil }()
	e.all.fill(b)
	e.late.narrow(&e.all, b, e.sums == nil)
	if err := e.runNodes(ctx, e.nodes[:e.head]); err != nil {
		return err
	}
	for first := 0; first < len(b.Outputs) && e.head < len(e.nodes); first += e.some.n {
		e.some.take(&e.all, b, first)
		if err := e.runNodes(ctx, e.wanted(b, first)); err != nil {
			return err
		}
		if b.Each == nil {
			continue
		}
		if err := b.Each(first, e.some.n); err != nil {
			return err
		}
	}
	return nil
}

// wanted returns the nodes that the part of the outputs from number first on goes through.
func (e *Exec) wanted(b *Batch, first int) []node {
	nodes := e.nodes[e.head:]
	if b.Until == nil {
		return nodes
	}
	last := b.Until(first, e.some.n)
	for i := range nodes {
		if nodes[i].op.out() == last {
			return nodes[:i+1]
		}
	}
	return nodes
}

func (e *Exec) runNodes(ctx context.Context, nodes []node) error {
	for i := range nodes {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := e.runNode(&nodes[i]); err != nil {
			return fmt.Errorf("%s: %w", nodes[i].op.out().Name, err)
		}
	}
	return nil
}

// rows returns the rows that an operation with the result t computes.
func (e *Exec) rows(t *Tensor) *rowSet {
	switch t.of {
	case narrowRows:
		return &e.late
	case selectedRows:
		return &e.some
	}
	return &e.all
}

// runNode runs the steps of one operation, one after the other.
func (e *Exec) runNode(nd *node) error {
	rows := e.rows(nd.op.out())
	if rows.n == 0 {
		return nil
	}
	defer e.profile.start().stop(e, nd)
	if o, ok := nd.op.(*matMul); ok && e.sums != nil {
		if err := e.sumInputs(o); err != nil {
			return err
		}
	}
	for _, s := range nd.steps {
		if err := e.pool.Run(s.tasks(rows.n), s.run); err != nil {
			return err
		}
	}
	return nil
}

// Row returns row i of a tensor that was marked with [Graph.Keep]. It holds until the
// next run or, of selected rows, until the next part of it.
func (e *Exec) Row(t *Tensor, i int) []float32 {
	if !t.keep { // spelled out: must would allocate its arguments
		panic("ggml: " + t.Name + " is not kept")
	}
	return t.row(i)
}

// Bytes returns the size of the arena.
func (e *Exec) Bytes() int { return len(e.arena) }

// Close gives the arena back. The Exec must not be used any more.
func (e *Exec) Close() error {
	arena := e.arena
	e.arena, e.nodes, e.ops = nil, nil, nil
	return slab.Free(arena)
}

// Capacity returns how many rows a batch may have.
func (e *Exec) Capacity() int { return e.all.capacity }

// Tier returns the name of the kernels in use.
func (e *Exec) Tier() string { return e.tier.Name }
