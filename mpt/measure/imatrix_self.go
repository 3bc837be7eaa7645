package measure

import (
	"context"
	"fmt"
	"mptgo/mpt"

	"mptgo/quantize/imatrix"
	"mptgo/sampling"
)

// SelfChunks is how many chunks a model writes for its own importance matrix unless
// it is asked for another number.
const SelfChunks = 128

// selfCache is how much memory the keys and values of chunks that are written together
// may take, in bytes.
const selfCache = 1 << 30

// selfTogether is how many chunks are written together at the most.
const selfTogether = 64

// CollectImatrixSelf is [CollectImatrix] on text that the model generates.
// Each of opt.Chunks chunks, 0 means 128, begins as a document does, and every token is
// drawn with the probability that the model gives it: temperature 1, no candidate left
// out. Where a document ends the next one begins. The chunks depend on the model and
// opt.Seed alone.
func CollectImatrixSelf(ctx context.Context, m *mpt.Model, into *imatrix.Matrix, opt ImatrixOptions) error {
	if err := opt.check(); err != nil {
		return err
	}
	if err := setRun(m, &opt); err != nil { // before the work of writing
		return err
	}
	n := opt.Chunks
	if n == 0 {
		n = SelfChunks
	}
	chunks, err := write(ctx, m, opt.Skip, n, opt.Context, opt.Seed, opt.Written)
	if err != nil {
		return fmt.Errorf("measure: imatrix: %w", err)
	}
	return collect(ctx, m, chunks, into, opt)
}

// write returns n chunks of so many tokens, from number first on, which the model writes.
func write(ctx context.Context, m *mpt.Model, first, n, length int, seed uint64, written func(done, total int)) ([][]int32, error) {
	start, err := startToken(m)
	if err != nil {
		return nil, err
	}
	together := max(min(int(selfCache/max(m.CacheBytes(length), 1)), selfTogether), 1)
	chunks := make([][]int32, n)
	for from := 0; from < n; from += together {
		part := chunks[from:min(from+together, n)]
		w := &writer{m: m, length: length}
		err := w.begin(len(part), start, seed+uint64(first+from))
		for position := 0; err == nil && position < length-1; position++ {
			if err = w.next(ctx); err == nil && written != nil {
				written(from*length+len(part)*(position+1), n*length)
			}
		}
		w.close()
		if err != nil {
			return nil, err
		}
		copy(part, w.tokens)
	}
	return chunks, nil
}

// startToken returns the token that documents begin with, or else follow.
func startToken(m *mpt.Model) (int32, error) {
	for _, id := range []int32{m.Tokenizer().BOS(), m.Tokenizer().EOS()} {
		if id >= 0 && int(id) < m.Config().Vocab {
			return id, nil
		}
	}
	return 0, fmt.Errorf("the vocabulary has no token that a document begins with or ends with: give a text")
}

// writer lets a model write several chunks at once: reading all weights for one token
// of each costs hardly more than for one of one.
type writer struct {
	m      *mpt.Model
	length int
	steps  []mpt.Step // with a session for each chunk
	chains []*sampling.Chain
	tokens [][]int32 // of each chunk, so far
}

// begin makes n chunks of a token. Chunk i is drawn with the seed that is i more.
func (w *writer) begin(n int, start int32, seed uint64) error {
	for i := range n {
		s, err := w.m.NewSession(mpt.ContextSize(w.length))
		if err != nil {
			return err
		}
		w.steps = append(w.steps, mpt.Step{Session: s})
		chain, err := sampling.New(sampling.Params{
			Seed: seed + uint64(i), Temp: 1, TopP: 1, Typical: 1, RepeatPenalty: 1, DRYBase: 1.75, XTCThreshold: 1,
		}, nil)
		if err != nil {
			return err
		}
		w.chains = append(w.chains, chain)
		w.tokens = append(w.tokens, []int32{start})
	}
	return nil
}

func (w *writer) close() {
	for _, s := range w.steps {
		s.Session.Close()
	}
}

// next draws the token after the last one of every chunk.
func (w *writer) next(ctx context.Context) error {
	for i := range w.steps {
		w.steps[i].IDs = w.tokens[i][len(w.tokens[i])-1:]
	}
	if err := w.m.Run(ctx, w.steps); err != nil {
		return err
	}
	for i := range w.steps {
		if err := w.steps[i].Err; err != nil {
			return err
		}
		id, err := w.chains[i].Sample(w.steps[i].Session.Logits())
		if err != nil {
			return fmt.Errorf("token %d: %w", len(w.tokens[i]), err)
		}
		w.tokens[i] = append(w.tokens[i], id)
	}
	return nil
}
