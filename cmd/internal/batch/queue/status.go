package queue

import (
	"context"
	"errors"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// Status is how far a batch is.
type Status struct {
	Name string
	Record
	Done        int            // lines with a result, of those that can be answered
	Failed      int            // of them, those for the file of errors
	By          map[string]int // results by worker
	Waiting     int            // requests that no worker has, or that are under way
	InFlight    int            // of all batches of the fingerprint, those under way
	Rate        float64        // results a second, of late; 0: unknown
	Workers     []WorkerState  // that were seen within a minute and answer such requests
	Divergences []Divergence
}

// lately is the time of which the rate tells.
const lately = time.Minute

// Status returns how far a batch is. It reads what the server has of every result but its text.
func (q *Queue) Status(ctx context.Context, name string) (*Status, error) {
	e, err := q.load(ctx, name)
	if err != nil {
		return nil, err
	}
	s := &Status{Name: name, Record: e.Record, By: map[string]int{}}
	if err := q.count(ctx, s); err != nil {
		return nil, err
	}
	waiting, err := q.subjects(ctx, requestStream, place{fingerprint: s.Fingerprint, batch: name}.all()+".*")
	if err != nil {
		return nil, err
	}
	s.Waiting = len(waiting)
	c, cancel := q.brief(ctx)
	defer cancel()
	if k, err := q.js.Consumer(c, requestStream, consumerOf(s.Fingerprint)); err == nil {
		s.InFlight = k.CachedInfo().NumAckPending
	}
	if s.Divergences, err = q.Divergences(ctx, name); err != nil {
		return nil, err
	}
	all, err := q.Workers(ctx)
	for _, w := range all {
		if w.Fingerprint == s.Fingerprint {
			s.Workers = append(s.Workers, w)
		}
	}
	return s, err
}

// count counts the results of a batch.
func (q *Queue) count(ctx context.Context, s *Status) error {
	c, cancel := q.brief(ctx)
	defer cancel()
	k, err := q.js.CreateConsumer(c, resultStream, jetstream.ConsumerConfig{
		FilterSubject: "mpt.res." + s.Name + ".*", AckPolicy: jetstream.AckNonePolicy, MemoryStorage: true,
		DeliverPolicy: jetstream.DeliverAllPolicy, HeadersOnly: true, InactiveThreshold: time.Minute,
	})
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	defer q.js.DeleteConsumer(context.WithoutCancel(c), resultStream, k.CachedInfo().Name)
	r := newRate()
	for left := k.CachedInfo().NumPending; left > 0; {
		b, err := k.Fetch(int(min(left, 2*atOnce)), jetstream.FetchMaxWait(q.o.Wait))
		if err != nil {
			return err
		}
		n := uint64(0)
		for m := range b.Messages() {
			n++
			s.Done++
			if m.Headers().Get(headFailed) == "1" {
				s.Failed++
			}
			s.By[m.Headers().Get(headWorker)]++
			if d, err := m.Metadata(); err == nil {
				r.add(d.Timestamp)
			}
		}
		if err := b.Error(); err != nil && !errors.Is(err, nats.ErrTimeout) || ctx.Err() != nil {
			return errors.Join(err, ctx.Err())
		}
		if n == 0 { // some were removed meanwhile
			break
		}
		left -= min(n, left)
	}
	s.Rate = r.perSecond()
	return nil
}

// rate measures by the server's clock how many results have come of late.
type rate struct{ times []time.Time }

func newRate() *rate { return &rate{} }

// add adds a result; they come in order.
func (r *rate) add(t time.Time) {
	r.times = append(r.times, t)
	if len(r.times)%1024 == 0 {
		r.trim()
	}
}

// trim drops what is older than the time of which the rate tells.
func (r *rate) trim() {
	if n := len(r.times); n > 0 {
		begin := r.times[n-1].Add(-lately)
		k := 0
		for r.times[k].Before(begin) {
			k++
		}
		r.times = append(r.times[:0], r.times[k:]...)
	}
}

func (r *rate) perSecond() float64 {
	r.trim()
	n := len(r.times)
	if n < 2 {
		return 0
	}
	return float64(n-1) / max(r.times[n-1].Sub(r.times[0]).Seconds(), 1e-3)
}
