// Package serve evaluates the requests of many people on one copy of a model's weights.
//
// [New] starts an [Engine]. [Engine.Submit] hands it a [Request] and returns a [Stream] of what
// happens to it. The engine's scheduler decides what is evaluated together: first one token for
// each running choice, then pieces of prompts. Prefixes that were evaluated before are found in
// a cache. Nothing of that changes any answer.
//
// This package is not stable yet: names may change from one minor version to the next.
package serve

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"sync"
	"time"

	"mptgo/mpt"
)

// Options are the choices of [New]. The zero value of each means its default.
type Options struct {
	ContextSize int // tokens of one sequence; the default is what the model was trained for
	Parallel    int // sequences that run at the same time; max(4, 2*CPUs), at most 64
	MaxQueue    int // requests that may wait beside those that can begin at once; 64. Negative: none

	// StepTime is how long a step may take while anybody is generating; 300 ms.
	StepTime time.Duration

	// CacheBytes is the budget of the prefix cache; 0 means a quarter of what memory is left
	// after the weights and 512 tokens for each of Parallel sequences, negative no cache.
	CacheBytes int64

	// Ordered says that requests come in an order in which those that begin alike follow each
	// other: what the prefix cache found longest ago is then never wanted again.
	Ordered bool

	// CacheDir is a folder for prefixes, which outlive the process there; "" means none. They
	// hold what was computed from prompts and answers: whoever reads them learns those.
	CacheDir  string
	DiskBytes int64 // budget of CacheDir; 0 means 4 GiB

	// Caches, if set, are shared with other engines. They stand for CacheBytes, CacheDir and
	// DiskBytes.
	Caches *Caches

	// Speculate, if set, has tokens of answers guessed. It changes nothing but the time.
	Speculate *mpt.Speculation

	Observer Observer     // may be nil
	Log      *slog.Logger // what somebody should see; nil: nobody does
}

// Observer is told what the engine does, by its own goroutine: it must not wait for anything.
type Observer interface {
	// FirstToken, NextToken: how long after its arrival, or after the token before, a token
	// of a request came.
	FirstToken(time.Duration)
	NextToken(time.Duration)
	// Step tells of an evaluation: rows of prompts and of choices that go on.
	Step(took time.Duration, prompt, decode int)
	// Done tells of a request at its end.
	Done(why mpt.Reason, u Usage, whole time.Duration)
}

// Engine serves requests. Its methods may be called by any goroutine.
type Engine struct {
	m   *mpt.Model
	opt Options

	mu      sync.Mutex
	inbox   []*request // submitted, not yet seen by the scheduler
	calls   []func()   // that the scheduler is to make, see do
	refuses error      // why no request is taken any more
	queued  int        // requests that wait, those of the inbox too
	seats   int        // sequences that run
	load    load       // for the estimate of how long that takes
	wake    chan struct{}
	idle    chan struct{} // closed when drained
	done    chan struct{} // closed when the scheduler has ended

	shown stats
	sched scheduler
}

// The reasons why [Engine.Submit] refuses a request whose form is right.
var (
	ErrDraining = errors.New("the server is about to end")
	ErrClosed   = errors.New("the engine is closed")
)

// QueueFullError says that too many requests wait.
type QueueFullError struct {
	Waiting    int
	RetryAfter time.Duration // estimated from what waits, at least a second, at most a minute
}

func (e *QueueFullError) Error() string {
	return fmt.Sprintf("%d requests wait already: try again in %v", e.Waiting, e.RetryAfter)
}

// ContextError says that a prompt leaves no room for an answer.
type ContextError struct {
	Tokens  int // of the prompt
	Context int // of one sequence
}

func (e *ContextError) Error() string {
	return fmt.Sprintf("the prompt has %d tokens, which exceeds the available context size of %d tokens",
		e.Tokens, e.Context)
}

// RequestError says what is wrong with a field of a request.
type RequestError struct {
	Field string // as in [Request]
	Err   error
}

func (e *RequestError) Error() string { return fmt.Sprintf("%s: %v", e.Field, e.Err) }

func (e *RequestError) Unwrap() error { return e.Err }

// DefaultParallel returns how many sequences run at the same time if nothing else is said.
func DefaultParallel() int { return min(max(4, 2*runtime.GOMAXPROCS(0)), 64) }

// New starts an engine for m, which it does not close. A context that does not fit into memory
// is refused with a [*mpt.MemoryError].
func New(m *mpt.Model, opt Options) (*Engine, error) {
	if opt.Parallel == 0 {
		opt.Parallel = DefaultParallel()
	}
	if opt.MaxQueue == 0 {
		opt.MaxQueue = 64
	}
	if opt.StepTime == 0 {
		opt.StepTime = 300 * time.Millisecond
	}
	if opt.Log == nil {
		opt.Log = slog.New(slog.DiscardHandler)
	}
	if opt.Parallel < 0 || opt.Parallel > m.BatchSize() {
		return nil, fmt.Errorf("serve: %d parallel sequences: want 1 to %d, the size of a batch", opt.Parallel, m.BatchSize())
	}
	probe, err := m.NewSession(mpt.ContextSize(opt.ContextSize))
	if err != nil {
		return nil, err
	}
	opt.ContextSize = probe.ContextSize()
	probe.Close()
	if err := m.Reserve(opt.ContextSize); err != nil {
		return nil, err
	}
	e := &Engine{m: m, opt: opt, wake: make(chan struct{}, 1), idle: make(chan struct{}), done: make(chan struct{})}
	if err := e.sched.init(e); err != nil {
		return nil, err
	}
	e.sched.show()
	go e.sched.run()
	return e, nil
}

// Model returns the engine's model.
func (e *Engine) Model() *mpt.Model { return e.m }

// Options returns the options with the defaults that were chosen.
func (e *Engine) Options() Options { return e.opt }

// Check returns the error that Submit would return for what is wrong with a request itself.
func (e *Engine) Check(r Request) error { return e.check(&r) }

// Submit checks a request and puts it into the queue. When ctx is done the request is
// cancelled, whatever state it is in. The errors are [*RequestError], [*ContextError],
// [*QueueFullError], [ErrDraining] and [ErrClosed].
func (e *Engine) Submit(ctx context.Context, r Request) (*Stream, error) {
	q, err := e.newRequest(ctx, r)
	if err != nil {
		return nil, err
	}
	return e.enqueue(q)
}

// enqueue puts a request into the queue.
func (e *Engine) enqueue(q *request) (*Stream, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.refuses != nil {
		return nil, e.refuses
	}
	if free := max(e.opt.Parallel-e.seats, 0); e.queued >= max(e.opt.MaxQueue, 0)+free {
		return nil, &QueueFullError{Waiting: e.queued, RetryAfter: e.load.wait()}
	}
	e.queued++
	e.load.tokens += q.work()
	e.inbox = append(e.inbox, q)
	q.stop = context.AfterFunc(q.ctx, func() { e.cancel(q) })
	e.rouse()
	return q.stream, nil
}

// cancel ends a request whose context is done.
func (e *Engine) cancel(q *request) {
	q.cancelled.Store(true)
	e.sched.interrupt()
	e.rouse()
}

// rouse has the scheduler look for news.
func (e *Engine) rouse() {
	select {
	case e.wake <- struct{}{}:
	default:
	}
}

// Drain refuses new requests and waits until those it has are done and prefixes are on disk,
// or ctx is; then it cancels what is left.
func (e *Engine) Drain(ctx context.Context) error {
	e.refuse(ErrDraining)
	select {
	case <-e.idle:
		return nil
	case <-ctx.Done():
	}
	e.sched.abort.Store(true)
	e.sched.interrupt()
	e.rouse()
	<-e.idle
	return ctx.Err()
}

// refuse has Submit return an error from now on.
func (e *Engine) refuse(err error) {
	e.mu.Lock()
	if e.refuses != ErrClosed {
		e.refuses = err
	}
	e.mu.Unlock()
	e.rouse()
}

// Close cancels all requests and releases all memory. It may be called more than once.
func (e *Engine) Close() error {
	e.refuse(ErrClosed)
	e.sched.abort.Store(true)
	e.sched.interrupt()
	e.rouse()
	<-e.done
	return nil
}
