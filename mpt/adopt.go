package mpt

import (
	"errors"
	"fmt"

	"mptgo/ggml"
)

// CopyFrom replaces the session's content by the first n tokens of another session of the
// same model with the same adapters: their keys and values are shared until one of the two
// changes them, as after [Session.Fork]. With all tokens of the other its logits come along.
func (s *Session) CopyFrom(o *Session, n int) error {
	if s == o {
		return errors.New("mpt: CopyFrom: a session cannot be copied to itself")
	}
	leave, err := enterBoth(s, o)
	if err != nil {
		return err
	}
	defer leave()
	switch {
	case s.m != o.m:
		return errors.New("mpt: CopyFrom: a session of another model")
	case n < 0 || n > len(o.tokens):
		return fmt.Errorf("mpt: CopyFrom: %d tokens of %d", n, len(o.tokens))
	case n > s.context:
		return fmt.Errorf("mpt: CopyFrom: %d tokens do not fit into %d: %w", n, s.context, ErrContextFull)
	case !s.adapters.same(&o.adapters):
		return errors.New("mpt: CopyFrom: the other session has other adapters")
	}
	s.ahead.forget()
	s.cache.truncate(0)
	s.cache = o.cache.fork(s.cache, n)
	s.tokens = append(s.tokens[:0], o.tokens[:n]...)
	s.valid = o.valid && n == len(o.tokens)
	if s.valid {
		s.logits = append(s.logits[:0], o.logits...)
	}
	return nil
}

// ShareWith gives up the session's own pages of keys and values for the tokens that another
// session begins with, too, in favour of those of the other, which hold the same bits. It
// changes nothing but the memory that both take. Pages that are not full stay. Neither may have
// dropped tokens, see [Session.Drop].
func (s *Session) ShareWith(o *Session) error {
	if s == o {
		return nil
	}
	leave, err := enterBoth(s, o)
	if err != nil {
		return err
	}
	defer leave()
	if s.m != o.m || !s.adapters.same(&o.adapters) {
		return errors.New("mpt: ShareWith: a session of another model, or with other adapters")
	}
	for i := range CommonPrefix(s.tokens, o.tokens) / ggml.PageSize {
		s.cache.use(i, o.cache.pages[i])
	}
	return nil
}

// ForgetLogits releases the memory of the session's logits. The next evaluation brings others.
func (s *Session) ForgetLogits() error {
	if err := s.enter(); err != nil {
		return err
	}
	defer s.leave()
	s.logits, s.valid, s.ahead.rows = nil, false, nil
	s.forgetAhead()
	return nil
}

// enterBoth enters two sessions, of which none may be in use.
func enterBoth(a, b *Session) (leave func(), err error) {
	if err := a.enter(); err != nil {
		return nil, err
	}
	if err := b.enter(); err != nil {
		a.leave()
		return nil, err
	}
	return func() { a.leave(); b.leave() }, nil
}

// use puts a page that others hold in the place of page i.
func (c *cache) use(i int, p *page) {
	old := c.pages[i]
	if old == p {
		return
	}
	p.refs.Add(1)
	c.pages[i] = p
	for layer, kv := range c.layers {
		kv.Replace(i, &p.layers[layer])
	}
	c.pool.release(old)
}

// Parallel calls f(i) for every i in [0, n) on the model's threads and returns when all
// calls have ended. It takes turns with evaluations. A panic in f is raised again here.
func (m *Model) Parallel(n int, f func(i int)) error {
	return m.pool.Run(n, func(i, _ int) { f(i) })
}
