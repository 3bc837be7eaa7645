package serve

import (
	"context"
	"io"

	"mptgo/mpt"
)

// lend hands a copy of the prompt's session to who waits for it. Its pages are held until
// giveBack.
func (s *scheduler) lend(q *request) error {
	f, err := q.prompt.Fork()
	if err == nil {
		s.lent.Add(1)
		q.lent <- f
	}
	return err
}

// giveBack closes a session that others than the scheduler have used.
func (s *scheduler) giveBack(f *mpt.Session) {
	f.Close()
	s.lent.Add(-1)
	s.e.rouse()
}

// stopping reads and writes as long as somebody waits for it.
type stopping struct {
	w   io.Writer
	r   io.Reader
	ctx context.Context
	e   *Engine
}

func (x *stopping) err() error {
	if x.e.sched.abort.Load() {
		return ErrClosed
	}
	return context.Cause(x.ctx)
}

func (x *stopping) Write(b []byte) (int, error) {
	if err := x.err(); err != nil {
		return 0, err
	}
	return x.w.Write(b)
}

func (x *stopping) Read(b []byte) (int, error) {
	if err := x.err(); err != nil {
		return 0, err
	}
	return x.r.Read(b)
}

// do has the scheduler call f between two steps, and waits until it has.
func (e *Engine) do(f func(s *scheduler)) error {
	done := make(chan struct{})
	e.mu.Lock()
	if e.refuses != nil {
		defer e.mu.Unlock()
		return e.refuses
	}
	e.calls = append(e.calls, func() { f(&e.sched); close(done) })
	e.mu.Unlock()
	e.rouse()
	select {
	case <-done:
		return nil
	case <-e.done:
		return ErrClosed
	}
}
