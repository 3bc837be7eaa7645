package batch

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"sync"
)

// mostStarts is how often a request may be under way among others when the process ends. Then
// it has to show alone that it comes to an end.
const mostStarts = 2

// HashOf returns what tells the text of a line from others.
func HashOf(text []byte) [sha256.Size]byte { return sha256.Sum256(text) }

// answerAll answers all lines that have no result.
func (j *Job) answerAll(ctx context.Context, h *Header, w Worker) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	next := make(chan *entry)
	var wg sync.WaitGroup
	for range j.opt.Parallel {
		wg.Go(func() {
			for e := range next {
				if ctx.Err() != nil { // handed out just before
					continue
				}
				if err := j.answerLine(ctx, h, w, e); err != nil {
					cancel(err) // the first one counts
				}
			}
		})
	}
	j.handOut(ctx, next)
	close(next)
	wg.Wait()
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return nil
}

// handOut hands out what is left, as long as nothing has failed.
func (j *Job) handOut(ctx context.Context, next chan<- *entry) {
	for _, list := range [][]int32{j.opt.Shard.cut(j.index.flawed), j.opt.Shard.cut(j.index.order)} {
		for _, i := range list {
			e := &j.index.entries[i]
			if e.result != 0 {
				continue
			}
			select { // at random, if both can be
			case next <- e:
			case <-ctx.Done():
				return
			}
		}
	}
}

// answerLine answers a line and keeps the result.
func (j *Job) answerLine(ctx context.Context, h *Header, w Worker, e *entry) error {
	text, err := j.in.text(e)
	if err != nil {
		return err
	}
	r, flaw := rules{j.opt.Models}.parse(int(e.line), text)
	r.Created = h.Created
	switch {
	case r.CustomID == "":
		r.ID = flawedID(h.Model, r.Line, text)
	case flaw == nil && e.first == 0:
		r.ID = idOf(h.Model, &r)
	default: // another line may have the same custom id and body
		r.ID = flawedID(h.Model, r.Line, text)
	}
	if flaw == nil && e.first > 0 {
		flaw = e.duplicate()
	}
	var res Result
	if flaw != nil {
		res, err = failure(r.ID, r.CustomID, flaw)
	} else {
		res, err = j.ask(ctx, w, e, &r)
	}
	if err != nil {
		return err
	}
	return j.keep(e, text, res)
}

// ask has a request answered, and tells in the journal when it begins.
func (j *Job) ask(ctx context.Context, w Worker, e *entry, r *Request) (Result, error) {
	var fault *FaultError // the last one
	for {
		worker := w
		if e.starts >= mostStarts {
			if j.alone.command == nil {
				return crashed(r, fault)
			}
			worker = &j.alone
			j.note("line %d came to no end %d times: it is answered in a process of its own", e.line, e.starts)
		}
		if _, err := j.journal.add(mark(isStart, e.line)); err != nil {
			return Result{}, err
		}
		a, err := worker.Answer(ctx, r)
		res, ok, failed := conclude(r, a, err, e.starts >= mostStarts)
		switch {
		case ok:
			if err != nil && !errors.Is(err, ErrTimeout) {
				j.note("line %d is given up: %v", r.Line, err)
			}
			return res, failed
		case errors.As(err, &fault):
			e.starts++
		default:
			_, dropped := j.journal.add(mark(isDropped, e.line))
			return Result{}, errors.Join(err, dropped)
		}
	}
}

// conclude makes a result of what a worker says, that of the request's own process if alone. It
// is not ok if that is none: the engine failed among other requests, or the work has to end.
func conclude(r *Request, a Answer, err error, alone bool) (res Result, ok bool, failed error) {
	var crash *crashError
	var fault *FaultError
	switch {
	case err == nil:
		res, failed = resultOf(r, a)
	case errors.Is(err, ErrTimeout):
		res, failed = failure(r.ID, r.CustomID, &Flaw{TimedOut, fmt.Sprintf("line %d: %v", r.Line, err)})
	case errors.As(err, &crash):
		res, failed = crashed(r, nil)
	case alone && errors.As(err, &fault):
		res, failed = crashed(r, fault)
	default:
		return res, false, nil
	}
	return res, true, failed
}

// crashed is the result of a request that nobody tries any more.
func crashed(r *Request, fault *FaultError) (Result, error) {
	why := "the process ended again and again while it was answered"
	if fault != nil {
		why = fault.Error()
	}
	return failure(r.ID, r.CustomID, &Flaw{Crashed, fmt.Sprintf("line %d: %s", r.Line, why)})
}

// keep puts a result into the journal.
func (j *Job) keep(e *entry, text []byte, r Result) error {
	at, err := j.journal.add(resultRecord(e.line, text, r))
	if err != nil {
		return err
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	j.count(e, at, r.Failed)
	if j.opt.Progress != nil {
		j.opt.Progress(j.counts)
	}
	if j.live == nil {
		return nil
	}
	return errors.Join(j.live.add(r), j.live.flush())
}
