package mpt

import (
	"context"
	"errors"
	"fmt"

	"mptgo/ggml"
)

// A Walk evaluates texts block by block: all of them in the first block of the model, then all in
// the second. What the matrices of a block are multiplied with can so be summed up, used and
// forgotten before the next block. No bit differs from that of evaluating each text in a session.
type Walk struct {
	m        *Model
	texts    [][]int32
	sessions []*Session // of the texts, or one that all use in turn
	held     [][]ggml.Held
	next     int // block
	batch    ggml.Batch
}

// NewWalk returns a walk through the model with texts, none of which may be empty or longer than
// length tokens. If there is no memory for their keys and values it fails with a [*MemoryError].
func (m *Model) NewWalk(texts [][]int32, length int) (*Walk, error) {
	w := &Walk{m: m, texts: texts, held: make([][]ggml.Held, len(texts))}
	n := 1
	if m.config.caches() < m.config.Layers {
		n = len(texts) // blocks read the keys of others
	}
	for range n {
		s, err := m.NewSession(ContextSize(length))
		if err != nil {
			w.Close()
			return nil, err
		}
		w.sessions = append(w.sessions, s)
	}
	for i, ids := range texts {
		if err := w.sessions[0].check(ids); err != nil || len(ids) == 0 {
			w.Close()
			return nil, errors.Join(err, fmt.Errorf("mpt: text %d of %d tokens cannot be evaluated", i, len(ids)))
		}
		w.held[i] = make([]ggml.Held, (len(ids)+m.opt.batch-1)/m.opt.batch)
	}
	return w, nil
}

// Close gives the memory of the texts back.
func (w *Walk) Close() {
	for _, s := range w.sessions {
		s.Close()
	}
	w.held = nil
}

// Blocks returns how many blocks there are.
func (w *Walk) Blocks() int { return w.m.config.Layers }

// Next evaluates the texts in the next block. Sums is asked before each product, see
// [ggml.Exec.SumInputs]; nil if nothing is to be summed up.
func (w *Walk) Next(ctx context.Context, sums func(m *ggml.Matrix, rows int) ggml.Sums) error {
	if w.next == w.Blocks() {
		return errors.New("mpt: the texts have gone through all blocks")
	}
	for i := range w.texts {
		if err := w.text(ctx, i, sums); err != nil {
			return err
		}
	}
	w.next++
	return nil
}

// All evaluates the texts in all blocks that are left, and goes back to the first one. Progress, if
// set, is told how many are done.
func (w *Walk) All(ctx context.Context, sums func(m *ggml.Matrix, rows int) ggml.Sums, progress func(done, total int)) error {
	for w.next < w.Blocks() {
		if err := w.Next(ctx, sums); err != nil {
			return err
		}
		if progress != nil {
			progress(w.next, w.Blocks())
		}
	}
	w.next = 0
	return nil
}

// text evaluates text i, in parts that fit into a batch.
func (w *Walk) text(ctx context.Context, i int, sums func(m *ggml.Matrix, rows int) ggml.Sums) error {
	s, ids := w.sessions[i%len(w.sessions)], w.texts[i]
	if err := s.enter(); err != nil {
		return err
	}
	defer s.leave()
	if err := w.m.take(ctx); err != nil {
		return err
	}
	defer w.m.give()
	r, err := w.m.runnerFor(nil)
	if err != nil {
		return err
	}
	if err := s.prepare(len(ids)); err != nil {
		return err
	}
	var from *ggml.Tensor
	if w.next > 0 {
		from = r.blocks[w.next-1]
	}
	r.exec.SumInputs(sums)
	defer r.exec.SumInputs(nil)
	for k := range w.held[i] {
		at := k * w.m.opt.batch
		w.batch.Tokens = ids[at:min(at+w.m.opt.batch, len(ids))]
		w.batch.Spans = append(w.batch.Spans[:0], ggml.Span{N: len(w.batch.Tokens), Pos: at, KV: s.cache.layers})
		if err := r.exec.RunPart(ctx, &w.batch, from, r.blocks[w.next], &w.held[i][k]); err != nil {
			return fmt.Errorf("mpt: %w", err)
		}
	}
	return nil
}
