package measure

import (
	"context"
	"fmt"
	"math"
	"mptgo/mpt"
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
func Perplexity(ctx context.Context, m *mpt.Model, text string, opt PerplexityOptions) (PerplexityResult, error) {
	e, err := newEvaluation(m, text, opt)
	if err != nil {
		return PerplexityResult{}, err
	}
	return e.perplexity(ctx, func(scored) error { return nil })
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
		return nil, fmt.Errorf("measure: perplexity: the text has %s, less than one chunk of %d", tokens(len(ids)), opt.Context)
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
	nll    float64   // -ln p(id)
}

// perplexity evaluates the chunks and hands every scored token to visit, too.
func (e *evaluation) perplexity(ctx context.Context, visit func(scored) error) (PerplexityResult, error) {
	s, err := e.m.NewSession(mpt.ContextSize(e.opt.Context))
	if err != nil {
		return PerplexityResult{}, err
	}
	defer s.Close()
	var sum nllSum
	for c := range e.chunks {
		ids := e.ids[c*e.opt.Context : (c+1)*e.opt.Context]
		err := score(ctx, s, ids, e.first, func(x scored) error {
			sum.add(x.nll)
			return visit(x)
		})
		if err != nil {
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

// score evaluates ids from an empty session and visits the predictions of the
// tokens after index first.
func score(ctx context.Context, s *mpt.Session, ids []int32, first int, visit func(scored) error) error {
	if err := s.Reset(); err != nil {
		return err
	}
	return s.EvalAll(ctx, ids, func(i int, logits []float32) error {
		if i < first || i+1 == len(ids) {
			return nil
		}
		nll := negLogSoftmax(logits, ids[i+1])
		if math.IsNaN(nll) {
			return fmt.Errorf("measure: perplexity: the logits after token %d are not numbers", i)
		}
		return visit(scored{logits, ids[i+1], nll})
	})
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

// negLogSoftmax returns -ln softmax(logits)[id], in float64.
func negLogSoftmax(logits []float32, id int32) float64 {
	return logSumExp(logits) - float64(logits[id])
}

// logSumExp returns ln(sum of exp(x)).
func logSumExp(x []float32) float64 {
	top := math.Inf(-1)
	for _, v := range x {
		top = max(top, float64(v))
	}
	sum := 0.0
	for _, v := range x {
		sum += math.Exp(float64(v) - top)
	}
	return top + math.Log(sum)
}

// tokens returns n with the right word.
func tokens(n int) string {
	if n == 1 {
		return "1 token"
	}
	return fmt.Sprintf("%d tokens", n)
}
