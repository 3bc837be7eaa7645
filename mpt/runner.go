package mpt

import (
	"context"
	"slices"

	"mptgo/ggml"
)

// headBatch is how many rows go through the output matrix together when the
// logits of all tokens are wanted.
const headBatch = 64

// runner is the compiled graph of a model with memory for one batch. Sessions
// borrow one for the time of an evaluation.
type runner struct {
	body, head    *ggml.Exec
	x, in, logits *ggml.Tensor
	bodyBatch     ggml.Batch
	headBatch     ggml.Batch

	adapters []*Adapter // that are part of the graph
}

// newRunner compiles the model's graphs with those of adapters. The caller holds m.mu.
func (m *Model) newRunner(adapters []*Adapter) (*runner, error) {
	r := &runner{adapters: adapters}
	opt := m.compileOptions()
	g := ggml.NewGraph()
	r.x = m.body(g, adapters)
	g.Keep(r.x)
	var err error
	if r.body, err = ggml.Compile(g, m.pool, m.opt.batch, opt); err != nil {
		return nil, err
	}
	g = ggml.NewGraph()
	r.in, r.logits = m.head(g, adapters)
	g.Keep(r.logits)
	if r.head, err = ggml.Compile(g, m.pool, headBatch, opt); err != nil {
		return nil, err
	}
	r.profile(m.profiling)
	return r, nil
}

func (m *Model) compileOptions() ggml.Options {
	return ggml.Options{Exact: m.opt.exact, Tier: m.opt.isa}
}

// maxOthers is how many idle runners may wait for other adapters than those asked
// for: whoever tries many keeps the memory of a few.
const maxOthers = 4

// borrow returns an idle runner for a set of adapters or, if there is none, a new one.
func (m *Model) borrow(set *adapterSet) (*runner, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	r, err := m.idleOrNew(set.active)
	if err != nil {
		return nil, err
	}
	r.bodyBatch.Factors, r.headBatch.Factors = set.factors, set.factors
	return r, nil
}

func (m *Model) idleOrNew(adapters []*Adapter) (*runner, error) {
	for i := len(m.idle) - 1; i >= 0; i-- {
		if r := m.idle[i]; slices.Equal(r.adapters, adapters) {
			m.idle = slices.Delete(m.idle, i, i+1)
			return r, nil
		}
	}
	if len(m.idle) >= maxOthers {
		m.idle = slices.Delete(m.idle, 0, 1)
	}
	return m.newRunner(adapters)
}

func (m *Model) giveBack(r *runner) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.idle = append(m.idle, r)
}

// run evaluates ids at position pos; their keys and values go to kv.
func (r *runner) run(ctx context.Context, ids []int32, pos int, kv []*ggml.KV) error {
	r.bodyBatch = ggml.Batch{N: len(ids), Tokens: ids, Pos: pos, KV: kv, Factors: r.bodyBatch.Factors}
	return r.body.Run(ctx, &r.bodyBatch)
}

// runSequences evaluates one token of each of several sequences, all at position pos.
func (r *runner) runSequences(ctx context.Context, ids []int32, pos int, kv [][]*ggml.KV) error {
	r.bodyBatch = ggml.Batch{N: len(ids), Tokens: ids, Pos: pos, Sequences: kv, Factors: r.bodyBatch.Factors}
	return r.body.Run(ctx, &r.bodyBatch)
}

// project computes the logits of n rows of the last run from row i on, n at
// most headBatch. Row k of the result is r.head.Row(r.logits, k).
func (r *runner) project(ctx context.Context, i, n int) error {
	for k := range n {
		copy(r.head.Row(r.in, k), r.body.Row(r.x, i+k))
	}
	r.headBatch.N = n
	return r.head.Run(ctx, &r.headBatch)
}
