package batch

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"iter"
)

// Requests returns how many lines can be answered.
func (j *Job) Requests() int { return len(j.index.order) }

// Request returns one of the lines that can be answered, the k-th from 0 in an order in which
// prompts that begin alike follow each other. It is the same for the same input.
func (j *Job) Request(k int) (line int, text []byte, err error) {
	e := &j.index.entries[j.index.order[k]]
	text, err = j.in.text(e)
	return int(e.line), text, err
}

// Input returns the whole input, from its beginning.
func (j *Job) Input() io.Reader { return io.NewSectionReader(j.in.f, 0, j.in.size) }

// Begin prepares a job whose lines are answered elsewhere: it takes over what an earlier start
// has collected, and answers the lines with flaws. The job has no shard.
func (j *Job) Begin(ctx context.Context, id Identity) error {
	h, err := j.resume(j.Header(id))
	if err != nil {
		return err
	}
	for _, i := range j.index.flawed {
		if e := &j.index.entries[i]; e.result == 0 {
			if err := j.answerLine(ctx, h, nil, e); err != nil {
				return err
			}
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
	}
	return nil
}

// Counts returns how far the job is.
func (j *Job) Counts() Counts {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.counts
}

// Missing returns the lines that have no result yet, as [Job.Request] counts them.
func (j *Job) Missing() iter.Seq[int] {
	return func(yield func(int) bool) {
		for k, i := range j.index.order {
			if j.index.entries[i].result == 0 && !yield(k) {
				return
			}
		}
	}
}

// ErrForeign says that a result is not of this input.
var ErrForeign = errors.New("the result is not of this input")

// Waits reports whether a line has no result yet. It fails with [ErrForeign] if there is none of
// that number, or its text has another hash.
func (j *Job) Waits(line int, sum [sha256.Size]byte) (bool, error) {
	e := j.index.find(line)
	if e == nil {
		return false, fmt.Errorf("line %d: %w", line, ErrForeign)
	}
	if e.result != 0 {
		return false, nil
	}
	text, err := j.in.text(e)
	if err != nil {
		return false, err
	}
	if HashOf(text) != sum {
		return false, fmt.Errorf("line %d: %w", line, ErrForeign)
	}
	return true, nil
}

// Keep keeps a result that was made elsewhere, of a line that waits for one.
func (j *Job) Keep(line int, r Result) error {
	e := j.index.find(line)
	text, err := j.in.text(e)
	if err != nil {
		return err
	}
	return j.keep(e, text, r)
}

// Cancel has the lines without a result end with [Cancelled].
func (j *Job) Cancel(id Identity) error {
	for k := range j.Missing() {
		line, text, err := j.Request(k)
		if err != nil {
			return err
		}
		r, _ := rules{j.opt.Models}.parse(line, text)
		res, err := failure(idOf(id.Model, &r), r.CustomID,
			&Flaw{Cancelled, fmt.Sprintf("line %d: the batch was cancelled", line)})
		if err == nil {
			err = j.Keep(line, res)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// Finish writes the outputs when every line has a result.
func (j *Job) Finish() (Counts, error) {
	if n := j.counts.Total - j.counts.Done; n > 0 {
		return j.counts, fmt.Errorf("%d lines have no result", n)
	}
	return j.counts, j.finish()
}
