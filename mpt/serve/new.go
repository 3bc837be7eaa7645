package serve

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"time"

	"mptgo/mpt"
	"mptgo/sampling"
)

// request is a Request on its way.
type request struct {
	Request
	e      *Engine
	ctx    context.Context
	stop   func() bool // the watch over ctx
	stream *Stream
	lent   chan *mpt.Session // gets a copy of the evaluated prompt; nil: nobody wants it

	cancelled atomic.Bool // by its context or its reader

	// What follows is the scheduler's.
	prompt  *mpt.Session // as long as the prompt is read
	done    int          // tokens of the prompt that are evaluated
	choices []*choice    // from then on
	echoed  []*Logprob   // of the prompt's tokens
	pool    pool         // of their vectors
	trail   trail        // of the entry of the cache that it began with
	usage   Usage
	arrived time.Time
	started time.Time // its first turn
	read    time.Time // the prompt was evaluated
	order   int       // of the first turn
	chain   chain     // names its blocks on disk, if there is a cache there
	ended   bool
}

// newRequest checks a request.
func (e *Engine) newRequest(ctx context.Context, r Request) (*request, error) {
	if err := e.check(&r); err != nil {
		return nil, err
	}
	q := &request{Request: r, e: e, ctx: ctx, arrived: time.Now()}
	q.stop = func() bool { return true }
	q.Prompt = slices.Clone(r.Prompt)
	q.stream = &Stream{q: q, came: make(chan struct{}, 1)}
	q.usage.PromptTokens = len(q.Prompt)
	q.stream.usage = q.usage
	return q, nil
}

// check refuses what makes no sense, and sets defaults.
func (e *Engine) check(r *Request) error {
	bad := func(field, format string, args ...any) error {
		return &RequestError{field, fmt.Errorf(format, args...)}
	}
	if r.N == 0 {
		r.N = 1
	}
	if r.Adapters == nil {
		r.Adapters = e.m.Adapters()
	}
	if r.Pooling != NoPooling {
		r.N, r.MaxTokens, r.Echo, r.NoCache = 1, 0, false, true
	}
	vocab := e.m.Config().Vocab
	switch {
	case len(r.Prompt) == 0:
		return bad("Prompt", "it is empty: there is nothing to go on from")
	case r.N < 1 || r.N > e.opt.Parallel:
		return bad("N", "%d choices: want 1 to %d", r.N, e.opt.Parallel)
	case r.Logprobs < -1 || r.Logprobs > vocab:
		return bad("Logprobs", "%d: want -1 to %d", r.Logprobs, vocab)
	case r.Pooling < NoPooling || r.Pooling > LastPooling:
		return bad("Pooling", "%d is not known", r.Pooling)
	case r.Priority < -1 || r.Priority > 1:
		return bad("Priority", "%d: want -1 to 1", r.Priority)
	case len(r.Prompt) >= e.opt.ContextSize && (r.MaxTokens != 0 || len(r.Prompt) > e.opt.ContextSize):
		return &ContextError{len(r.Prompt), e.opt.ContextSize}
	}
	for i, id := range r.Prompt {
		if id < 0 || int(id) >= vocab {
			return bad("Prompt", "token %d at index %d is not in the vocabulary of %d", id, i, vocab)
		}
	}
	if _, err := sampling.New(r.Params, e.m.Tokenizer()); err != nil {
		return &RequestError{"Params", err}
	}
	return nil
}

// work is how many tokens a request is expected to take, for estimates.
func (q *request) work() int {
	n := q.MaxTokens
	if n < 0 || n > q.e.opt.ContextSize-len(q.Prompt) {
		n = q.e.opt.ContextSize - len(q.Prompt)
	}
	return len(q.Prompt) + min(n, 256)*q.N
}

// dead reports whether nobody wants the answer any more.
func (q *request) dead() bool { return q.cancelled.Load() }

// close releases what a request has and returns why it ended, and with which error.
func (q *request) close(err error) (mpt.Reason, error) {
	q.stop()
	if q.prompt != nil {
		q.prompt.Close()
		q.prompt = nil
	}
	for _, c := range q.choices {
		c.close()
		drafted, accepted := c.gen.Drafted()
		q.usage.Drafted += drafted
		q.usage.Accepted += accepted
	}
	if err == nil && q.ctx.Err() != nil {
		err = context.Cause(q.ctx)
	}
	if err == nil && q.dead() {
		err = errCancelled
	}
	if !q.read.IsZero() {
		q.usage.Decode = time.Since(q.read)
	}
	return q.why(err), err
}

// errCancelled is the error of a stream that its reader has closed.
var errCancelled = errors.New("the request was cancelled")

// why is the reason why the request ended, that of its first choice if all went well.
func (q *request) why(err error) mpt.Reason {
	switch {
	case q.dead() || q.ctx.Err() != nil:
		return mpt.EndedCancelled
	case err != nil:
		return mpt.EndedError
	case len(q.choices) == 0:
		return mpt.EndedLimit
	}
	return q.choices[0].gen.Why()
}
