package mpt

import (
	"context"
	"fmt"

	"mptgo/ggml"
	"mptgo/quantize/imatrix"
	"mptgo/sampling"
)

// SelfChunks is how many chunks a model writes for its own importance matrix unless
// it is asked for another number.
const SelfChunks = 128

// selfCache is how much memory the keys and values of chunks that are written together
// may take, in bytes.
const selfCache = 1 << 30

// CollectImatrixSelf is [CollectImatrix] without a text: the model writes one itself.
// Each of opt.Chunks chunks, 0 means 128, begins as a document does, and every token is
// drawn with the probability that the model gives it: temperature 1, no candidate left
// out. Where a document ends the next one begins. The chunks depend on the model and
// seed alone.
//
// Written, if set, is called while the chunks are written, with the tokens that are
// done and their number.
func CollectImatrixSelf(ctx context.Context, m *Model, seed uint64, into *imatrix.Matrix, opt ImatrixOptions, written func(done, total int)) error {
	if err := opt.check(); err != nil {
		return err
	}
	if err := m.setRun(&opt); err != nil { // before the work of writing
		return err
	}
	n := opt.Chunks
	if n == 0 {
		n = SelfChunks
	}
	chunks, err := m.write(ctx, opt.Skip, n, opt.Context, seed, written)
	if err != nil {
		return fmt.Errorf("mpt: imatrix: %w", err)
	}
	return m.collect(ctx, chunks, into, opt)
}

// write returns n chunks of so many tokens, from number first on, which the model writes.
func (m *Model) write(ctx context.Context, first, n, length int, seed uint64, written func(done, total int)) ([][]int32, error) {
	start, err := m.startToken()
	if err != nil {
		return nil, err
	}
	together := max(min(int(selfCache/max(m.CacheBytes(length), 1)), headBatch, m.opt.batch), 1)
	chunks := make([][]int32, n)
	for from := 0; from < n; from += together {
		part := chunks[from:min(from+together, n)]
		w := &writer{m: m, length: length}
		if err := w.begin(len(part), start, seed+uint64(first+from)); err != nil {
			return nil, err
		}
		err := w.run(ctx, func(position int) {
			if written != nil {
				written(from*length+len(part)*position, n*length)
			}
		})
		w.close()
		if err != nil {
			return nil, err
		}
		copy(part, w.tokens)
	}
	return chunks, nil
}

// startToken returns the token that documents begin with, or else follow.
func (m *Model) startToken() (int32, error) {
	for _, id := range []int32{m.tok.BOS(), m.tok.EOS()} {
		if id >= 0 && int(id) < m.config.Vocab {
			return id, nil
		}
	}
	return 0, fmt.Errorf("the vocabulary has no token that a document begins with or ends with: give a text")
}

// writer lets a model write several chunks at once: reading all weights for one token
// of each costs hardly more than for one of one.
type writer struct {
	m        *Model
	length   int
	sessions []*Session
	chains   []*sampling.Chain
	tokens   [][]int32 // of each chunk, so far
}

// begin makes n chunks of a token. Chunk i is drawn with the seed that is i more.
func (w *writer) begin(n int, start int32, seed uint64) error {
	for i := range n {
		s, err := w.m.NewSession(ContextSize(w.length))
		if err != nil {
			w.close()
			return err
		}
		chain, err := sampling.New(sampling.Params{
			Seed: seed + uint64(i), Temp: 1, TopP: 1, Typical: 1, RepeatPenalty: 1, DRYBase: 1.75, XTCThreshold: 1,
		}, nil)
		w.sessions = append(w.sessions, s)
		if err != nil {
			w.close()
			return err
		}
		w.chains = append(w.chains, chain)
		w.tokens = append(w.tokens, []int32{start})
	}
	return nil
}

func (w *writer) close() {
	for _, s := range w.sessions {
		s.Close()
	}
}

// run writes the chunks to their ends.
func (w *writer) run(ctx context.Context, progress func(position int)) error {
	r, err := w.m.borrow(&w.sessions[0].adapters)
	if err != nil {
		return err
	}
	defer w.m.giveBack(r)
	for pos := range w.length - 1 {
		if err := w.next(ctx, r, pos); err != nil {
			return err
		}
		progress(pos + 1)
	}
	return nil
}

// next draws the token after position pos of every chunk.
func (w *writer) next(ctx context.Context, r *runner, pos int) error {
	ids, caches := make([]int32, len(w.tokens)), make([][]*ggml.KV, len(w.tokens))
	for i, s := range w.sessions {
		s.cache.prepare(pos, pos+1)
		ids[i], caches[i] = w.tokens[i][pos], s.cache.layers
	}
	if err := r.runSequences(ctx, ids, pos, caches); err != nil {
		return err
	}
	if err := r.project(ctx, 0, len(ids)); err != nil {
		return err
	}
	for i, chain := range w.chains {
		id, err := chain.Sample(r.head.Row(r.logits, i))
		if err != nil {
			return fmt.Errorf("token %d: %w", pos+1, err)
		}
		w.tokens[i] = append(w.tokens[i], id)
	}
	return nil
}
