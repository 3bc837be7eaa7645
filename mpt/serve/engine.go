// Package serve evaluates the requests of many people on one copy of a model's weights.
//
// [New] starts an [Engine]. [Engine.Submit] hands it a [Request] and returns a [Stream] of what
// happens to it. The engine's scheduler decides what is evaluated together: first one token for
// each running choice, then pieces of prompts. Prefixes that were evaluated before are found in
// a cache. Nothing of that changes any answer.
package serve

import (
	"context"
	"errors"
	"fmt"
	"time"

	"mptgo/mpt"
)

// Options are the choices of [New]. The zero value of each means its default.
type Options struct {
	ContextSize int // tokens of one sequence; the default is what the model was trained for
	Parallel    int // sequences that run at the same time; max(4, 2*CPUs), at most 64
	MaxQueue    int // requests that may wait; 64. Negative: none may

	// StepTime is how long a step may take while anybody is generating; 300 ms.
	StepTime time.Duration

	// CacheBytes is the budget of the prefix cache; 0 means a quarter of what memory is left
	// after the weights and 512 tokens for each of Parallel sequences, negative no cache.
	CacheBytes int64
	// CacheDir, if set, is the folder of prefixes on disk, CacheDisk its budget in bytes (4 GiB).
	CacheDir  string
	CacheDisk int64
}

// Engine serves requests. Its methods may be called by any goroutine.
type Engine struct {
	m *mpt.Model
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
	return fmt.Sprintf("the prompt has %d tokens, which exceeds the available context size of %d tokens", e.Tokens, e.Context)
}

// RequestError says what is wrong with a field of a request.
type RequestError struct {
	Field string // as in [Request]
	Err   error
}

func (e *RequestError) Error() string { return fmt.Sprintf("%s: %v", e.Field, e.Err) }

func (e *RequestError) Unwrap() error { return e.Err }

// New starts an engine for m, which it does not close.
func New(m *mpt.Model, opt Options) (*Engine, error)

// Submit checks a request and puts it into the queue. When ctx is done the request is
// cancelled, whatever state it is in. The errors are *RequestError, *ContextError,
// *QueueFullError, *mpt.MemoryError, ErrDraining and ErrClosed.
func (e *Engine) Submit(ctx context.Context, r Request) (*Stream, error)

// Drain refuses new requests and waits until those it has are done, or ctx is; then it cancels
// what is left.
func (e *Engine) Drain(ctx context.Context) error

// Close cancels all requests, writes what the cache keeps on disk and releases all memory.
func (e *Engine) Close() error

// Stats returns what /metrics and /slots show. It never waits for a step.
func (e *Engine) Stats() Stats

// Stream is what happens to one request. It serves one goroutine at a time.
type Stream struct{}

// Next waits for the next event. It returns false at the end: after the last event of every
// choice, or when the request's context is done. A reader that is slow holds nobody else up:
// its choices pause when a megabyte of events waits.
func (s *Stream) Next() (Event, bool)

// Ready returns an event that has come already, without waiting; a writer that has fallen
// behind puts several into one message.
func (s *Stream) Ready() (Event, bool)

// Usage returns what the request took, so far.
func (s *Stream) Usage() Usage

// Err returns why the stream ended early: the context's error, or that of the engine.
func (s *Stream) Err() error

// Close cancels the request if it is not done. It may be called more than once.
func (s *Stream) Close()
