package measure

import (
	"context"
	"fmt"
	"mptgo/mpt"

	"mptgo/ggml"
	"mptgo/mpt/tokenizer"
	"mptgo/quantize/imatrix"
)

// ImatrixOptions are the choices of [CollectImatrix] and [CollectImatrixSelf].
type ImatrixOptions struct {
	// Context is the number of tokens in a chunk; 0 means 512. Every chunk is
	// evaluated on its own.
	Context int
	// Skip is the number of chunks at the start of the text to leave out.
	Skip int
	// Chunks limits how many chunks are evaluated; 0 means all.
	Chunks int
	// Documents reads the text as [PerplexityOptions.Documents] does.
	Documents bool
	// Output measures the input of the matrix that makes the logits, too. Its
	// name is token_embd.weight if the embeddings are tied; llama.cpp's program
	// leaves it out there.
	Output bool
	// Products also records the correlations of the inputs of neighbouring columns:
	// see [imatrix.Entry]. It takes four bytes for each column of a group, of each
	// column of a matrix.
	Products bool
	// Run is how many columns form a group whose correlations are recorded: a multiple
	// of 256, or 0, which means all columns if that takes no more than 1 GiB in all,
	// and otherwise the longest power of two that does not.
	Run int
	// Chunk, if set, is called after every chunk, when into holds what was
	// measured so far. An error ends the collection.
	Chunk func(done, total int) error

	// Seed says which text a model writes for [CollectImatrixSelf]. Written, if set, is
	// called while it does, with the tokens that are written and their number.
	Seed    uint64
	Written func(done, total int)
}

// CollectImatrix evaluates text and adds the squares of the inputs of all matrices
// to into. If it fails, or ctx is done, the last chunk may be in it in part.
func CollectImatrix(ctx context.Context, m *mpt.Model, text string, into *imatrix.Matrix, opt ImatrixOptions) error {
	if err := opt.check(); err != nil {
		return err
	}
	chunks, err := imatrixChunks(m, text, opt)
	if err != nil {
		return err
	}
	return collect(ctx, m, chunks, into, opt)
}

// check sets what is not chosen and refuses what cannot be.
func (o *ImatrixOptions) check() error {
	if o.Context == 0 {
		o.Context = 512
	}
	if o.Context < 1 || o.Chunks < 0 || o.Skip < 0 {
		return fmt.Errorf("measure: imatrix: %d chunks of %d tokens after %d: none may be negative",
			o.Chunks, o.Context, o.Skip)
	}
	return nil
}

// collect evaluates chunks and adds what it measures to into.
func collect(ctx context.Context, m *mpt.Model, chunks [][]int32, into *imatrix.Matrix, opt ImatrixOptions) error {
	if err := setRun(m, &opt); err != nil {
		return err
	}
	s, err := m.NewSession(mpt.ContextSize(opt.Context))
	if err != nil {
		return err
	}
	defer s.Close()
	sums := &inputSums{into: into, output: opt.Output, products: opt.Products, run: opt.Run, last: outputName(m)}
	s.SumInputs(sums.of)
	for i, ids := range chunks {
		if err := sums.measure(ctx, s, ids); err != nil {
			return err
		}
		into.Chunks++
		if opt.Chunk == nil {
			continue
		}
		if err := opt.Chunk(i+1, len(chunks)); err != nil {
			return err
		}
	}
	return into.Check()
}

// imatrixChunks returns the tokens of the chunks. Where the vocabulary wants it, the
// first token of each is replaced by that which starts a text, as in llama.cpp.
func imatrixChunks(m *mpt.Model, text string, opt ImatrixOptions) ([][]int32, error) {
	ids, err := evaluationTokens(m, text, opt.Documents, tokenizer.EncodeOptions{AddSpecial: !opt.Documents})
	if err != nil {
		return nil, fmt.Errorf("measure: imatrix: %w", err)
	}
	n := len(ids)/opt.Context - opt.Skip
	if n < 1 {
		return nil, fmt.Errorf("measure: imatrix: the text has %s, which is no whole chunk of %d after the first %d",
			tokens(len(ids)), opt.Context, opt.Skip)
	}
	if opt.Chunks > 0 {
		n = min(n, opt.Chunks)
	}
	chunks := make([][]int32, n)
	for i := range chunks {
		at := (opt.Skip + i) * opt.Context
		chunks[i] = ids[at : at+opt.Context]
		if m.Tokenizer().AddsBOS() {
			chunks[i][0] = m.Tokenizer().BOS()
		}
	}
	return chunks, nil
}

// outputName returns the name of the matrix that makes the logits.
func outputName(m *mpt.Model) string {
	all := m.Matrices()
	return all[len(all)-1].Name
}

// inputSums hands the sums of an importance matrix to the graph of a session.
type inputSums struct {
	into             *imatrix.Matrix
	output, products bool
	run              int    // columns of a group
	last             string // the matrix that makes the logits
	err              error  // the first one
}

// measure evaluates one chunk. The logits of all its tokens are computed only if
// somebody wants to know what they are made of.
func (q *inputSums) measure(ctx context.Context, s *mpt.Session, ids []int32) error {
	if err := s.Reset(); err != nil {
		return err
	}
	q.err = nil
	var opt mpt.EvalOptions
	if q.output {
		opt.Logits = mpt.AllLogits
	}
	if err := s.EvalWith(ctx, ids, opt); err != nil {
		return err
	}
	return q.err
}

// of returns the sums for the inputs of w, of which there are n more.
func (q *inputSums) of(w *ggml.Matrix, n int) ggml.Sums {
	if w.Name == q.last && !q.output {
		return ggml.Sums{}
	}
	e, err := q.into.Entry(w.Name, w.Cols)
	if err != nil {
		if q.err == nil {
			q.err = err
		}
		return ggml.Sums{}
	}
	e.Rows += int64(n)
	if q.products {
		if err := e.NeedProducts(q.run); err != nil && q.err == nil {
			q.err = fmt.Errorf("measure: imatrix: %s: %w", w.Name, err)
		}
		return ggml.Sums{Squares: e.Sum2, Products: e.Products, Run: e.Run}
	}
	return ggml.Sums{Squares: e.Sum2}
}
