package mpt

import (
	"context"
	"fmt"
	"slices"

	"mptgo/ggml"
)

// headBatch is how many rows go through the output matrix together when the
// logits of many tokens are wanted.
const headBatch = 64

// runner is the compiled graph of a model with memory for one batch. A model has one.
type runner struct {
	exec     *ggml.Exec
	logits   *ggml.Tensor
	states   *ggml.Tensor   // that logits come from
	blocks   []*ggml.Tensor // the residual stream after each
	adapters []*Adapter     // that the graph can apply, in this order; each session uses some

	// What is filled anew for every batch.
	batch  ggml.Batch
	parts  []part
	output []wantedRow
	steps  []Step // those of the batch in work
	first  int    // of output: the row that is scored by task 0
	score  func(task, worker int)

	scoreErr [headBatch]error // by row
}

// part is what a batch holds of a step: n tokens, and guesses of those that follow.
type part struct{ step, n, draft int }

// wantedRow is a row of a batch whose logits are wanted: those after token i of a step, of which
// guesses are the ones behind its last.
type wantedRow struct{ step, i int }

// newRunner compiles the model's graph with what adapters change.
func (m *Model) newRunner(adapters []*Adapter) (*runner, error) {
	r := &runner{adapters: adapters}
	g, err := ggml.Build(func(g *ggml.Graph) { r.blocks, r.states, r.logits = m.graph(g, adapters) })
	if err != nil {
		return nil, err
	}
	if r.exec, err = ggml.Compile(g, m.pool, m.opt.batch, m.compileOptions()); err != nil {
		return nil, err
	}
	r.batch.Until = r.until
	r.batch.Each, r.score = func(first, n int) error { return r.each(m.pool, first, n) }, r.scoreRow
	r.exec.Profile(m.profiling)
	return r, nil
}

// graph builds the whole model, and returns its logits, the states that they come from, and the
// residual stream after each block.
func (m *Model) graph(g *ggml.Graph, adapters []*Adapter) (blocks []*ggml.Tensor, states, logits *ggml.Tensor) {
	blocks = m.body(g, adapters)
	x := g.Select("result_embd", blocks[len(blocks)-1])
	states = g.Norm("result_norm", x, m.w.normF)
	logits = m.head(g, states, adapters)
	g.Keep(states)
	g.Keep(logits)
	return blocks, states, logits
}

func (m *Model) compileOptions() ggml.Options {
	return ggml.Options{Exact: m.opt.exact, Tier: m.opt.isa, Outputs: headBatch}
}

// runnerFor returns the model's runner, compiled anew if a step needs adapters that it
// has not got. The caller has the model's turn.
func (m *Model) runnerFor(steps []Step) (*runner, error) {
	fits := m.runner != nil
	for i := range steps {
		fits = fits && (steps[i].Err != nil || steps[i].Session.adapters.fits(m.runner))
	}
	if fits {
		return m.runner, nil
	}
	adapters := m.ownAdapters()
	for i := range steps {
		if steps[i].Err == nil {
			adapters = withAll(adapters, steps[i].Session.adapters.active)
		}
	}
	for _, active := range m.activeSets() { // who comes next should not need another one
		adapters = withAll(adapters, active)
	}
	if m.runner != nil {
		m.runner.exec.Close()
		m.runner = nil
	}
	r, err := m.newRunner(adapters)
	if err != nil {
		return nil, err
	}
	m.runner = r
	m.compiled.Store(int64(r.exec.Bytes()))
	m.limitPages() // more adapters take more activations
	for i := range steps {
		if steps[i].Err == nil {
			steps[i].Session.adapters.fits(r)
		}
	}
	return r, nil
}

// withAll returns list, followed by what it needs to have all of active in their order,
// perhaps with others between. The order decides about bits, so it is that of each session.
func withAll(list, active []*Adapter) []*Adapter {
	if _, ok := places(list, active); ok {
		return list
	}
	at := 0
	for _, a := range active {
		i := slices.Index(list[at:], a)
		if i < 0 {
			list = append(list, a)
			i = len(list) - 1 - at
		}
		at += i + 1
	}
	return list
}

// places returns where in list the adapters of active are, in their order.
func places(list, active []*Adapter) (at []int, ok bool) {
	next := 0
	for _, a := range active {
		i := slices.Index(list[next:], a)
		if i < 0 {
			return nil, false
		}
		next += i + 1
		at = append(at, next-1)
	}
	return at, true
}

// run evaluates one batch of the steps. Err of a step is an error that concerns it alone.
func (r *runner) run(ctx context.Context, steps []Step) error {
	r.steps = steps
	defer func() { r.steps = nil }()
	sums := r.fill()
	if len(r.parts) == 0 {
		return nil
	}
	r.exec.SumInputs(sums)
	if err := r.exec.Run(ctx, &r.batch); err != nil {
		for _, p := range r.parts {
			s := steps[p.step].Session
			s.forgetAhead() // with pages for tokens that it does not hold
			s.valid = s.valid && ctx.Err() != nil
		}
		return fmt.Errorf("mpt: %w", err)
	}
	for _, p := range r.parts {
		s := &steps[p.step]
		s.Session.tokens = append(s.Session.tokens, s.IDs[s.Done:s.Done+p.n]...)
		s.Done += p.n
		s.Session.valid = s.Err == nil && s.Done == len(s.IDs) && s.Logits != AllStates && s.wants(s.Done-1)
		s.Session.ahead.set(s.Draft[:p.draft])
		s.Drafted += p.draft
	}
	return nil
}

// measures reports whether the batch tells how long steps take in which sequences go on: logits are
// computed for every row, and nothing else is.
func (r *runner) measures(steps []Step) bool {
	return len(r.batch.Tokens) == len(r.batch.Outputs) && !slices.ContainsFunc(r.parts, func(p part) bool {
		return steps[p.step].Logits == AllStates || steps[p.step].Session.sums != nil
	})
}

// fill puts as many tokens of the steps into the batch as fit. A session whose inputs are
// summed up is alone in its batches.
func (r *runner) fill() (sums func(*ggml.Matrix, int) ggml.Sums) {
	b := &r.batch
	b.Tokens, b.Spans, b.Outputs = b.Tokens[:0], b.Spans[:0], b.Outputs[:0]
	r.parts, r.output = r.parts[:0], r.output[:0]
	room := r.exec.Capacity()
	for i := range r.steps {
		s := &r.steps[i]
		n := min(len(s.IDs)-s.Done, room)
		if s.Err != nil || n == 0 || s.Session.sums != nil && len(r.parts) > 0 {
			continue
		}
		s.Session.ahead.forget() // at once: a Visit may panic, and what lies there will be overwritten
		if s.Err = s.Session.prepare(n); s.Err != nil {
			continue
		}
		r.parts = append(r.parts, part{step: i, n: n})
		room -= n
		if sums = s.Session.sums; sums != nil {
			break
		}
	}
	r.fillDrafts(room)
	for _, p := range r.parts {
		r.add(p)
	}
	return sums
}

// fillDrafts gives guesses what is left of the batch, and of the memory.
func (r *runner) fillDrafts(room int) {
	for i := range r.parts {
		p := &r.parts[i]
		s := &r.steps[p.step]
		if n := s.draft(p.n, room); n > 0 && s.Session.prepare(p.n+n) == nil {
			p.draft = n
			room -= n
		}
	}
}

// add adds a part to the batch.
func (r *runner) add(p part) {
	s, b := &r.steps[p.step], &r.batch
	for i := range p.n + p.draft {
		if at := s.Done + i; i >= p.n || s.wants(at) {
			b.Outputs = append(b.Outputs, len(b.Tokens)+i)
			r.output = append(r.output, wantedRow{p.step, at})
		}
	}
	b.Tokens = append(b.Tokens, s.IDs[s.Done:s.Done+p.n]...)
	b.Tokens = append(b.Tokens, s.Draft[:p.draft]...)
	b.Spans = append(b.Spans, ggml.Span{
		N: p.n + p.draft, Pos: len(s.Session.tokens), KV: s.Session.cache.layers, Factors: s.Session.adapters.slots,
	})
}

// wants reports whether the logits after token i are wanted.
func (s *Step) wants(i int) bool {
	switch s.Logits {
	case AllLogits, AllStates:
		return i >= s.First
	case LastLogits:
		return i+1 == len(s.IDs)
	}
	return false
}

// until spares rows of which only the states are wanted the product with the output matrix,
// unless others are in the same part.
func (r *runner) until(first, n int) *ggml.Tensor {
	if slices.ContainsFunc(r.output[first:first+n], func(w wantedRow) bool { return r.steps[w.step].Logits != AllStates }) {
		return nil
	}
	return r.states
}

// each hands out the logits, or states, of n wanted rows from number first on.
func (r *runner) each(pool *ggml.Pool, first, n int) error {
	if slices.ContainsFunc(r.output[first:first+n], func(w wantedRow) bool { return r.steps[w.step].Score != nil }) {
		r.first = first
		if err := r.scoreAll(pool, n); err != nil {
			return err
		}
	}
	for k := range n {
		w := r.output[first+k]
		s := &r.steps[w.step]
		if s.Logits == AllStates {
			if s.Visit != nil && s.Err == nil {
				s.Err = s.Visit(w.i, r.exec.Row(r.states, k))
			}
			continue
		}
		logits := r.exec.Row(r.logits, k)
		if s.Logits == AllLogits && s.Visit != nil && s.Err == nil {
			s.Err = s.Visit(w.i, logits)
		}
		if w.i+1 == len(s.IDs) {
			s.Session.valid = false // until the tokens are part of the session
			s.Session.logits = append(s.Session.logits[:0], logits...)
		} else if w.i >= len(s.IDs) {
			s.Session.ahead.keep(w.i-len(s.IDs), logits)
		}
	}
	return nil
}

// scoreAll scores n rows, and sets the error of a step to that of its first row that has one.
func (r *runner) scoreAll(pool *ggml.Pool, n int) error {
	r.scoreErr = [headBatch]error{}
	if err := pool.Run(n, r.score); err != nil {
		return err
	}
	for k, err := range r.scoreErr[:n] {
		if s := &r.steps[r.output[r.first+k].step]; s.Err == nil {
			s.Err = err
		}
	}
	return nil
}

// scoreRow is a task: it scores row k of those in work.
func (r *runner) scoreRow(k, _ int) {
	w := r.output[r.first+k]
	if s := &r.steps[w.step]; s.Score != nil && s.Logits == AllLogits && s.Err == nil {
		r.scoreErr[k] = s.Score(w.i, r.exec.Row(r.logits, k))
	}
}
