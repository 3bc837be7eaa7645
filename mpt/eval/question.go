package eval

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"slices"
	"strings"

	"mptgo/mpt"
	"mptgo/mpt/tokenizer"
)

// run is one evaluation of a task: with so many examples, of one category.
type run struct {
	Name  string // task/N-shot[/category]
	group string // task/N-shot, of which this is a category; else ""
	task  string
	rules string // "foundry" or "lm-eval"
	shots int
	rows  []*row
	files map[string]string // SHA-256 by path
	extra string            // what else decides about the results, for the journal

	fewshot [][]int // the examples of each row
	ask     func(e *encoder, i int) (*question, error)
	judge   func(q *question)
	metrics func(samples []*Sample) []Metric
	random  *float64 // accuracy of guessing, if all rows have the same
}

// question is a row as the model is asked about it.
type question struct {
	row      *row
	sample   *Sample
	requests []*request
	left     int   // requests without an answer
	err      error // of the judgement
}

// request is a sequence of tokens of which the last are scored or generated.
type request struct {
	ctx, scored []int32
	gen         *generation // what follows ctx; nil: scored does
	question    *question

	score score
	n     int // of scored, so far
}

// score is what a model makes of the scored tokens.
type score struct {
	loglik float64 // sum of ln p
	greedy bool    // each is the most probable one, the first of equals
	sumP   float64 // of the probabilities
	minTop float64 // the smallest of the largest probabilities
}

// inputs returns how many tokens must be evaluated: after the last nothing is asked.
func (r *request) inputs() int {
	if r.gen != nil {
		return len(r.ctx)
	}
	return len(r.ctx) + len(r.scored) - 1
}

// at returns token p.
func (r *request) at(p int) int32 {
	if p < len(r.ctx) {
		return r.ctx[p]
	}
	return r.scored[p-len(r.ctx)]
}

// ids returns all tokens.
func (r *request) ids() []int32 { return slices.Concat(r.ctx, r.scored) }

// hash returns the first 16 hexadecimal digits of the SHA-256 of the tokens as int32.
func (r *request) hash() string {
	var b []byte
	for _, id := range r.ids() {
		b = binary.LittleEndian.AppendUint32(b, uint32(id))
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:8])
}

// add puts a request to a question.
func (q *question) add(r *request) {
	r.question = q
	r.score.greedy, r.score.minTop = true, 1
	q.requests = append(q.requests, r)
	q.left++
	q.sample.ContextTokens = append(q.sample.ContextTokens, len(r.ctx))
	q.sample.IDsHash = append(q.sample.IDsHash, r.hash())
}

// generation is a greedy continuation.
type generation struct {
	most    int      // tokens
	stops   []string // texts that end it
	decoder *tokenizer.Decoder
	isEnd   func(id int32) bool

	ids  []int32
	text strings.Builder
}

// next takes a token and reports whether another one is wanted.
func (g *generation) next(id int32) bool {
	if g.most == 0 || g.isEnd(id) {
		g.text.WriteString(g.decoder.Flush())
		return false
	}
	g.ids = append(g.ids, id)
	g.text.WriteString(g.decoder.Next(id))
	stopped := slices.ContainsFunc(g.stops, func(s string) bool { return s != "" && strings.Contains(g.text.String(), s) })
	if len(g.ids) == g.most || stopped {
		g.text.WriteString(g.decoder.Flush())
		return false
	}
	return true
}

// encoder turns the texts of tasks into tokens.
type encoder struct {
	tok         *tokenizer.Tokenizer
	context     int  // tokens that the model was trained for, or that the user wants
	chosen      bool // by the user
	prefixSpace bool // a word with a space before it is one token
}

func newEncoder(m *mpt.Model, context int) *encoder {
	e := &encoder{tok: m.Tokenizer(), context: context, chosen: context > 0}
	if context == 0 {
		e.context = m.Config().Context
	}
	e.prefixSpace = len(e.ids(" a")) == 1
	return e
}

// ids returns the tokens of a text without those that begin one. Special tokens that are
// spelled out are read as such, as transformers does.
func (e *encoder) ids(text string) []int32 {
	return e.tok.Encode(text, tokenizer.EncodeOptions{ParseSpecial: true})
}

// head returns the tokens of a text with those that begin one.
func (e *encoder) head(text string) []int32 {
	return e.tok.Encode(text, tokenizer.EncodeOptions{ParseSpecial: true, AddSpecial: true})
}

// generation returns one of at most so many tokens.
func (e *encoder) generation(most int, stops []string) *generation {
	g := &generation{most: most, stops: stops, isEnd: e.tok.IsEOG,
		decoder: e.tok.NewDecoder(tokenizer.DecodeOptions{SkipControl: true, Start: true})}
	if !e.prefixSpace {
		g.text.WriteByte(' ') // which decoding takes away; llm-foundry puts it back
	}
	return g
}
