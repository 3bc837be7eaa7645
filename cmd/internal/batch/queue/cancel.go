package queue

import (
	"context"
	"errors"

	"github.com/nats-io/nats.go/jetstream"
)

// Cancel ends a batch: what waits is dropped. Results that there are stay. With remove nothing
// of it stays.
func (q *Queue) Cancel(ctx context.Context, name string, remove bool) error {
	r, err := q.update(ctx, name, func(r *Record) bool {
		if r.State == Completed && !remove {
			return false
		}
		changed := r.State != Cancelled
		r.State = Cancelled
		return changed
	})
	if err != nil {
		return err
	}
	if r.State == Completed {
		return errors.New("batch " + name + " is complete: --remove removes what the server has of it")
	}
	p := place{fingerprint: r.Fingerprint, batch: name}
	if err := q.purge(ctx, requestStream, p.all()+".>"); err != nil || !remove {
		return err
	}
	if err := q.purge(ctx, resultStream, "mpt.res."+name+".*"); err != nil {
		return err
	}
	if err := q.forgetInput(ctx, name, r.Header.SHA256); err != nil {
		return err
	}
	return q.forget(ctx, name)
}

// forgetInput removes an input, unless another batch has the same.
func (q *Queue) forgetInput(ctx context.Context, name, sha string) error {
	names, err := q.Batches(ctx)
	if err != nil {
		return err
	}
	for _, other := range names {
		if other == name {
			continue
		}
		e, err := q.load(ctx, other)
		if errors.Is(err, ErrNoBatch) {
			continue
		}
		if err != nil || e.Header.SHA256 == sha {
			return err
		}
	}
	return q.again(ctx, "object "+sha, func(ctx context.Context) error {
		s, err := q.js.ObjectStore(ctx, objectBucket)
		if err == nil {
			err = s.Delete(ctx, sha)
		}
		if errors.Is(err, jetstream.ErrObjectNotFound) || errors.Is(err, jetstream.ErrBucketNotFound) ||
			errors.Is(err, jetstream.ErrStreamNotFound) {
			return nil
		}
		return err
	})
}

// forget removes the record of a batch, and what belongs to it.
func (q *Queue) forget(ctx context.Context, name string) error {
	more, err := q.keys(ctx, batchBucket, name+".>")
	if err != nil {
		return err
	}
	for _, k := range append(more, name) {
		err := q.again(ctx, "record "+k, func(ctx context.Context) error {
			kv, err := q.js.KeyValue(ctx, batchBucket)
			if err != nil {
				return err
			}
			return kv.Purge(ctx, k)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// removed reports whether somebody has removed a batch, as opposed to a server that has lost it.
func (q *Queue) removed(ctx context.Context, name string) (is bool, err error) {
	err = q.again(ctx, "record "+name, func(ctx context.Context) error {
		kv, err := q.js.KeyValue(ctx, batchBucket)
		if err != nil {
			return err
		}
		all, err := kv.History(ctx, name)
		if errors.Is(err, jetstream.ErrKeyNotFound) {
			return nil
		}
		if err == nil && len(all) > 0 {
			is = all[len(all)-1].Operation() != jetstream.KeyValuePut
		}
		return err
	})
	return is, err
}
