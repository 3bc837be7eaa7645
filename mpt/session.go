package mpt

import (
	"context"
	"fmt"
	"slices"
)

// Session is one sequence of tokens with its keys and values. It serves one
// goroutine at a time.
type Session struct {
	m        *Model
	context  int
	adapters adapterSet
	cache    cache
	tokens   []int32
	logits   []float32 // of the last token
	valid    bool      // logits belong to the last token
	closed   bool
	sums     *inputSums // if not nil, adds up what the matrices are multiplied with
}

// NewSession returns an empty session. If the model and a full session need more
// memory than the system has left it fails, with a [*MemoryError].
func (m *Model) NewSession(opts ...SessionOption) (*Session, error) {
	if m.closed.Load() {
		return nil, errClosed
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
	if err := m.checkMemory(o.context); err != nil {
		return nil, err
	}
	return m.newSession(o.context), nil
}

// newSession returns a session for so many tokens, which have been checked.
func (m *Model) newSession(context int) *Session {
	m.sessions.Add(1)
	return &Session{
		m:        m,
		context:  context,
		adapters: newAdapterSet(m.adapters),
		cache:    m.newCache(),
		logits:   make([]float32, m.config.Vocab),
	}
}

// Close releases the session's memory. It may be called more than once.
func (s *Session) Close() {
	if s.closed {
		return
	}
	s.closed = true
	s.cache, s.tokens, s.logits = cache{}, nil, nil
	s.m.sessions.Add(-1)
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
	return s.eval(ctx, ids, nil)
}

// EvalAll is Eval that hands the logits after every token, in order, to visit:
// i counts the tokens of ids, logits are valid during the call. An error of
// visit ends the evaluation.
func (s *Session) EvalAll(ctx context.Context, ids []int32, visit func(i int, logits []float32) error) error {
	return s.eval(ctx, ids, visit)
}

func (s *Session) eval(ctx context.Context, ids []int32, visit func(int, []float32) error) error {
	if err := s.check(ids); err != nil {
		return err
	}
	r, err := s.m.borrow(&s.adapters)
	if err != nil {
		return err
	}
	defer s.m.giveBack(r)
	if s.sums != nil {
		r.sumInputs(s.sums)
		defer r.sumInputs(nil)
	}
	for done := 0; done < len(ids); {
		part := ids[done:min(done+s.m.opt.batch, len(ids))]
		if err := s.batch(ctx, r, part); err != nil {
			return fmt.Errorf("mpt: %w", err)
		}
		if visit != nil {
			err = s.visit(ctx, r, done, len(part), visit)
		} else if done+len(part) == len(ids) {
			err = s.last(ctx, r, len(part)-1)
		}
		if err != nil {
			return err
		}
		done += len(part)
	}
	return nil
}

// check refuses tokens that are not in the vocabulary or do not fit.
func (s *Session) check(ids []int32) error {
	if s.closed || s.m.closed.Load() {
		return errClosed
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

// batch evaluates tokens that fit into one run.
func (s *Session) batch(ctx context.Context, r *runner, ids []int32) error {
	pos := len(s.tokens)
	s.cache.prepare(pos, pos+len(ids))
	s.valid = false
	if err := r.run(ctx, ids, pos, s.cache.layers); err != nil {
		return err
	}
	s.tokens = append(s.tokens, ids...)
	return nil
}

// last computes the logits of row i of the run, the session's last token.
func (s *Session) last(ctx context.Context, r *runner, i int) error {
	if err := r.project(ctx, i, 1); err != nil {
		return fmt.Errorf("mpt: %w", err)
	}
	copy(s.logits, r.head.Row(r.logits, 0))
	s.valid = true
	return nil
}

// visit computes the logits of all n rows of the run and hands them out;
// first is the index of row 0.
func (s *Session) visit(ctx context.Context, r *runner, first, n int, visit func(int, []float32) error) error {
	for i := 0; i < n; i += headBatch {
		rows := min(headBatch, n-i)
		if err := r.project(ctx, i, rows); err != nil {
			return fmt.Errorf("mpt: %w", err)
		}
		for k := range rows {
			if err := visit(first+i+k, r.head.Row(r.logits, k)); err != nil {
				return err
			}
		}
		copy(s.logits, r.head.Row(r.logits, rows-1))
	}
	s.valid = true
	return nil
}

// Truncate keeps the first n tokens. Logits are gone until the next
// evaluation, unless n is the length already.
func (s *Session) Truncate(n int) error {
	if s.closed {
		return errClosed
	}
	if n < 0 || n > len(s.tokens) {
		return fmt.Errorf("mpt: Truncate to %d of %d tokens", n, len(s.tokens))
	}
	if n == len(s.tokens) {
		return nil
	}
	s.tokens = s.tokens[:n]
	s.cache.truncate(n)
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
	switch {
	case s.closed:
		return errClosed
	case !s.CanDrop():
		return fmt.Errorf("mpt: Drop: this model's keys depend on their positions; evaluate the remaining tokens again")
	case from < 0 || to < from || to > len(s.tokens):
		return fmt.Errorf("mpt: Drop of tokens %d to %d of %d", from, to, len(s.tokens))
	case from == to:
		return nil
	}
	if to == len(s.tokens) {
		return s.Truncate(from)
	}
	if err := s.cache.drop(s.m.pool, from, to, len(s.tokens)); err != nil {
		return fmt.Errorf("mpt: Drop: %w", err)
	}
	s.tokens = slices.Delete(s.tokens, from, to)
	return nil
}

// Fork returns a session with the same tokens. Their keys and values are
// shared until one of the two changes them, so a fork costs next to nothing.
func (s *Session) Fork() (*Session, error) {
	if s.closed || s.m.closed.Load() {
		return nil, errClosed
	}
	f := s.m.newSession(s.context)
	f.adapters = s.adapters
	f.cache = s.cache.fork(len(s.tokens))
	f.tokens = slices.Clone(s.tokens)
	copy(f.logits, s.logits)
	f.valid = s.valid
	return f, nil
}
