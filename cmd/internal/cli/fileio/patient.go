package fileio

import (
	"context"
	"io"
	"os"
)

// Who reads a named pipe waits until somebody opens it for writing, and then for what they
// write; so may who reads standard input. A signal must end that: a system call that waits
// does not see the context of a command.

// OpenPatient is os.Open for what may be a named pipe. What is no file is read only as long as
// ctx lasts.
func OpenPatient(ctx context.Context, name string) (io.ReadCloser, error) {
	info, err := os.Stat(name)
	if err == nil && info.Mode()&os.ModeNamedPipe != 0 {
		return Patient(ctx, func() (io.ReadCloser, error) { return os.Open(name) }), nil
	}
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	if err := Regular(name); err == nil {
		return f, nil
	}
	return Patient(ctx, func() (io.ReadCloser, error) { return f, nil }), nil
}

// Patient returns a reader of what open opens. It gives up when ctx is done, even if nothing
// comes; who waits then goes on waiting until the end of the process.
func Patient(ctx context.Context, open func() (io.ReadCloser, error)) io.ReadCloser {
	out, in := io.Pipe()
	context.AfterFunc(ctx, func() { in.CloseWithError(context.Cause(ctx)) })
	go func() {
		from, err := open()
		if err == nil {
			_, err = io.Copy(in, from)
			from.Close()
		}
		in.CloseWithError(err)
	}()
	return out
}

// UnlessDone returns what f returns, or an error once ctx is done, even if f waits.
func UnlessDone[T any](ctx context.Context, f func() (T, error)) (result T, err error) {
	done := make(chan struct{})
	var found T
	var wrong error
	go func() {
		defer close(done)
		found, wrong = f()
	}()
	select {
	case <-done:
		return found, wrong
	case <-ctx.Done():
		return result, context.Cause(ctx)
	}
}
