package queue

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"mptgo/cmd/internal/batch"
)

// Answerer answers lines, several at the same time. [batch.Lines] is one.
type Answerer interface {
	Answer(ctx context.Context, q batch.Line) (batch.Result, error)
	GiveUp(q batch.Line) (batch.Result, error)
}

// WorkOptions say how a worker works.
type WorkOptions struct {
	Identity batch.Identity
	Answerer Answerer
	Parallel int           // requests at the same time
	Name     string        // of the worker, such as the machine's
	Version  string        // of the program
	Grace    time.Duration // for what is under way when the work is to end
	Idle     time.Duration // ends after so long without a request; 0: waits for ever
	Metrics  *Metrics      // may be nil

	Stored func(batch string, line int) // is told of each result that is stored before its request is acknowledged; may be nil
}

// WorkCounts tell what a worker has done.
type WorkCounts struct {
	Answered int64 // results that this worker has stored
	Failed   int64 // of them, those for the file of errors
	Found    int64 // requests that had a result already
	Diverged int64 // results that another worker's differ from
}

// worker is the work of one process.
type worker struct {
	q           *Queue
	o           WorkOptions
	fingerprint string
	compute     context.Context // ends when what is under way has to end, too
	held        held
	busy        atomic.Int64
	last        atomic.Int64 // when there was something to do, in nanoseconds since the start
	start       time.Time

	answered, failed, found, diverged atomic.Int64

	mu       sync.Mutex
	consumer jetstream.Consumer
}

// Work answers requests until ctx ends. What is under way then has the time of grace; what is
// not finished goes back to the queue.
func (q *Queue) Work(ctx context.Context, o WorkOptions) (WorkCounts, error) {
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	compute, end := context.WithCancelCause(context.WithoutCancel(ctx))
	defer end(nil)
	w := &worker{q: q, o: o, fingerprint: o.Identity.Fingerprint(), compute: compute, start: time.Now()}
	if w.o.Metrics == nil {
		w.o.Metrics = NewMetrics()
	}
	defer context.AfterFunc(ctx, func() {
		t := time.NewTimer(o.Grace)
		defer t.Stop()
		select {
		case <-t.C:
			end(errGrace)
		case <-compute.Done():
		}
	})()
	if err := w.find(ctx); err != nil {
		return w.counts(), orEnd(ctx, err)
	}
	var slots, others sync.WaitGroup
	others.Go(func() { w.held.keep(compute, max(q.o.AckWait/4, time.Millisecond)) })
	others.Go(func() { w.beat(ctx) })
	for range o.Parallel {
		slots.Go(func() { w.slot(ctx, stop) })
	}
	slots.Wait()
	err := orEnd(ctx, nil)
	stop(nil)
	end(nil)
	others.Wait()
	return w.counts(), err
}

var (
	errGrace = errors.New("the time of grace is over")
	errIdle  = errors.New("there was nothing to do for long enough")
)

// orEnd is err, or why the work has ended if it was not to.
func orEnd(ctx context.Context, err error) error {
	if ctx.Err() == nil {
		return err
	}
	if cause := context.Cause(ctx); !errors.Is(cause, context.Canceled) && !errors.Is(cause, errIdle) {
		return cause
	}
	return nil
}

func (w *worker) counts() WorkCounts {
	return WorkCounts{w.answered.Load(), w.failed.Load(), w.found.Load(), w.diverged.Load()}
}

// find waits until there is a stream of requests, and makes the consumer.
func (w *worker) find(ctx context.Context) error {
	for told := ""; ; {
		c, err := w.q.consumer(ctx, w.fingerprint)
		switch {
		case err == nil:
			w.mu.Lock()
			w.consumer = c
			w.mu.Unlock()
			return nil
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case lasting(err) && !errors.Is(err, jetstream.ErrStreamNotFound):
			return fmt.Errorf("the consumer %s cannot be made: %w", consumerOf(w.fingerprint), err)
		}
		if text := err.Error(); errors.Is(err, jetstream.ErrStreamNotFound) && told == "" {
			w.q.o.Note("there is no batch on the server yet: waiting for one")
			told = text
		} else if !errors.Is(err, jetstream.ErrStreamNotFound) && told != text {
			w.q.o.Note("the queue of requests cannot be read: %v; trying again", err)
			told = text
		}
		if !w.q.pause(ctx, w.q.o.Retry) {
			return context.Cause(ctx)
		}
	}
}

// slot answers requests, one after the other.
func (w *worker) slot(ctx context.Context, stop context.CancelCauseFunc) {
	for ctx.Err() == nil {
		m := w.next(ctx)
		if m == nil {
			if idle := time.Since(w.start) - time.Duration(w.last.Load()); w.o.Idle > 0 && w.busy.Load() == 0 && idle > w.o.Idle {
				stop(errIdle)
			}
			continue
		}
		w.busy.Add(1)
		w.o.Metrics.inFlight.Inc()
		err := w.handle(ctx, m)
		w.o.Metrics.inFlight.Dec()
		w.busy.Add(-1)
		w.last.Store(int64(time.Since(w.start)))
		if err != nil {
			stop(err)
		}
	}
}

// next waits a while for a request; nil: there is none.
func (w *worker) next(ctx context.Context) jetstream.Msg {
	w.mu.Lock()
	c := w.consumer
	w.mu.Unlock()
	wait, cancel := context.WithTimeout(ctx, w.q.o.Wait)
	defer cancel()
	m, err := c.Next(jetstream.FetchContext(wait))
	switch {
	case err == nil:
		return m
	case ctx.Err() != nil || errors.Is(err, nats.ErrTimeout) || errors.Is(err, context.DeadlineExceeded):
		// A pull request that finds no consumer is answered by nobody, like one that finds no request.
		if ctx.Err() == nil && !w.there(ctx) {
			w.find(ctx)
		}
		return nil
	}
	w.q.pause(ctx, w.q.o.Retry/4)
	w.find(ctx)
	return nil
}

// there reports whether the consumer is still known, as far as the server can be asked.
func (w *worker) there(ctx context.Context) bool {
	c, cancel := w.q.brief(ctx)
	defer cancel()
	_, err := w.q.js.Consumer(c, requestStream, consumerOf(w.fingerprint))
	return !errors.Is(err, jetstream.ErrConsumerNotFound) && !errors.Is(err, jetstream.ErrStreamNotFound)
}

// handle answers a request: the result is stored before the request is acknowledged. An error
// ends the worker.
func (w *worker) handle(ctx context.Context, m jetstream.Msg) error {
	w.held.add(m)
	defer w.held.drop(m)
	p, ok := parseRequest(m.Subject())
	if !ok {
		w.q.o.Note("%q is not the subject of a request: it is dropped", m.Subject())
		m.TermWithReason("not a request of mpt batch")
		return nil
	}
	if d, err := m.Metadata(); err == nil && d.NumDelivered > 1 {
		w.o.Metrics.redelivered.Inc()
	}
	r, err := w.q.result(w.compute, p)
	switch {
	case err != nil:
		return w.release(m, err)
	case p.check:
		return w.check(ctx, m, p, r)
	case r != nil:
		w.found.Add(1)
		w.ack(m)
		return nil
	}
	return w.answer(ctx, m, p)
}

// answer computes a result and stores it.
func (w *worker) answer(ctx context.Context, m jetstream.Msg, p place) error {
	line, err := w.q.lineOf(w.compute, m, p)
	if err != nil {
		return w.release(m, err)
	}
	begun := time.Now()
	res, err := w.result(m, p, line)
	if err != nil {
		return w.release(m, err)
	}
	mine := &stored{res, batch.HashOf(line.Text), w.o.Name}
	other, err := w.q.store(w.compute, p, mine)
	if err != nil {
		return w.release(m, err)
	}
	if w.o.Stored != nil {
		w.o.Stored(p.batch, p.line)
	}
	switch {
	case other == nil || mine.same(other) && mine.worker == other.worker: // what the server said was lost
		w.count(res, time.Since(begun))
	case mine.same(other):
		w.found.Add(1)
	default:
		w.diverge(p, mine, other)
	}
	w.ack(m)
	return nil
}

func (w *worker) count(r batch.Result, took time.Duration) {
	w.answered.Add(1)
	code := "answered"
	if r.Failed {
		w.failed.Add(1)
		code = "failed"
	}
	w.o.Metrics.done.WithLabelValues(code).Inc()
	w.o.Metrics.seconds.Observe(took.Seconds())
}

// lineOf reads a request.
func (q *Queue) lineOf(ctx context.Context, m jetstream.Msg, p place) (l batch.Line, err error) {
	text, err := q.unpack(ctx, m.Headers(), m.Data())
	if err != nil {
		return l, err
	}
	created, err := strconv.ParseInt(m.Headers().Get(headCreated), 10, 64)
	if err != nil {
		return l, errDamaged
	}
	return batch.Line{N: p.line, Text: text, Created: created}, nil
}

// release gives a request back that was not answered. It returns err if that ends the worker.
func (w *worker) release(m jetstream.Msg, err error) error {
	switch {
	case errors.Is(err, errDamaged):
		w.q.o.Note("%s: %v: it is dropped, and submitted again by mpt batch collect", m.Subject(), err)
		m.TermWithReason(err.Error())
		return nil
	case w.compute.Err() != nil:
		m.Nak()
		return nil
	}
	m.Nak()
	return err
}

// ack tells the server that a request is done. If that is lost, somebody will find the result.
func (w *worker) ack(m jetstream.Msg) {
	ctx, cancel := w.q.brief(context.WithoutCancel(w.compute))
	defer cancel()
	m.DoubleAck(ctx)
}

// store stores a result. If the line has one already, that is returned.
func (q *Queue) store(ctx context.Context, p place, r *stored) (other *stored, err error) {
	m, err := q.packResult(ctx, p, r)
	if err != nil {
		return nil, err
	}
	for {
		taken := false
		err := q.again(ctx, "result of line "+strconv.Itoa(p.line), func(ctx context.Context) error {
			_, err := q.js.PublishMsg(ctx, m, jetstream.WithExpectStream(resultStream))
			taken = isTaken(err)
			if taken {
				return nil
			}
			return err
		})
		if err != nil || !taken {
			return nil, err
		}
		// A replica that has not heard of it yet may answer, and results are removed to be made again.
		for range 20 {
			if other, err := q.result(ctx, p); other != nil || err != nil {
				return other, err
			}
			if !q.pause(ctx, q.o.Retry/4) {
				return nil, context.Cause(ctx)
			}
		}
	}
}

// WorkerName returns a name that no other worker has.
func WorkerName(host string, id int) string { return cmp.Or(host, "worker") + "-" + strconv.Itoa(id) }
