package queue

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"mptgo/cmd/internal/batch"
)

// WorkerState is what a worker tells of itself.
type WorkerState struct {
	Name        string `json:"name"`
	Version     string `json:"version"`
	Fingerprint string `json:"fingerprint"`
	Parallel    int    `json:"parallel"`
	Busy        int64  `json:"busy"`
	Answered    int64  `json:"answered"`
	Failed      int64  `json:"failed"`
	Diverged    int64  `json:"diverged"`
}

// beat tells the server every so often that the worker lives.
func (w *worker) beat(ctx context.Context) {
	t := time.NewTicker(max(seen/6, time.Second))
	defer t.Stop()
	for {
		w.tell(ctx)
		select {
		case <-t.C:
		case <-ctx.Done():
			w.leave()
			return
		}
	}
}

func (w *worker) tell(ctx context.Context) {
	ctx, cancel := w.q.brief(ctx)
	defer cancel()
	b, err := json.Marshal(WorkerState{
		w.o.Name, w.o.Version, w.fingerprint, w.o.Parallel, w.busy.Load(), w.answered.Load(), w.failed.Load(), w.diverged.Load(),
	})
	if err != nil {
		return
	}
	kv, err := w.q.js.KeyValue(ctx, workerBucket)
	if err == nil {
		kv.Put(ctx, key(w.o.Name), b) // the next one tells more
	}
	if c, err := w.q.js.Consumer(ctx, requestStream, consumerOf(w.fingerprint)); err == nil {
		i := c.CachedInfo()
		w.o.Metrics.pending.Set(float64(i.NumPending) + float64(i.NumAckPending))
	}
}

// leave removes what the worker has told.
func (w *worker) leave() {
	ctx, cancel := w.q.brief(context.WithoutCancel(w.compute))
	defer cancel()
	if kv, err := w.q.js.KeyValue(ctx, workerBucket); err == nil {
		kv.Purge(ctx, key(w.o.Name))
	}
}

// key makes a key of any name.
func key(name string) string { return digest([]byte(name))[:32] }

// Workers returns what the workers have told that were seen within a minute, sorted by name.
func (q *Queue) Workers(ctx context.Context) (all []WorkerState, err error) {
	keys, err := q.keys(ctx, workerBucket, ">")
	if err != nil || len(keys) == 0 {
		return nil, err
	}
	kv, err := q.js.KeyValue(ctx, workerBucket)
	if err != nil {
		return nil, err
	}
	for _, k := range keys {
		v, err := kv.Get(ctx, k)
		if errors.Is(err, jetstream.ErrKeyNotFound) {
			continue
		}
		if err != nil {
			return nil, err
		}
		var s WorkerState
		if json.Unmarshal(v.Value(), &s) == nil {
			all = append(all, s)
		}
	}
	slices.SortFunc(all, func(a, b WorkerState) int { return cmp.Compare(a.Name, b.Name) })
	return all, nil
}

// Strangers tells of the batches on the server that workers of an identity cannot answer, and
// why.
func (q *Queue) Strangers(ctx context.Context, id batch.Identity) (all []string) {
	names, err := q.Batches(ctx)
	if err != nil {
		return nil // there may be no JetStream yet: who works will see
	}
	for _, name := range names {
		e, err := q.load(ctx, name)
		if err != nil || e.Fingerprint == id.Fingerprint() || e.State == Completed || e.State == Cancelled {
			continue
		}
		want := *e.Header
		want.Model, want.Numerics, want.Options = id.Model, id.Numerics, maps.Clone(id.Options)
		want.Options["--limit"] = e.Header.Options["--limit"]
		if err := e.Header.Differs(&want); err != nil {
			all = append(all, fmt.Sprintf("batch %s is for other workers: %v", name, err))
		}
	}
	return all
}
