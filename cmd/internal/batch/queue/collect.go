package queue

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"mptgo/cmd/internal/batch"
)

// CollectOptions say how a batch is collected.
type CollectOptions struct {
	Name     string
	Verify   float64  // share of the lines that a second worker answers, from 0 to 1
	Distrust []string // workers whose results do not count: they are computed again
	Ahead    int      // requests that may wait; 0: no limit
}

// Load returns what the server knows of a batch.
func (q *Queue) Load(ctx context.Context, name string) (Record, error) {
	e, err := q.load(ctx, name)
	return e.Record, err
}

// Input returns the input of a batch as the server keeps it. Close it.
func (q *Queue) Input(ctx context.Context, r *Record) (io.ReadCloser, error) {
	s, err := q.js.ObjectStore(ctx, objectBucket)
	var o jetstream.ObjectResult
	if err == nil {
		o, err = s.Get(ctx, r.Header.SHA256)
	}
	if err != nil {
		return nil, fmt.Errorf("the server does not have the input any more (%w): give it with --input FILE", err)
	}
	return o, nil
}

// collector gathers the results of a batch.
type collector struct {
	q   *Queue
	o   CollectOptions
	job *batch.Job
	rec Record

	consumer jetstream.Consumer // nil: has to be made
	next     uint64             // sequence of the next result in the stream
	stuck    int                // looks for gaps in a row that found requests which no worker gets
	moved    time.Time          // when the submission was seen to go on
	told     string             // why there is nothing new
}

// Collect waits for the results of all lines and writes the outputs. The job is of the batch's
// input. What the server has lost is submitted again.
func (q *Queue) Collect(ctx context.Context, j *batch.Job, r Record, o CollectOptions) (batch.Counts, error) {
	c := &collector{q: q, o: o, job: j, rec: r, next: 1, moved: time.Now()}
	if err := j.Header(r.Identity()).Differs(r.Header); err != nil {
		return j.Counts(), fmt.Errorf("it is not the input of batch %s: %w", o.Name, err)
	}
	if err := j.Begin(ctx, r.Identity()); err != nil {
		return j.Counts(), err
	}
	if err := q.prepare(ctx); err != nil {
		return j.Counts(), err
	}
	for _, f := range []func(context.Context) error{c.distrust, c.gather, c.compare} {
		if err := f(ctx); err != nil {
			return j.Counts(), err
		}
	}
	return c.finish(ctx)
}

func (c *collector) left() int { n := c.job.Counts(); return n.Total - n.Done }

// gather receives results until every line has one.
func (c *collector) gather(ctx context.Context) error {
	for last := time.Now(); c.left() > 0 && c.rec.State != Cancelled; {
		n, err := c.receive(ctx)
		switch {
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case err != nil && lasting(err) && !errors.Is(err, jetstream.ErrStreamNotFound) &&
			!errors.Is(err, jetstream.ErrConsumerNotFound):
			return fmt.Errorf("results cannot be read: %w", err)
		case err != nil:
			c.consumer = nil
			c.q.pause(ctx, c.q.o.Retry)
		case n > 0:
			c.stuck, c.told, last = 0, "", time.Now()
		}
		if c.left() > 0 && time.Since(last) > c.q.o.Check {
			if err := c.closeGaps(ctx); err != nil {
				return err
			}
			last = time.Now()
		}
	}
	return nil
}

const atOnce = 500 // results that are asked for together

// receive takes the results that are there, or waits a little for one.
func (c *collector) receive(ctx context.Context) (kept int, err error) {
	if err := c.subscribe(ctx); err != nil {
		return 0, err
	}
	b, err := c.consumer.Fetch(atOnce, jetstream.FetchMaxWait(min(c.q.o.Check, time.Second)))
	if err != nil {
		return 0, err
	}
	for m := range b.Messages() {
		d, err := m.Metadata()
		if err != nil {
			return kept, err
		}
		c.next = d.Sequence.Stream + 1
		line, ok := parseResult(m.Subject())
		if !ok {
			continue
		}
		took, err := c.take(ctx, line, m.Headers(), m.Data())
		if err != nil {
			return kept, err
		}
		if took {
			kept++
		}
	}
	if err := b.Error(); err != nil && !errors.Is(err, nats.ErrTimeout) {
		return kept, err
	}
	return kept, nil
}

// subscribe makes a consumer that begins where the last one has ended.
func (c *collector) subscribe(ctx context.Context) error {
	if c.consumer != nil {
		return nil
	}
	ctx, cancel := c.q.brief(ctx)
	defer cancel()
	s, err := c.q.js.Stream(ctx, resultStream)
	if err != nil {
		return err
	}
	if c.next > s.CachedInfo().State.LastSeq+1 {
		c.next = 1 // the stream is another one
	}
	c.consumer, err = s.CreateConsumer(ctx, jetstream.ConsumerConfig{
		FilterSubject: "mpt.res." + c.o.Name + ".*", AckPolicy: jetstream.AckNonePolicy, MemoryStorage: true,
		DeliverPolicy: jetstream.DeliverByStartSequencePolicy, OptStartSeq: c.next, InactiveThreshold: 5 * time.Minute,
	})
	return err
}

// take keeps a result that the job waits for. One that is damaged is removed, so that the line
// is answered again.
func (c *collector) take(ctx context.Context, line int, head nats.Header, data []byte) (bool, error) {
	r, err := c.q.unpackResult(ctx, head, data)
	if errors.Is(err, errDamaged) {
		return false, c.refuse(ctx, line, err.Error())
	}
	if err != nil {
		return false, err
	}
	return c.takeStored(ctx, line, r)
}

// takeStored keeps a result that the job waits for, unless it is of another input or by somebody
// who is not trusted.
func (c *collector) takeStored(ctx context.Context, line int, r *stored) (bool, error) {
	waits, err := c.job.Waits(line, r.sum)
	switch {
	case errors.Is(err, batch.ErrForeign):
		return false, c.refuse(ctx, line, err.Error())
	case err != nil || !waits:
		return false, err
	case slices.Contains(c.o.Distrust, r.worker):
		return false, c.refuse(ctx, line, "it was answered by "+r.worker)
	}
	return true, c.job.Keep(line, r.Result)
}

// refuse removes a result, so that the line is answered again.
func (c *collector) refuse(ctx context.Context, line int, why string) error {
	c.q.o.Note("line %d: a result does not count: %s", line, why)
	return c.q.purge(ctx, resultStream, place{batch: c.o.Name, line: line}.result())
}

// distrust forgets the divergences that are settled when the results of some workers do not
// count.
func (c *collector) distrust(ctx context.Context) error {
	if len(c.o.Distrust) == 0 {
		return nil
	}
	all, err := c.q.Divergences(ctx, c.o.Name)
	if err != nil {
		return err
	}
	for _, d := range all {
		if slices.Contains(c.o.Distrust, d.Stored) || slices.Contains(c.o.Distrust, d.Other) {
			if err := c.q.settle(ctx, c.o.Name, d.Line); err != nil {
				return err
			}
		}
	}
	return nil
}

// compare has a share of the lines computed by a second worker, and waits for that.
func (c *collector) compare(ctx context.Context) error {
	if c.o.Verify <= 0 || c.rec.State == Cancelled {
		return nil
	}
	var list []*nats.Msg
	n := 0
	for k := range c.job.Requests() {
		_, text, err := c.job.Request(k)
		if err != nil {
			return err
		}
		if chosen(text, c.o.Verify) {
			m, err := c.q.requestOf(ctx, c.o.Name, &c.rec, c.job, k, true)
			if err != nil {
				return err
			}
			list = append(list, m)
			n++
		}
		if len(list) == window || k == c.job.Requests()-1 {
			if err := errors.Join(c.q.room(ctx, c.o.Ahead), c.q.publishAll(ctx, list)); err != nil {
				return err
			}
			list = nil
		}
	}
	c.q.o.Note("batch %s: %d lines are computed by a second worker and compared", c.o.Name, n)
	for {
		left, err := c.q.subjects(ctx, requestStream, place{c.rec.Fingerprint, c.o.Name, 0, false}.all()+".*.check")
		if err != nil || len(left) == 0 {
			return err
		}
		if !c.q.pause(ctx, c.q.o.Retry) {
			return context.Cause(ctx)
		}
	}
}

// finish writes the outputs, unless somebody has to decide first.
func (c *collector) finish(ctx context.Context) (batch.Counts, error) {
	if c.rec.State == Cancelled && c.left() > 0 {
		c.q.o.Note("batch %s was cancelled: %d lines without a result go to the file of errors", c.o.Name, c.left())
		if err := c.job.Cancel(c.rec.Identity()); err != nil {
			return c.job.Counts(), err
		}
	}
	all, err := c.q.Divergences(ctx, c.o.Name)
	if err != nil {
		return c.job.Counts(), err
	}
	if len(all) > 0 {
		return c.job.Counts(), &DivergedError{c.o.Name, all}
	}
	n, err := c.job.Finish()
	if err != nil {
		return n, err
	}
	_, err = c.q.update(ctx, c.o.Name, func(r *Record) bool {
		if r.State == Cancelled || r.State == Completed {
			return false
		}
		r.State, r.Submitted = Completed, r.Requests
		return true
	})
	if err != nil { // what counts is written
		c.q.o.Note("batch %s: the server was not told that it is complete: %v", c.o.Name, err)
	}
	return n, nil
}
