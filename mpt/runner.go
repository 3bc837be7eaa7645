package mpt

import (
	"context"

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
}

// newRunner compiles the model's graphs. The caller holds m.mu.
func (m *Model) newRunner() (*runner, error) {
	r := &runner{}
	opt := ggml.Options{Exact: m.opt.exact, Tier: m.opt.isa}
	g := ggml.NewGraph()
	r.x = m.body(g)
	g.Keep(r.x)
	var err error
	if r.body, err = ggml.Compile(g, m.pool, m.opt.batch, opt); err != nil {
		return nil, err
	}
	g = ggml.NewGraph()
	r.in, r.logits = m.head(g)
	g.Keep(r.logits)
	if r.head, err = ggml.Compile(g, m.pool, headBatch, opt); err != nil {
		return nil, err
	}
	r.profile(m.profiling)
	return r, nil
}

// borrow returns an idle runner or, if there is none, a new one.
func (m *Model) borrow() (*runner, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if n := len(m.idle); n > 0 {
		r := m.idle[n-1]
		m.idle = m.idle[:n-1]
		return r, nil
	}
	return m.newRunner()
}

func (m *Model) giveBack(r *runner) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.idle = append(m.idle, r)
}

// run evaluates ids at position pos; their keys and values go to kv.
func (r *runner) run(ctx context.Context, ids []int32, pos int, kv []*ggml.KV) error {
	r.bodyBatch = ggml.Batch{N: len(ids), Tokens: ids, Pos: pos, KV: kv}
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
