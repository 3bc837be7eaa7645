package mpt

import (
	"context"
	"errors"
	"runtime"
	"sync"
	"sync/atomic"
	"time"
)

// Batcher lets sessions of one model that are used by goroutines of their own share
// batches: what several ask for at about the same time is evaluated together, which takes
// hardly longer than one alone. Its sessions are made by [Batcher.NewSession] and used as
// all others. No result depends on what else is evaluated.
//
// Single tokens go first; what is left of a batch, at least a few rows, is shared by the
// longer texts, the oldest first. An error is that of the session that caused it. What is
// told of an evaluation, by Visit and Progress, is told by a goroutine of the batcher.
type Batcher struct {
	m *Model

	mu      sync.Mutex
	waiting []*ticket // oldest first
	running bool
	arrived chan struct{}
}

// sharedRows is how many tokens a batch holds at the most while somebody waits for a
// single one: a long prompt delays the others, but not by all of its length.
const sharedRows = 128

// leastRows is the least that a text gets of a batch if others want their share.
const leastRows = 32

// linger is how long a batch waits for sessions that were in the one before and have
// not come back yet. They choose a token in that time.
const linger = 300 * time.Microsecond

// NewBatcher returns a batcher for sessions of m.
func NewBatcher(m *Model) *Batcher {
	return &Batcher{m: m, arrived: make(chan struct{}, 1)}
}

// NewSession is [Model.NewSession] for a session, and forks of it, that shares batches.
func (b *Batcher) NewSession(opts ...SessionOption) (*Session, error) {
	s, err := b.m.NewSession(opts...)
	if err != nil {
		return nil, err
	}
	s.batcher = b
	return s, nil
}

// ticket is an evaluation that waits.
type ticket struct {
	ctx   context.Context
	step  *Step
	done  int  // tokens that are evaluated
	taken bool // into the batch in work
	left  bool // the caller has gone

	panicked atomic.Pointer[any] // what Visit or Score panicked with
	ready    chan struct{}
}

// run evaluates a step together with those of others.
func (b *Batcher) run(ctx context.Context, s *Step) error {
	t := &ticket{ctx: ctx, step: s, ready: make(chan struct{})}
	b.mu.Lock()
	b.waiting = append(b.waiting, t)
	if !b.running {
		b.running = true
		go b.loop()
	}
	b.mu.Unlock()
	select {
	case b.arrived <- struct{}{}:
	default:
	}
	select {
	case <-t.ready:
	case <-ctx.Done():
		b.leave(t)
		<-t.ready
	}
	if x := t.panicked.Load(); x != nil {
		panic(*x)
	}
	return s.Err
}

// leave takes t out of the queue. If it is being evaluated it comes back by itself.
func (b *Batcher) leave(t *ticket) {
	b.mu.Lock()
	defer b.mu.Unlock()
	t.left = true
	for i, w := range b.waiting {
		if w == t {
			b.waiting = append(b.waiting[:i], b.waiting[i+1:]...)
			t.step.Err = ctxError(t.ctx)
			close(t.ready)
			return
		}
	}
}

// loop evaluates batches until nobody waits.
func (b *Batcher) loop() {
	var r round
	for {
		b.await(len(r.tickets))
		if !b.pick(&r) {
			return
		}
		r.run(b.m)
		b.deliver(&r)
	}
}

// await waits a moment for as many sessions as were in the last batch.
func (b *Batcher) await(n int) {
	deadline := time.Now().Add(linger)
	for {
		b.mu.Lock()
		here := len(b.waiting)
		b.mu.Unlock()
		left := time.Until(deadline)
		if here >= n || left <= 0 {
			return
		}
		select {
		case <-b.arrived:
		case <-time.After(left):
			runtime.Gosched()
		}
	}
}

// round is what is evaluated at a time.
type round struct {
	tickets []*ticket
	steps   []Step
}

// pick takes the next batch out of the queue. With nothing to do it ends the loop.
func (b *Batcher) pick(r *round) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	r.tickets, r.steps = r.tickets[:0], r.steps[:0]
	if len(b.waiting) == 0 {
		b.running = false
		return false
	}
	texts := 0
	for _, t := range b.waiting {
		if !t.single() {
			texts++
		}
	}
	room := b.m.opt.batch
	for _, t := range b.waiting {
		if t.single() && room > reserved(texts, b.m.opt.batch) {
			r.add(t, 1)
			room--
		}
	}
	if len(r.steps) > 0 {
		room = min(room, max(sharedRows-len(r.steps), leastRows))
	}
	for _, t := range b.waiting {
		if t.single() || room <= 0 {
			continue
		}
		n := min(max(room/texts, leastRows), room, len(t.step.IDs)-t.done)
		r.add(t, n)
		room, texts = room-n, texts-1
	}
	b.waiting = remaining(b.waiting)
	return true
}

// reserved returns how many rows of a batch single tokens leave to texts, if any wait.
func reserved(texts, batch int) int {
	if texts == 0 {
		return 0
	}
	return min(leastRows, max(batch/4, 1))
}

// single reports whether a single token is left.
func (t *ticket) single() bool { return len(t.step.IDs)-t.done <= 1 }

// remaining returns the tickets that are not taken, in their order.
func remaining(all []*ticket) []*ticket {
	rest := all[:0]
	for _, t := range all {
		if !t.taken {
			rest = append(rest, t)
		}
	}
	clear(all[len(rest):])
	return rest
}

// add adds the next n tokens of a ticket.
func (r *round) add(t *ticket, n int) {
	s := Step{Session: t.step.Session, IDs: t.step.IDs[t.done : t.done+n], Logits: t.step.Logits}
	if s.Logits == LastLogits && t.done+n < len(t.step.IDs) {
		s.Logits = NoLogits
	}
	done := t.done
	s.First = max(t.step.First-done, 0)
	if t.step.Visit != nil {
		s.Visit = func(i int, logits []float32) error { return t.guard(t.step.Visit, done+i, logits) }
	}
	if t.step.Score != nil {
		s.Score = func(i int, logits []float32) error { return t.guard(t.step.Score, done+i, logits) }
	}
	t.taken = true
	r.tickets, r.steps = append(r.tickets, t), append(r.steps, s)
}

// guard calls a Visit or Score of the step. What that panics with is for its own caller.
func (t *ticket) guard(call func(int, []float32) error, i int, logits []float32) (err error) {
	defer func() {
		if x := recover(); x != nil {
			t.panicked.Store(&x)
			err = errVisitor
		}
	}()
	return call(i, logits)
}

// errVisitor ends the step of a visitor that panicked.
var errVisitor = errors.New("mpt: Visit or Score panicked")

// run evaluates the batch. Who is alone in it can end it; with others in it, it goes on.
func (r *round) run(m *Model) {
	ctx := context.Background()
	if len(r.tickets) == 1 {
		ctx = r.tickets[0].ctx
	}
	m.Run(ctx, r.steps) // its error is in the steps
}

// deliver tells those who are through, and has the others wait again, in front.
func (b *Batcher) deliver(r *round) {
	for i, t := range r.tickets { // nobody else looks at them now
		t.done += r.steps[i].Done
		t.step.Done, t.step.Err = t.done, r.steps[i].Err
		if t.step.Progress != nil && r.steps[i].Done > 0 {
			t.step.Progress(t.done)
		}
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	var again []*ticket
	for _, t := range r.tickets {
		t.taken = false
		if t.step.Err == nil && t.done < len(t.step.IDs) {
			if !t.left {
				again = append(again, t)
				continue
			}
			t.step.Err = ctxError(t.ctx)
		}
		close(t.ready)
	}
	b.waiting = append(again, b.waiting...)
}
