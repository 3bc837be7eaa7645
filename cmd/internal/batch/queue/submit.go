package queue

import (
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strconv"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"mptgo/cmd/internal/batch"
)

const (
	window      = 256  // requests that are published at the same time
	cursorEvery = 1000 // requests between two notes of how far it is
)

// SubmitOptions say how a batch is submitted.
type SubmitOptions struct {
	Name     string   // of the batch; "": a name that follows from the input and the identity
	Models   []string // names that its lines may call the model; none: any
	Identity batch.Identity
	Ahead    int                      // requests that may wait; 0: no limit
	Progress func(submitted, all int) // may be nil
}

// submission is a batch that is being submitted.
type submission struct {
	q    *Queue
	o    SubmitOptions
	job  *batch.Job
	name string
	rec  Record
}

// Submit publishes the lines of an input that can be answered, and returns the name of the
// batch. The job was opened dry. An earlier attempt is continued; its header counts.
func (q *Queue) Submit(ctx context.Context, j *batch.Job, o SubmitOptions) (name string, r Record, err error) {
	s := &submission{q: q, o: o, job: j}
	h := j.Header(o.Identity)
	s.name = cmp.Or(o.Name, h.Name())
	if err := CheckName(s.name); err != nil {
		return "", r, err
	}
	if err := q.prepare(ctx); err != nil {
		return s.name, r, err
	}
	if err := s.begin(ctx, h); err != nil {
		return s.name, s.rec, err
	}
	if err := q.upload(ctx, h.SHA256, h.Size, j.Input()); err != nil {
		return s.name, s.rec, err
	}
	return s.name, s.rec, s.run(ctx)
}

// begin makes the record of the batch, or finds that of an earlier attempt.
func (s *submission) begin(ctx context.Context, h *batch.Header) error {
	s.rec = Record{
		Header: h, Fingerprint: s.o.Identity.Fingerprint(), Models: s.o.Models, Requests: s.job.Requests(), State: Submitting,
	}
	asked := *h
	if h.Created < 0 {
		h.Created = time.Now().Unix()
	}
	made, err := s.q.create(ctx, s.name, s.rec)
	if made || err != nil {
		return err
	}
	e, err := s.q.load(ctx, s.name)
	if err != nil {
		return err
	}
	if err := e.Header.Differs(&asked); err != nil {
		return fmt.Errorf("batch %s is on the server already, and is another: %w: give another --name, or remove it with: mpt batch cancel %s --remove",
			s.name, err, s.name)
	}
	if e.State == Cancelled {
		return fmt.Errorf("batch %s was cancelled: give another --name, or remove it with: mpt batch cancel %s --remove", s.name, s.name)
	}
	s.rec = e.Record
	return nil
}

// upload has the object store keep an input, if it does not already.
func (q *Queue) upload(ctx context.Context, sha string, size int64, from io.Reader) error {
	var s jetstream.ObjectStore
	have := false
	err := q.again(ctx, "object store "+objectBucket, func(ctx context.Context) (err error) {
		if s, err = q.js.ObjectStore(ctx, objectBucket); err != nil {
			return err
		}
		info, err := s.GetInfo(ctx, sha)
		have = err == nil && info.Size == uint64(size)
		if errors.Is(err, jetstream.ErrObjectNotFound) {
			return nil
		}
		return err
	})
	if err != nil || have {
		return err
	}
	if _, err := s.Put(ctx, jetstream.ObjectMeta{Name: sha, Description: "mpt batch: an input"}, from); err != nil {
		return fmt.Errorf("the input, %d bytes, cannot be stored on the server: %w", size, err)
	}
	return nil
}

// run publishes what is left.
func (s *submission) run(ctx context.Context) error {
	noted := s.rec.Submitted
	for k := s.rec.Submitted; k < s.rec.Requests; {
		if err := s.q.room(ctx, s.o.Ahead); err != nil {
			return err
		}
		n := min(window, s.rec.Requests-k)
		if err := s.q.publish(ctx, s.name, &s.rec, s.job, k, n); err != nil {
			return err
		}
		k += n
		if s.o.Progress != nil {
			s.o.Progress(k, s.rec.Requests)
		}
		if k-noted >= cursorEvery {
			if err := s.note(ctx, k, Submitting); err != nil {
				return err
			}
			noted = k
		}
	}
	return s.note(ctx, s.rec.Requests, Submitted)
}

// note tells the server how far it is.
func (s *submission) note(ctx context.Context, k int, state State) (err error) {
	cancelled := false
	s.rec, err = s.q.update(ctx, s.name, func(r *Record) bool {
		cancelled = r.State == Cancelled
		if cancelled || r.Submitted > k || r.State != Submitting {
			return false // another process is further
		}
		r.Submitted, r.State = k, state
		return true
	})
	if err == nil && cancelled {
		return fmt.Errorf("batch %s was cancelled", s.name)
	}
	return err
}

// room waits until fewer than so many requests wait on the server; 0: no limit.
func (q *Queue) room(ctx context.Context, ahead int) error {
	for told := false; ahead > 0; told = true {
		var waiting uint64
		err := q.again(ctx, "stream "+requestStream, func(ctx context.Context) error {
			s, err := q.js.Stream(ctx, requestStream)
			if err == nil {
				waiting = s.CachedInfo().State.Msgs
			}
			return err
		})
		if err != nil || waiting < uint64(ahead) {
			return err
		}
		if !told {
			q.o.Note("%d requests wait on the server: more follow when workers have answered some", waiting)
		}
		if !q.pause(ctx, q.o.Retry) {
			return context.Cause(ctx)
		}
	}
	return nil
}

// publish publishes n requests from the k-th on, and waits until the server has them.
func (q *Queue) publish(ctx context.Context, name string, r *Record, j *batch.Job, k, n int) error {
	all := make([]*nats.Msg, 0, n)
	for i := k; i < k+n; i++ {
		m, err := q.requestOf(ctx, name, r, j, i, false)
		if err != nil {
			return err
		}
		all = append(all, m)
	}
	return q.publishAll(ctx, all)
}

// requestOf makes the message of the k-th request.
func (q *Queue) requestOf(ctx context.Context, name string, r *Record, j *batch.Job, k int, check bool) (*nats.Msg, error) {
	line, text, err := j.Request(k)
	if err != nil {
		return nil, err
	}
	m, err := q.pack(ctx, place{r.Fingerprint, name, line, check}.request(), text)
	if err == nil {
		m.Header.Set(headCreated, strconv.FormatInt(r.Header.Created, 10))
	}
	return m, err
}

// publishAll publishes requests, and those that the server does not take again and again. One
// that waits there already is as good.
func (q *Queue) publishAll(ctx context.Context, left []*nats.Msg) error {
	for told := false; ; told = true {
		var failed []*nats.Msg
		var why error
		for i, f := range q.publishAsync(left) {
			if err := ended(ctx, f); err != nil && !isTaken(err) {
				failed, why = append(failed, left[i]), err
			}
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if len(failed) == 0 {
			return nil
		}
		if lasting(why) {
			return fmt.Errorf("requests cannot be submitted: %w", why)
		}
		if !told {
			q.o.Note("the server does not take requests now: %v; trying again", why)
		}
		if !q.pause(ctx, q.o.Retry) {
			return context.Cause(ctx)
		}
		left = failed
	}
}

// attempt is a message on its way to the server.
type attempt struct {
	future jetstream.PubAckFuture
	err    error
}

func (q *Queue) publishAsync(all []*nats.Msg) []attempt {
	list := make([]attempt, len(all))
	for i, m := range all {
		m.Reply = "" // of an earlier attempt
		list[i].future, list[i].err = q.js.PublishMsgAsync(m, jetstream.WithExpectStream(requestStream))
	}
	return list
}

// ended waits for an attempt's end.
func ended(ctx context.Context, a attempt) error {
	if a.err != nil {
		return a.err
	}
	select {
	case <-a.future.Ok():
		return nil
	case err := <-a.future.Err():
		return err
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// chosen reports whether a line is among those that are answered twice, a share of all between 0
// and 1. It depends on the text alone.
func chosen(text []byte, share float64) bool {
	sum := batch.HashOf(text)
	return float64(binary.LittleEndian.Uint64(sum[:]))/(1<<64) < share
}
