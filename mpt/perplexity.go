package mpt

import (
	"context"
	"fmt"
	"math"
	"strings"

	"mptgo/mpt/tokenizer"
)

// PerplexityOptions are the choices of [Perplexity].
type PerplexityOptions struct {
	// Context is the number of tokens in a chunk; 0 means 512. Every chunk is
	// evaluated on its own.
	Context int
	// Chunks limits how many chunks are evaluated; 0 means all.
	Chunks int
	// Documents reads the text as documents between lines of "<|endoftext|>":
	// each is trimmed and followed by the end-of-text token, and in every chunk
	// all tokens but the first are scored. Without it the rule is llama.cpp's:
	// one text, and the second half of every chunk is scored.
	Documents bool
	// Progress, if set, is called after every chunk.
	Progress func(done, total int, perplexity float64)
}

// PerplexityResult is how well a model predicts a text.
type PerplexityResult struct {
	Perplexity float64 `json:"perplexity"` // exp of MeanNLL
	MeanNLL    float64 `json:"mean_nll"`   // mean of -ln p(token)
	StdErr     float64 `json:"stderr"`     // standard error of Perplexity
	Tokens     int     `json:"tokens"`     // scored
	Chunks     int     `json:"chunks"`
}

// endOfText separates documents in evaluation files and is the token between
// them.
const endOfText = "<|endoftext|>"

// Perplexity measures m on text. A rest that does not fill a chunk is left out.
func Perplexity(ctx context.Context, m *Model, text string, opt PerplexityOptions) (PerplexityResult, error) {
	if opt.Context == 0 {
		opt.Context = 512
	}
	if err := opt.check(); err != nil {
		return PerplexityResult{}, fmt.Errorf("mpt: perplexity: %w", err)
	}
	ids, err := m.evaluationTokens(text, opt.Documents, tokenizer.EncodeOptions{})
	if err != nil {
		return PerplexityResult{}, fmt.Errorf("mpt: perplexity: %w", err)
	}
	chunks := len(ids) / opt.Context
	if chunks == 0 {
		return PerplexityResult{}, fmt.Errorf("mpt: perplexity: the text has %d tokens, less than one chunk of %d", len(ids), opt.Context)
	}
	if opt.Chunks > 0 {
		chunks = min(chunks, opt.Chunks)
	}
	s, err := m.NewSession(ContextSize(opt.Context))
	if err != nil {
		return PerplexityResult{}, err
	}
	defer s.Close()
	first := 0
	if !opt.Documents {
		first = opt.Context / 2
	}
	var sum nllSum
	for c := range chunks {
		if err := sum.chunk(ctx, s, ids[c*opt.Context:(c+1)*opt.Context], first); err != nil {
			return PerplexityResult{}, err
		}
		if opt.Progress != nil {
			opt.Progress(c+1, chunks, sum.result().Perplexity)
		}
	}
	r := sum.result()
	r.Chunks = chunks
	return r, nil
}

// check refuses a context in which no token would be scored.
func (o *PerplexityOptions) check() error {
	least := 3 // the second half of two tokens has no successor
	if o.Documents {
		least = 2
	}
	if o.Context < least {
		return fmt.Errorf("a context of %d tokens: want at least %d", o.Context, least)
	}
	if o.Chunks < 0 {
		return fmt.Errorf("%d chunks: want 0, which means all, or more", o.Chunks)
	}
	return nil
}

// evaluationTokens tokenises an evaluation text, one or a list of documents.
func (m *Model) evaluationTokens(text string, documents bool, opt tokenizer.EncodeOptions) ([]int32, error) {
	if !documents {
		return m.tok.Encode(text, opt), nil
	}
	end, ok := m.tok.ID(endOfText)
	if !ok {
		return nil, fmt.Errorf("the vocabulary has no %s to separate documents", endOfText)
	}
	var ids []int32
	for _, doc := range splitDocuments(text) {
		ids = m.tok.AppendEncode(ids, doc, opt)
		ids = append(ids, end)
	}
	return ids, nil
}

// splitDocuments cuts text at lines of "<|endoftext|>" and trims the parts;
// empty ones are left out.
func splitDocuments(text string) []string {
	var docs []string
	var doc strings.Builder
	flush := func() {
		if d := strings.TrimSpace(doc.String()); d != "" {
			docs = append(docs, d)
		}
		doc.Reset()
	}
	for line := range strings.Lines(text) {
		if strings.TrimSpace(line) == endOfText {
			flush()
			continue
		}
		doc.WriteString(line)
	}
	flush()
	return docs
}

// nllSum adds up negative log-likelihoods.
type nllSum struct {
	n               int
	sum, sumSquares float64
}

// chunk evaluates ids from an empty session and scores the tokens after index
// first.
func (a *nllSum) chunk(ctx context.Context, s *Session, ids []int32, first int) error {
	if err := s.Reset(); err != nil {
		return err
	}
	return s.EvalAll(ctx, ids, func(i int, logits []float32) error {
		if i < first || i+1 == len(ids) {
			return nil
		}
		nll := negLogSoftmax(logits, ids[i+1])
		if math.IsNaN(nll) {
			return fmt.Errorf("mpt: perplexity: the logits after token %d are not numbers", i)
		}
		a.n++
		a.sum += nll
		a.sumSquares += nll * nll
		return nil
	})
}

func (a *nllSum) result() PerplexityResult {
	n := float64(a.n)
	mean := a.sum / n
	r := PerplexityResult{Perplexity: math.Exp(mean), MeanNLL: mean, Tokens: a.n}
	if a.n > 1 {
		variance := max(a.sumSquares/n-mean*mean, 0)
		r.StdErr = r.Perplexity * math.Sqrt(variance/(n-1))
	}
	return r
}

// negLogSoftmax returns -ln softmax(logits)[id], in float64.
func negLogSoftmax(logits []float32, id int32) float64 {
	top := math.Inf(-1)
	for _, l := range logits {
		top = max(top, float64(l))
	}
	sum := 0.0
	for _, l := range logits {
		sum += math.Exp(float64(l) - top)
	}
	return top + math.Log(sum) - float64(logits[id])
}
