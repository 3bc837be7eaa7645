package queue

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// What lies on the server.
const (
	requestStream = "MPT_REQ"
	resultStream  = "MPT_RES"
	batchBucket   = "mpt_batches" // a record for each batch
	workerBucket  = "mpt_workers" // what workers tell of themselves
	objectBucket  = "mpt_inputs"  // inputs, and what is too large for a message
)

// keep is how long results and inputs are kept.
const keep = 30 * 24 * time.Hour

// seen is how long a worker that says nothing counts as one.
const seen = time.Minute

// requests is the stream of what is to be answered. A line waits there once at most.
func (o *Options) requests() jetstream.StreamConfig {
	return jetstream.StreamConfig{
		Name: requestStream, Subjects: []string{"mpt.req.>"}, Description: "mpt batch: requests",
		Retention: jetstream.WorkQueuePolicy, Storage: jetstream.FileStorage,
		Discard: jetstream.DiscardNew, DiscardNewPerSubject: true, MaxMsgsPerSubject: 1,
		MaxBytes: o.MaxBytes, Replicas: o.Replicas, AllowDirect: true,
	}
}

// results is the stream of answers. A line has one at most.
func (o *Options) results() jetstream.StreamConfig {
	return jetstream.StreamConfig{
		Name: resultStream, Subjects: []string{"mpt.res.>"}, Description: "mpt batch: results",
		Retention: jetstream.LimitsPolicy, Storage: jetstream.FileStorage,
		Discard: jetstream.DiscardNew, DiscardNewPerSubject: true, MaxMsgsPerSubject: 1,
		MaxBytes: -1, MaxAge: keep, Replicas: o.Replicas, AllowDirect: true,
	}
}

// prepare makes what is missing on the server, and looks at what is there.
func (q *Queue) prepare(ctx context.Context) error {
	for _, c := range []jetstream.StreamConfig{q.o.requests(), q.o.results()} {
		if err := q.again(ctx, "stream "+c.Name, func(ctx context.Context) error { return q.prepareStream(ctx, c) }); err != nil {
			return err
		}
	}
	kv := func(name, what string, ttl time.Duration) error {
		return q.again(ctx, "bucket "+name, func(ctx context.Context) error {
			_, err := q.js.KeyValue(ctx, name)
			if errors.Is(err, jetstream.ErrBucketNotFound) {
				_, err = q.js.CreateKeyValue(ctx,
					jetstream.KeyValueConfig{Bucket: name, Description: what, TTL: ttl, Replicas: q.o.Replicas})
			}
			return existing(err)
		})
	}
	if err := kv(batchBucket, "mpt batch: batches", 0); err != nil {
		return err
	}
	if err := kv(workerBucket, "mpt batch: workers", seen); err != nil {
		return err
	}
	return q.again(ctx, "object store "+objectBucket, func(ctx context.Context) error {
		_, err := q.js.ObjectStore(ctx, objectBucket)
		if errors.Is(err, jetstream.ErrBucketNotFound) || errors.Is(err, jetstream.ErrStreamNotFound) {
			_, err = q.js.CreateObjectStore(ctx, jetstream.ObjectStoreConfig{
				Bucket: objectBucket, Description: "mpt batch: inputs", TTL: keep, Replicas: q.o.Replicas})
		}
		return existing(err)
	})
}

// existing forgives that another process was faster.
func existing(err error) error {
	if errors.Is(err, jetstream.ErrBucketExists) || errors.Is(err, jetstream.ErrStreamNameAlreadyInUse) {
		return nil
	}
	return err
}

var errDiffers = errors.New("the server is not as mpt batch wants it")

func (q *Queue) prepareStream(ctx context.Context, want jetstream.StreamConfig) error {
	s, err := q.js.Stream(ctx, want.Name)
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		s, err = q.js.CreateStream(ctx, want)
		if errors.Is(err, jetstream.ErrStreamNameAlreadyInUse) {
			s, err = q.js.Stream(ctx, want.Name)
		}
	}
	if err != nil {
		return err
	}
	return checkStream(want, s.CachedInfo().Config)
}

// checkStream refuses a stream that does not promise what the work relies on. Sizes, ages and
// replicas are the operator's.
func checkStream(want, got jetstream.StreamConfig) error {
	for _, x := range []struct {
		name      string
		want, got any
	}{
		{"subjects", strings.Join(want.Subjects, " "), strings.Join(got.Subjects, " ")},
		{"retention", want.Retention, got.Retention},
		{"storage", want.Storage, got.Storage},
		{"discard", want.Discard, got.Discard},
		{"discard_new_per_subject", want.DiscardNewPerSubject, got.DiscardNewPerSubject},
		{"max_msgs_per_subject", want.MaxMsgsPerSubject, got.MaxMsgsPerSubject},
		{"allow_direct", want.AllowDirect, got.AllowDirect},
	} {
		if x.want != x.got {
			return fmt.Errorf("%w: it has %s %v, and has to have %v: change the stream, or remove it when nothing in it is needed",
				errDiffers, x.name, x.got, x.want)
		}
	}
	return nil
}

// consumerOf returns the name of the consumer that all workers of a fingerprint share.
func consumerOf(fingerprint string) string { return "work-" + fingerprint }

// mostHeld is how many requests workers may hold, all of them together.
const mostHeld = 4096

// consumer makes the consumer of a fingerprint, or finds it.
func (q *Queue) consumer(ctx context.Context, fingerprint string) (jetstream.Consumer, error) {
	ctx, cancel := q.brief(ctx)
	defer cancel()
	return q.js.CreateOrUpdateConsumer(ctx, requestStream, jetstream.ConsumerConfig{
		Durable: consumerOf(fingerprint), Description: "mpt batch work", FilterSubject: "mpt.req." + fingerprint + ".>",
		AckPolicy: jetstream.AckExplicitPolicy, AckWait: q.o.AckWait, MaxAckPending: mostHeld, MaxDeliver: -1,
		MaxWaiting: 4096,
	})
}
