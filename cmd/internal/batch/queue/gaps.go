package queue

import (
	"context"
	"errors"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// mostLost is how many requests one look for gaps submits again, where there is no other limit.
const mostLost = 20000

// takeOver is how many times [Options].Check a submission may stand still until it counts as
// given up.
const takeOver = 6

// closeGaps looks what became of the lines without a result: nothing that the server tells is
// taken for granted. What is neither waiting nor answered is submitted again.
func (c *collector) closeGaps(ctx context.Context) error {
	if err := c.restore(ctx); err != nil || c.rec.State == Cancelled {
		return err
	}
	waiting, err := c.q.subjects(ctx, requestStream, c.place(0).all()+".>")
	if err != nil {
		return err
	}
	nobody, err := c.nobodyGets(ctx, len(waiting))
	if err != nil {
		return err
	}
	var again []*nats.Msg
	end, most := c.submitted(), c.room()
	for k := range c.job.Missing() {
		if k >= end || len(again) >= most {
			break
		}
		line, _, err := c.job.Request(k)
		if err != nil {
			return err
		}
		if p := c.place(line); waiting[p.request()] > 0 {
			if !nobody {
				continue
			}
			if err := c.q.purge(ctx, requestStream, p.request()); err != nil {
				return err
			}
		} else if found, err := c.fetch(ctx, p); found || err != nil {
			if err != nil {
				return err
			}
			continue
		}
		m, err := c.q.requestOf(ctx, c.o.Name, &c.rec, c.job, k, false)
		if err != nil {
			return err
		}
		again = append(again, m)
	}
	c.explain(len(again), len(waiting))
	for len(again) > 0 {
		n := min(window, len(again))
		if err := c.q.publishAll(ctx, again[:n]); err != nil {
			return err
		}
		again = again[n:]
	}
	return nil
}

func (c *collector) place(line int) place { return place{c.rec.Fingerprint, c.o.Name, line, false} }

func (c *collector) room() int {
	if c.o.Ahead > 0 {
		return c.o.Ahead
	}
	return mostLost
}

// restore makes again what the server has lost, the record of the batch and the input included.
func (c *collector) restore(ctx context.Context) error {
	if err := c.q.prepare(ctx); err != nil {
		return err
	}
	e, err := c.q.load(ctx, c.o.Name)
	switch {
	case err == nil:
		if e.Submitted != c.rec.Submitted {
			c.moved = time.Now()
		}
		if err := c.rec.Header.Differs(e.Header); err != nil {
			return errors.Join(errors.New("the batch of this name is another one now"), err)
		}
		c.rec = e.Record
		return nil
	case !errors.Is(err, ErrNoBatch):
		return err
	}
	removed, err := c.q.removed(ctx, c.o.Name)
	if err != nil {
		return err
	}
	if removed {
		return errors.New("the batch was removed")
	}
	c.q.o.Note("the server has lost batch %s: what has no result yet is submitted again", c.o.Name)
	c.consumer = nil
	c.rec.State, c.rec.Submitted = Submitted, c.rec.Requests
	if _, err := c.q.create(ctx, c.o.Name, c.rec); err != nil {
		return err
	}
	return c.q.upload(ctx, c.rec.Header.SHA256, c.rec.Header.Size, c.job.Input())
}

// submitted returns how many requests should be on the server or answered: all, if whoever
// submits them has not gone on for long.
func (c *collector) submitted() int {
	if c.rec.State == Submitting && time.Since(c.moved) < takeOver*c.q.o.Check {
		return c.rec.Submitted
	}
	return c.rec.Requests
}

// fetch takes the result of a line if there is one.
func (c *collector) fetch(ctx context.Context, p place) (bool, error) {
	r, err := c.q.result(ctx, p)
	if err != nil || r == nil {
		return false, err
	}
	return c.takeStored(ctx, p.line, r)
}

// nobodyGets reports whether the server has requests that its consumer does not know of, as it
// may after it has lost a part of what it had written. Once may be chance.
func (c *collector) nobodyGets(ctx context.Context, waiting int) (bool, error) {
	var i *jetstream.ConsumerInfo
	err := c.q.again(ctx, "consumer "+consumerOf(c.rec.Fingerprint), func(ctx context.Context) error {
		k, err := c.q.js.Consumer(ctx, requestStream, consumerOf(c.rec.Fingerprint))
		if errors.Is(err, jetstream.ErrConsumerNotFound) {
			return nil
		}
		if err == nil {
			i = k.CachedInfo()
		}
		return err
	})
	if err != nil || i == nil || waiting == 0 || i.NumPending > 0 || i.NumAckPending > 0 {
		c.stuck = 0
		return false, err
	}
	c.stuck++
	return c.stuck > 1, nil
}

// explain says why there is nothing new, once for each reason.
func (c *collector) explain(lost, waiting int) {
	text := ""
	switch {
	case lost > 0:
		c.q.o.Note("batch %s: %d requests are neither waiting nor answered: they are submitted again", c.o.Name, lost)
	case waiting > 0:
		text = "its requests wait for a worker with this model and these options, or are being answered"
	case c.rec.State == Submitting:
		text = "it is not submitted whole: is mpt batch submit at work? Its part is taken over if it is not"
	}
	if text != "" && text != c.told {
		c.q.o.Note("batch %s: %s", c.o.Name, text)
		c.told = text
	}
}

// subjects returns the subjects of a stream that match, with the number of messages of each.
func (q *Queue) subjects(ctx context.Context, stream, filter string) (all map[string]uint64, err error) {
	err = q.again(ctx, "stream "+stream, func(ctx context.Context) error {
		s, err := q.js.Stream(ctx, stream)
		if errors.Is(err, jetstream.ErrStreamNotFound) {
			return nil
		}
		if err != nil {
			return err
		}
		i, err := s.Info(ctx, jetstream.WithSubjectFilter(filter))
		if err == nil {
			all = i.State.Subjects
		}
		return err
	})
	return all, err
}
