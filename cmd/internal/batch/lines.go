package batch

import (
	"context"
	"errors"
	"os/exec"
)

// Line is a line of an input of which nothing else is known: it has no flaw.
type Line struct {
	N       int    // the physical line, from 1
	Text    []byte // without its end
	Created int64  // of the answer, in seconds since 1970
	Alone   bool   // answer it in a process of its own
}

// Lines answers lines as [Job.Run] does, without an input and a journal.
type Lines struct {
	worker Worker
	alone  alone
	model  string
}

// NewLines returns what answers by a worker that has the model with this SHA-256. The command
// starts a process that calls [ServeAlone]; nil: there is none.
func NewLines(w Worker, model string, command func() *exec.Cmd) *Lines {
	return &Lines{worker: w, alone: alone{command: command}, model: model}
}

// Close ends the process that answers lines alone, if there is one.
func (l *Lines) Close() { l.alone.close() }

// Answer answers a line, several at the same time. An error is no result: the machine cannot
// go on, or ctx has ended.
func (l *Lines) Answer(ctx context.Context, q Line) (Result, error) {
	r, flaw := l.request(q)
	if flaw != nil {
		return failure(r.ID, r.CustomID, flaw)
	}
	if !q.Alone || l.alone.command == nil {
		a, err := l.worker.Answer(ctx, &r)
		res, ok, failed := conclude(&r, a, err, l.alone.command == nil)
		if ok {
			return res, failed
		}
		if fault := (*FaultError)(nil); !errors.As(err, &fault) {
			return res, err
		}
	}
	a, err := l.alone.Answer(ctx, &r)
	res, ok, failed := conclude(&r, a, err, true)
	if ok {
		return res, failed
	}
	return res, err
}

// GiveUp returns the result of a line that ends every process that answers it.
func (l *Lines) GiveUp(q Line) (Result, error) {
	r, _ := l.request(q)
	return crashed(&r, nil)
}

func (l *Lines) request(q Line) (r Request, flaw *Flaw) {
	r, flaw = rules{}.parse(q.N, q.Text)
	r.Created = q.Created
	if flaw != nil {
		r.ID = flawedID(l.model, r.Line, q.Text)
	} else {
		r.ID = idOf(l.model, &r)
	}
	return r, flaw
}
