package queue

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/nats-io/nats.go/jetstream"
)

// Divergence says that two workers have answered a line with different bytes: one of their
// machines computes wrong, or their programs differ.
type Divergence struct {
	Line    int       `json:"line"`
	Stored  string    `json:"stored"`  // the worker whose result is stored
	Other   string    `json:"other"`   // the worker that had another one
	Digests [2]string `json:"digests"` // SHA-256 of both, in this order
}

func (d Divergence) String() string {
	return fmt.Sprintf("line %d: %s has answered %.12s, and %s %.12s",
		d.Line, d.Stored, d.Digests[0], d.Other, d.Digests[1])
}

func divergenceKey(p place) string { return fmt.Sprintf("%s.divergence.%d", p.batch, p.line) }

// diverge tells of two results that differ: here, in the metrics, and to everybody who asks for
// the state of the batch.
func (w *worker) diverge(p place, mine, other *stored) {
	w.diverged.Add(1)
	w.o.Metrics.diverged.Inc()
	d := Divergence{p.line, other.worker, mine.worker, [2]string{digest(other.Text), digest(mine.Text)}}
	w.q.o.Note("batch %s: two machines disagree: %v", p.batch, d)
	b, err := json.Marshal(d)
	if err == nil {
		err = w.q.again(w.compute, "divergence of line "+strconv.Itoa(p.line), func(ctx context.Context) error {
			kv, err := w.q.js.KeyValue(ctx, batchBucket)
			if err == nil {
				_, err = kv.Put(ctx, divergenceKey(p), b)
			}
			return err
		})
	}
	if err != nil {
		w.q.o.Note("batch %s: the divergence of line %d cannot be told: %v", p.batch, p.line, err)
	}
}

// Divergences returns the lines of a batch that were answered differently.
func (q *Queue) Divergences(ctx context.Context, name string) (all []Divergence, err error) {
	keys, err := q.keys(ctx, batchBucket, name+".divergence.*")
	if err != nil {
		return nil, err
	}
	for _, key := range keys {
		err := q.again(ctx, key, func(ctx context.Context) error {
			kv, err := q.js.KeyValue(ctx, batchBucket)
			if err != nil {
				return err
			}
			v, err := kv.Get(ctx, key)
			if errors.Is(err, jetstream.ErrKeyNotFound) {
				return nil // settled just now
			}
			if err != nil {
				return err
			}
			var d Divergence
			if err := json.Unmarshal(v.Value(), &d); err != nil {
				return fmt.Errorf("%w: %w", errDiffers, err)
			}
			all = append(all, d)
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	slices.SortFunc(all, func(a, b Divergence) int { return a.Line - b.Line })
	return all, nil
}

// settle forgets a divergence of a line.
func (q *Queue) settle(ctx context.Context, name string, line int) error {
	return q.again(ctx, "divergence of line "+strconv.Itoa(line), func(ctx context.Context) error {
		kv, err := q.js.KeyValue(ctx, batchBucket)
		if err != nil {
			return err
		}
		return kv.Purge(ctx, divergenceKey(place{batch: name, line: line}))
	})
}

// DivergedError says that results cannot be trusted.
type DivergedError struct {
	Batch string
	All   []Divergence
}

func (e *DivergedError) Error() string {
	var shown []string
	for i, d := range e.All {
		if i == 3 {
			shown = append(shown, fmt.Sprintf("%d more", len(e.All)-i))
			break
		}
		shown = append(shown, d.String())
	}
	return fmt.Sprintf("batch %s: two machines disagree, and nothing was written: %s. Stop the one that computes wrong and give "+
		"--distrust WORKER: what it has answered is computed again", e.Batch, strings.Join(shown, "; "))
}

// mostAsked is how often a request for a comparison goes to the worker that has made the
// result, until it is not compared at all.
const mostAsked = 20

// check computes again what another worker has answered, and compares.
func (w *worker) check(ctx context.Context, m jetstream.Msg, p place, r *stored) error {
	if r == nil { // it was removed: collect asks again
		m.TermWithReason("there is nothing to compare with")
		return nil
	}
	if r.worker == w.o.Name {
		if d, err := m.Metadata(); err == nil && d.NumDelivered < mostAsked {
			m.NakWithDelay(w.q.o.Retry)
			return nil
		}
		w.q.o.Note("batch %s: line %d is not compared: no other worker is there", p.batch, p.line)
		w.ack(m)
		return nil
	}
	line, err := w.q.lineOf(w.compute, m, p)
	if err != nil {
		return w.release(m, err)
	}
	res, err := w.result(m, p, line)
	if err != nil {
		return w.release(m, err)
	}
	if mine := (&stored{Result: res, worker: w.o.Name}); !mine.same(r) {
		w.diverge(p, mine, r)
	}
	w.o.Metrics.compared.Inc()
	w.ack(m)
	return nil
}
