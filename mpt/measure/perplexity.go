package measure

import (
	"context"
	"fmt"
	"math"
	"mptgo/mpt"
	"strings"

	"mptgo/mpt/tokenizer"
	"mptgo/sampling"
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
func Perplexity(ctx context.Context, m *mpt.Model, text string, opt PerplexityOptions) (PerplexityResult, error) {
	e, err := newEvaluation(m, text, opt)
	if err != nil {
		return PerplexityResult{}, err
	}
	return e.perplexity(ctx, scorer{})
}

// evaluation is a text in chunks that a model is measured on.
type evaluation struct {
	m      *mpt.Model
	opt    PerplexityOptions
	ids    []int32 // whole chunks
	chunks int     // of them to evaluate
	first  int     // index of the first token of a chunk whose logits are scored
}

// newEvaluation tokenises and cuts the text.
func newEvaluation(m *mpt.Model, text string, opt PerplexityOptions) (*evaluation, error) {
	if opt.Context == 0 {
		opt.Context = 512
	}
	if err := opt.check(); err != nil {
		return nil, fmt.Errorf("measure: perplexity: %w", err)
	}
	ids, err := evaluationTokens(m, text, opt.Documents, tokenizer.EncodeOptions{AddSpecial: !opt.Documents})
	if err != nil {
		return nil, fmt.Errorf("measure: perplexity: %w", err)
	}
	e := &evaluation{m: m, opt: opt, chunks: len(ids) / opt.Context}
	if e.chunks == 0 {
		return nil, fmt.Errorf("measure: perplexity: the text has %s, less than one chunk of %d",
			tokens(len(ids)), opt.Context)
	}
	e.ids = ids[:e.chunks*opt.Context]
	if m.Tokenizer().AddsBOS() { // as in llama.cpp, and for importance matrices
		for at := 0; at < len(e.ids); at += opt.Context {
			e.ids[at] = m.Tokenizer().BOS()
		}
	}
	if opt.Chunks > 0 {
		e.chunks = min(e.chunks, opt.Chunks)
	}
	if !opt.Documents {
		e.first = opt.Context / 2
	}
	return e, nil
}

// scored is a token that is predicted.
type scored struct {
	logits []float32 // valid during the call
	id     int32     // the token that comes
	lse    float64   // ln of the sum of the exponentials
	nll    float64   // -ln p(id)
}

// scorer is told of scored tokens, number k of all: work by several goroutines at the same
// time, for what takes long, then visit, in order. At most [mpt.ScoreBlock] tokens lie between.
type scorer struct {
	work, visit func(k int, x scored) error
}

// perplexity evaluates the chunks and tells the scorer of every token, too.
func (e *evaluation) perplexity(ctx context.Context, to scorer) (PerplexityResult, error) {
	s, err := e.m.NewSession(mpt.ContextSize(e.opt.Context))
	if err != nil {
		return PerplexityResult{}, err
	}
	defer s.Close()
	var sum nllSum
	for c := range e.chunks {
		ids := e.ids[c*e.opt.Context : (c+1)*e.opt.Context]
		if err := score(ctx, s, ids, e.first, &sum, to); err != nil {
			return PerplexityResult{}, err
		}
		if e.opt.Progress != nil {
			e.opt.Progress(c+1, e.chunks, sum.result().Perplexity)
		}
	}
	r := sum.result()
	r.Chunks = e.chunks
	return r, nil
}

// check refuses a context in which no token would be scored.
func (o *PerplexityOptions) check() error {
	least := 3 // the second half of two tokens has no successor
	if o.Documents {
		least = 2
	}
	if o.Context < least {
		return fmt.Errorf("a context of %s: want at least %d", tokens(o.Context), least)
	}
	if o.Chunks < 0 {
		return fmt.Errorf("%d chunks: want 0, which means all, or more", o.Chunks)
	}
	return nil
}

// evaluationTokens tokenises an evaluation text, one or a list of documents.
func evaluationTokens(m *mpt.Model, text string, documents bool, opt tokenizer.EncodeOptions) ([]int32, error) {
	if !documents {
		return m.Tokenizer().Encode(text, opt), nil
	}
	end, ok := m.Tokenizer().ID(endOfText)
	if !ok {
		return nil, fmt.Errorf("the vocabulary has no %s to separate documents", endOfText)
	}
	var ids []int32
	for _, doc := range splitDocuments(text) {
		ids = m.Tokenizer().AppendEncode(ids, doc, opt)
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

// nllSum adds up negative log-likelihoods, or other values.
type nllSum struct {
	n               int
	sum, sumSquares float64
}

func (a *nllSum) add(nll float64) {
	a.n++
	a.sum += nll
	a.sumSquares += nll * nll
}

// score evaluates ids from an empty session, adds up -ln p of the tokens after index first
// and tells the scorer of them. Nothing needs the logits of the others, nor the last token.
func score(ctx context.Context, s *mpt.Session, ids []int32, first int, sum *nllSum, to scorer) error {
	if err := s.Reset(); err != nil {
		return err
	}
	var block [mpt.ScoreBlock]scored
	had := sum.n
	return s.EvalWith(ctx, ids[:len(ids)-1], mpt.EvalOptions{
		First: first,
		Score: func(i int, logits []float32) error {
			lse := sampling.LogSum(logits)
			x := scored{logits, ids[i+1], lse, lse - float64(logits[ids[i+1]])}
			if math.IsNaN(x.nll) {
				return fmt.Errorf("measure: perplexity: the logits after token %d are not numbers", i)
			}
			block[i%len(block)] = x
			return call(to.work, had+i-first, x)
		},
		Visit: func(i int, _ []float32) error {
			x := block[i%len(block)]
			sum.add(x.nll)
			return call(to.visit, had+i-first, x)
		},
	})
}

func call(f func(int, scored) error, k int, x scored) error {
	if f == nil {
		return nil
	}
	return f(k, x)
}

func (a *nllSum) mean() float64 { return a.sum / float64(a.n) }

func (a *nllSum) variance() float64 {
	return max(a.sumSquares/float64(a.n)-a.mean()*a.mean(), 0)
}

// stdErr returns the standard error of the mean, 0 of a single value.
func (a *nllSum) stdErr() float64 { return math.Sqrt(a.variance() / float64(max(a.n-1, 1))) }

func (a *nllSum) result() PerplexityResult {
	ppl := math.Exp(a.mean())
	return PerplexityResult{Perplexity: ppl, MeanNLL: a.mean(), Tokens: a.n, StdErr: ppl * a.stdErr()}
}

// tokens returns n with the right word.
func tokens(n int) string {
	if n == 1 {
		return "1 token"
	}
	return fmt.Sprintf("%d tokens", n)
}
