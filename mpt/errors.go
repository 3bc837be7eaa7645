package mpt

import "errors"

// Errors that callers may want to tell apart, with [errors.Is]. A model that does not run here
// is an [errors.ErrUnsupported], a damaged file, or one in a version of GGUF that is not read, a
// [gguf.ErrFormat], a damaged adapter a [lora.ErrFormat], and memory that is not there a
// [*MemoryError].
var (
	// ErrContextFull: what is to be evaluated does not fit into the session's context.
	ErrContextFull = errors.New("the context is full")
	// ErrClosed: the session or the model was closed before.
	ErrClosed = errors.New("mpt: used after Close")
	// ErrBusy: the session is in use by another goroutine.
	ErrBusy = errors.New("mpt: the session is in use by another evaluation")
	// ErrNothingAllowed: a constraint allows no token, not even one that ends the text.
	ErrNothingAllowed = errors.New("the constraint allows no token")
	// ErrSession: the file that a session is restored from is not one, or not of this model.
	ErrSession = errors.New("not a usable saved session")
)
