package queue

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/nats-io/nats.go/jetstream"

	"mptgo/cmd/internal/batch"
)

// State is how far a batch is.
type State string

// The states of a batch.
const (
	Submitting State = "submitting"
	Submitted  State = "submitted"
	Completed  State = "completed" // its outputs were written
	Cancelled  State = "cancelled"
)

// Record is what the server knows of a batch.
type Record struct {
	Header      *batch.Header `json:"header"`      // what its answers depend on
	Fingerprint string        `json:"fingerprint"` // of the machines that answer it
	Models      []string      `json:"models"`      // names that its lines may call the model; none: any
	Requests    int           `json:"requests"`    // lines that can be answered
	Submitted   int           `json:"submitted"`   // of them, the first so many were published
	State       State         `json:"state"`
}

// Identity is what machines have in common that answer the batch.
func (r *Record) Identity() batch.Identity {
	return batch.Identity{Model: r.Header.Model, Numerics: r.Header.Numerics, Options: r.Header.Options}
}

var goodName = regexp.MustCompile(`^[A-Za-z0-9_-]{1,64}$`)

// CheckName refuses names of batches that cannot be a part of a subject.
func CheckName(name string) error {
	if !goodName.MatchString(name) {
		return fmt.Errorf("%q is no name of a batch: want 1 to 64 of A-Z, a-z, 0-9, _ and -", name)
	}
	return nil
}

// ErrNoBatch says that the server knows no batch of a name.
var ErrNoBatch = errors.New("there is no such batch")

// entry is a record and its revision.
type entry struct {
	Record
	revision uint64
}

// load returns the record of a batch.
func (q *Queue) load(ctx context.Context, name string) (e entry, err error) {
	if err := CheckName(name); err != nil {
		return e, err
	}
	err = q.again(ctx, "batch "+name, func(ctx context.Context) error {
		kv, err := q.js.KeyValue(ctx, batchBucket)
		if err != nil {
			return err
		}
		v, err := kv.Get(ctx, name)
		if err != nil {
			return err
		}
		e.revision = v.Revision()
		if err := json.Unmarshal(v.Value(), &e.Record); err != nil || e.Header == nil {
			return fmt.Errorf("%w: its record cannot be read", errDiffers)
		}
		return nil
	})
	if errors.Is(err, jetstream.ErrKeyNotFound) || errors.Is(err, jetstream.ErrBucketNotFound) {
		return e, fmt.Errorf("batch %s: %w on this server%s", name, ErrNoBatch, q.others(ctx))
	}
	return e, err
}

// others names the batches that there are.
func (q *Queue) others(ctx context.Context) string {
	names, err := q.Batches(ctx)
	if err != nil || len(names) == 0 {
		return "; it has none: mpt batch submit makes them"
	}
	if more := len(names) - 10; more > 0 {
		names = append(names[:10], fmt.Sprintf("%d more", more))
	}
	return ": it has " + strings.Join(names, ", ")
}

// Batches returns the names of all batches, sorted.
func (q *Queue) Batches(ctx context.Context) ([]string, error) {
	keys, err := q.keys(ctx, batchBucket, "*")
	slices.Sort(keys)
	return keys, err
}

// keys returns the keys of a bucket that match.
func (q *Queue) keys(ctx context.Context, bucket, filter string) (all []string, err error) {
	ctx, cancel := q.brief(ctx)
	defer cancel()
	kv, err := q.js.KeyValue(ctx, bucket)
	if errors.Is(err, jetstream.ErrBucketNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	l, err := kv.ListKeysFiltered(ctx, filter)
	if err != nil {
		return nil, err
	}
	for k := range l.Keys() {
		all = append(all, k)
	}
	return all, ctx.Err()
}

// create makes the record of a batch; false: there is one already.
func (q *Queue) create(ctx context.Context, name string, r Record) (made bool, err error) {
	b, err := json.Marshal(r)
	if err != nil {
		return false, err
	}
	err = q.again(ctx, "batch "+name, func(ctx context.Context) error {
		kv, err := q.js.KeyValue(ctx, batchBucket)
		if err != nil {
			return err
		}
		_, err = kv.Create(ctx, name, b)
		return err
	})
	if errors.Is(err, jetstream.ErrKeyExists) {
		return false, nil
	}
	return err == nil, err
}

// isStale reports whether a record has changed since it was read.
func isStale(err error) bool {
	var api *jetstream.APIError
	return errors.As(err, &api) && (api.ErrorCode == 10071 || api.ErrorCode == 10164) // wrong last sequence: alone, replicated
}

// update changes the record of a batch, unless change says that there is nothing to change.
func (q *Queue) update(ctx context.Context, name string, change func(*Record) bool) (Record, error) {
	for {
		e, err := q.load(ctx, name)
		if err != nil || !change(&e.Record) {
			return e.Record, err
		}
		b, err := json.Marshal(e.Record)
		if err != nil {
			return e.Record, err
		}
		stale := false
		err = q.again(ctx, "batch "+name, func(ctx context.Context) error {
			kv, err := q.js.KeyValue(ctx, batchBucket)
			if err != nil {
				return err
			}
			_, err = kv.Update(ctx, name, b, e.revision)
			stale = isStale(err)
			if stale {
				return nil
			}
			return err
		})
		if err != nil || !stale {
			return e.Record, err
		}
		if !q.pause(ctx, q.o.Retry/20) {
			return e.Record, context.Cause(ctx)
		}
	}
}
