package mpt

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"mptgo/ggml"
)

// Session is one sequence of tokens with its keys and values. It serves one
// goroutine at a time.
type Session struct {
	m        *Model
	context  int
	adapters adapterSet
	cache    cache
	tokens   []int32
	logits   []float32 // of the last token; nil as long as there were none
	valid    bool      // logits belong to the last token
	ahead    ahead     // what is evaluated beyond the tokens
	closed   bool
	sums     func(w *ggml.Matrix, rows int) ggml.Sums // see SumInputs

	batcher *Batcher   // that it shares batches by; nil: none
	step    [1]Step    // of an evaluation
	using   sync.Mutex // held by the call that is under way
	busy    sync.Mutex // held by the Run that it is part of
}

// NewSession returns an empty session. If the model and a full session need more
// memory than the system has left it fails, with a [*MemoryError].
func (m *Model) NewSession(opts ...SessionOption) (*Session, error) {
	if m.closed.Load() {
		return nil, ErrClosed
	}
	o := sessionOptions{}
	for _, opt := range opts {
		opt(&o)
	}
	if o.context == 0 {
		o.context = m.config.Context
	}
	if o.context < 1 || o.context > maxContext {
		return nil, fmt.Errorf("mpt: a context of %d tokens: want 1 to %d", o.context, maxContext)
	}
	if m.w.wpe != nil && o.context > m.config.Context {
		return nil, fmt.Errorf("mpt: a context of %d tokens: this model has learned positions for %d", o.context, m.config.Context)
	}
	if !o.noReserve {
		if err := m.checkMemory(o.context); err != nil {
			return nil, m.logRefused(err)
		}
	} else if err := m.budget(); err != nil {
		return nil, err
	}
	return m.newSession(o.context)
}

// newSession returns a session for so many tokens, which have been checked.
func (m *Model) newSession(context int) (*Session, error) {
	s := &Session{
		m:        m,
		context:  context,
		adapters: newAdapterSet(m.adapters),
		cache:    m.newCache(),
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed.Load() {
		return nil, ErrClosed
	}
	m.sessions[s] = s.adapters.active
	return s, nil
}

// Close releases the session's memory, after an evaluation that it is part of. It may be
// called more than once.
func (s *Session) Close() {
	s.using.Lock()
	s.busy.Lock()
	defer s.leave()
	if s.closed {
		return
	}
	s.closed = true
	s.cache.truncate(0)
	s.tokens, s.logits, s.valid = nil, nil, false
	s.ahead.forget()
	s.ahead.rows = nil
	s.m.mu.Lock()
	defer s.m.mu.Unlock()
	delete(s.m.sessions, s)
}

// enter keeps others from using the session until leave. Who comes at the same time, against
// the rule, gets an error.
func (s *Session) enter() error {
	if !s.using.TryLock() {
		return ErrBusy
	}
	if !s.busy.TryLock() {
		s.using.Unlock()
		return ErrBusy
	}
	if s.closed {
		s.leave()
		return ErrClosed
	}
	return nil
}

func (s *Session) leave() {
	s.busy.Unlock()
	s.using.Unlock()
}

// Model returns the session's model.
func (s *Session) Model() *Model { return s.m }

// Len returns the number of tokens in the session.
func (s *Session) Len() int { return len(s.tokens) }

// ContextSize returns the number of tokens that the session can hold.
func (s *Session) ContextSize() int { return s.context }

// Tokens returns the session's tokens. The slice is valid until the next call
// that changes the session and must not be modified.
func (s *Session) Tokens() []int32 { return s.tokens }

// Logits returns the scores of all tokens of the vocabulary to follow the last
// one, or nil if there is none. The slice is valid until the next call that
// changes the session and must not be modified.
func (s *Session) Logits() []float32 {
	if !s.valid {
		return nil
	}
	return s.logits
}

// Eval appends tokens. Tokens that are not in the vocabulary or do not fit into the
// context ([ErrContextFull]) are refused before anything is evaluated. If it fails
// later, for example because ctx is done, the session holds the tokens before and
// perhaps the first of the new ones: [Session.Len] tells.
func (s *Session) Eval(ctx context.Context, ids []int32) error {
	return s.EvalWith(ctx, ids, EvalOptions{})
}

// EvalAll is Eval that hands the logits after every token, in order, to visit:
// i counts the tokens of ids, logits are valid during the call. An error of
// visit ends the evaluation.
func (s *Session) EvalAll(ctx context.Context, ids []int32, visit func(i int, logits []float32) error) error {
	return s.EvalWith(ctx, ids, EvalOptions{Logits: AllLogits, Visit: visit})
}

// EvalOptions are the choices of [Session.EvalWith].
type EvalOptions struct {
	// Visit is handed the logits after every token, in order: i counts the tokens, the
	// logits are valid during the call, which must not use the model itself. An error
	// ends the evaluation.
	Visit func(i int, logits []float32) error
	// Score is the same for several tokens at the same time, see [Step].
	Score func(i int, logits []float32) error
	// Logits says which are computed: all from token First on if Visit or Score is set,
	// or with AllStates the states that they come from, for Visit.
	Logits Wanted
	First  int
	// Draft are guesses of the tokens that follow, see [Step]. A [Batcher] leaves them out.
	Draft []int32
	// Progress is told after every batch how many of the tokens are evaluated.
	Progress func(done int)
}

// EvalWith is [Session.Eval] with choices.
func (s *Session) EvalWith(ctx context.Context, ids []int32, opt EvalOptions) error {
	if !s.using.TryLock() {
		return ErrBusy
	}
	defer s.using.Unlock()
	if err := s.check(ids); err != nil || len(ids) == 0 {
		return err
	}
	s.step[0] = Step{
		Session: s, IDs: ids, Logits: opt.Logits, First: opt.First,
		Visit: opt.Visit, Score: opt.Score, Draft: opt.Draft, Progress: opt.Progress,
	}
	if (opt.Visit != nil || opt.Score != nil) && opt.Logits != AllStates {
		s.step[0].Logits = AllLogits
	}
	if s.batcher != nil {
		return s.batcher.run(ctx, &s.step[0])
	}
	if err := s.m.Run(ctx, s.step[:]); err != nil {
		return err
	}
	return s.step[0].Err
}

// check refuses tokens that are not in the vocabulary or do not fit.
func (s *Session) check(ids []int32) error {
	if s.closed || s.m.closed.Load() {
		return ErrClosed
	}
	if err := s.inVocabulary(ids); err != nil {
		return fmt.Errorf("mpt: %w", err)
	}
	if len(s.tokens)+len(ids) > s.context {
		return fmt.Errorf("mpt: %d tokens after %d do not fit into %d: %w", len(ids), len(s.tokens), s.context, ErrContextFull)
	}
	return nil
}

func (s *Session) inVocabulary(ids []int32) error {
	for i, id := range ids {
		if id < 0 || int(id) >= s.m.config.Vocab {
			return fmt.Errorf("token %d at index %d is not in the vocabulary of %d", id, i, s.m.config.Vocab)
		}
	}
	return nil
}

// SumInputs has the session's evaluations add up what matrices are multiplied with: sums is
// asked before each product, see [ggml.Exec.SumInputs]. Such a session has its batches for
// itself. Nil ends it.
func (s *Session) SumInputs(sums func(w *ggml.Matrix, rows int) ggml.Sums) {
	s.sums = sums
	s.ahead.forget() // what was guessed is evaluated again, or its inputs would be missing
}

// prepare makes room for n more tokens.
func (s *Session) prepare(n int) error {
	return s.wrap(s.cache.prepare(len(s.tokens), len(s.tokens)+n), len(s.tokens)+n)
}

// wrap is short for an error that does not say yet where it comes from.
func (s *Session) wrap(err error, n int) error {
	if err != nil && !errors.Is(err, errNoPage) {
		return fmt.Errorf("mpt: %w", err)
	}
	return s.short(err, n)
}

// short makes the lack of a page, for a session of n tokens, a [*MemoryError].
func (s *Session) short(err error, n int) error {
	if !errors.Is(err, errNoPage) {
		return err
	}
	own := int64(len(s.cache.pages)) * s.cache.pool.pageBytes()
	return s.m.memoryError(n, s.cache.pool.inUse()-own)
}

// Truncate keeps the first n tokens. Logits are gone until the next
// evaluation, unless n is the length already.
func (s *Session) Truncate(n int) error {
	if err := s.enter(); err != nil {
		return err
	}
	defer s.leave()
	return s.truncate(n)
}

func (s *Session) truncate(n int) error {
	if n < 0 || n > len(s.tokens) {
		return fmt.Errorf("mpt: Truncate to %d of %d tokens", n, len(s.tokens))
	}
	if n == len(s.tokens) {
		return nil
	}
	s.tokens = s.tokens[:n]
	s.forgetAhead()
	s.valid = false
	return nil
}

// Reset removes all tokens.
func (s *Session) Reset() error { return s.Truncate(0) }

// CanDrop reports whether [Session.Drop] works: whether keys do not depend on
// their position.
func (s *Session) CanDrop() bool { return s.m.config.AlibiMax > 0 }

// Drop removes the tokens [from, to) and moves the later ones forward without
// computing them again. What those have taken from the removed ones stays in
// their keys and values, so the result is not that of evaluating the remaining
// tokens afresh; it is what a sliding window sees. Only ALiBi models can do it.
func (s *Session) Drop(from, to int) error {
	if err := s.enter(); err != nil {
		return err
	}
	defer s.leave()
	switch {
	case !s.CanDrop():
		return fmt.Errorf("mpt: Drop: this model's keys depend on their positions; evaluate the remaining tokens again")
	case from < 0 || to < from || to > len(s.tokens):
		return fmt.Errorf("mpt: Drop of tokens %d to %d of %d", from, to, len(s.tokens))
	case from == to:
		return nil
	}
	if to == len(s.tokens) {
		return s.truncate(from)
	}
	s.forgetAhead()
	if err := s.cache.drop(s.m.pool, from, to, len(s.tokens)); err != nil {
		return s.wrap(err, len(s.tokens))
	}
	s.tokens = slices.Delete(s.tokens, from, to)
	return nil
}

// Unshare copies the pages of keys and values that the session shares with forks, so that
// it has all of them to itself.
func (s *Session) Unshare() error {
	if err := s.enter(); err != nil {
		return err
	}
	defer s.leave()
	return s.wrap(s.cache.prepare(0, len(s.tokens)), len(s.tokens))
}

// Fork returns a session with the same tokens. Their keys and values are
// shared until one of the two changes them, so a fork costs next to nothing.
func (s *Session) Fork() (*Session, error) {
	if err := s.enter(); err != nil {
		return nil, err
	}
	defer s.leave()
	f, err := s.m.newSession(s.context)
	if err != nil {
		return nil, err
	}
	f.batcher = s.batcher
	f.setAdapters(s.adapters)
	f.cache = s.cache.fork(f.cache, len(s.tokens))
	f.tokens = slices.Clone(s.tokens)
	if f.valid = s.valid; f.valid {
		f.logits = slices.Clone(s.logits)
	}
	return f, nil
}
