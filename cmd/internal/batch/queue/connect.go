package queue

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// Options say how to reach the server, and how patient to be. The zero value of a time is its
// default.
type Options struct {
	URL       string // nats://HOST:PORT, tls://HOST:PORT; several, separated by commas, of a cluster
	Creds     string // file with credentials; "": none
	CA        string // file with certificates that a server's may be signed by; "": the system's
	Cert, Key string // files of the client's own certificate; "": none
	Name      string // of this client, as the server shows it

	Replicas int   // of streams that are made here; 0: 1
	MaxBytes int64 // of requests that wait, where the stream is made here; 0: 8 GiB

	AckWait time.Duration // a request that is not heard of so long goes to another worker; 0: a minute
	Wait    time.Duration // for one answer of the server; 0: 5 s
	Retry   time.Duration // between two attempts; 0: 1 s
	Check   time.Duration // without a new result before gaps are looked for; 0: 10 s

	Note func(string, ...any) // is told what somebody should know
}

func (o *Options) setDefaults() {
	for _, d := range []struct {
		at    *time.Duration
		value time.Duration
	}{{&o.AckWait, time.Minute}, {&o.Wait, 5 * time.Second}, {&o.Retry, time.Second}, {&o.Check, 10 * time.Second}} {
		if *d.at == 0 {
			*d.at = d.value
		}
	}
	if o.Replicas == 0 {
		o.Replicas = 1
	}
	if o.MaxBytes == 0 {
		o.MaxBytes = 8 << 30
	}
	if o.Note == nil {
		o.Note = func(string, ...any) {}
	}
}

// Queue is a connection to the server.
type Queue struct {
	o  Options
	nc *nats.Conn
	js jetstream.JetStream
}

// Connect connects to the server. A connection that breaks later is made again for as long as
// it takes.
func Connect(o Options) (*Queue, error) {
	o.setDefaults()
	opts := []nats.Option{
		nats.Name(o.Name), nats.Timeout(o.Wait), nats.MaxReconnects(-1), nats.ReconnectWait(o.Retry),
		nats.ReconnectJitter(o.Retry/10, o.Retry/2),
		nats.ReconnectBufSize(-1), // what cannot be sent is an error, and tried again
		nats.PingInterval(max(o.AckWait/6, 100*time.Millisecond)), nats.MaxPingsOutstanding(2),
		nats.DisconnectErrHandler(func(_ *nats.Conn, err error) {
			if err != nil {
				o.Note("the connection to the server is lost: %v; trying again", err)
			}
		}),
		nats.ReconnectHandler(func(nc *nats.Conn) { o.Note("connected again to %s", nc.ConnectedUrlRedacted()) }),
		nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) {
			if errors.Is(err, nats.ErrPermissionViolation) {
				o.Note("the server refuses it: %v", err)
			}
		}),
	}
	opts, err := o.security(opts)
	if err != nil {
		return nil, err
	}
	nc, err := nats.Connect(o.URL, opts...)
	if err != nil {
		return nil, unreachable(o.URL, err)
	}
	js, err := jetstream.New(nc, jetstream.WithDefaultTimeout(o.Wait), jetstream.WithPublishAsyncMaxPending(2*window),
		jetstream.WithPublishAsyncTimeout(o.Wait))
	if err != nil {
		nc.Close()
		return nil, err
	}
	q := &Queue{o: o, nc: nc, js: js}
	if err := q.checkJetStream(); err != nil {
		nc.Close()
		return nil, err
	}
	return q, nil
}

// checkJetStream refuses a server that has no JetStream, and knows none that has.
func (q *Queue) checkJetStream() error {
	if has, _ := q.nc.ConnectedServerJetStream(); has {
		return nil
	}
	ctx, cancel := q.brief(context.Background())
	defer cancel()
	if _, err := q.js.AccountInfo(ctx); err != nil {
		return fmt.Errorf("%s: the server has no JetStream (%w): start nats-server with -js, or mpt-batchd",
			q.nc.ConnectedUrlRedacted(), err)
	}
	return nil
}

// security adds what shows who is who.
func (o *Options) security(opts []nats.Option) ([]nats.Option, error) {
	for _, path := range []string{o.Creds, o.CA, o.Cert, o.Key} {
		if path == "" {
			continue
		}
		if _, err := os.Stat(path); err != nil {
			return nil, err
		}
	}
	if (o.Cert == "") != (o.Key == "") {
		return nil, errors.New("a certificate needs its key, and a key its certificate")
	}
	if o.Creds != "" {
		opts = append(opts, nats.UserCredentials(o.Creds))
	}
	if o.CA != "" {
		opts = append(opts, nats.RootCAs(o.CA))
	}
	if o.Cert != "" {
		opts = append(opts, nats.ClientCert(o.Cert, o.Key))
	}
	return opts, nil
}

// Close ends the connection.
func (q *Queue) Close() { q.nc.Close() }

// unreachable explains why there is no connection. What a URL has of passwords is not shown.
func unreachable(urls string, err error) error {
	var shown []string
	for u := range strings.SplitSeq(urls, ",") {
		if p, err := url.Parse(strings.TrimSpace(u)); err == nil {
			shown = append(shown, p.Redacted())
		}
	}
	at := strings.Join(shown, ", ")
	var cert *tls.CertificateVerificationError
	var op *net.OpError
	switch {
	case at == "":
		return errors.New("the address of the server is no URL: want nats://HOST:4222 or tls://HOST:4222")
	case errors.Is(err, nats.ErrNoServers), errors.As(err, &op), errors.Is(err, nats.ErrTimeout):
		return fmt.Errorf("no NATS server answers at %s (%w): is mpt-batchd or nats-server running there?", at, err)
	case errors.Is(err, nats.ErrAuthorization):
		return fmt.Errorf("%s: the server does not let this client in: give --creds FILE, or a user and a password in the URL", at)
	case errors.As(err, &cert):
		return fmt.Errorf("%s: %w: --tls-ca FILE says which certificates to trust", at, err)
	}
	return fmt.Errorf("%s: %w", at, err)
}

// pause waits between two attempts; false: ctx has ended.
func (q *Queue) pause(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// brief limits one question to the server.
func (q *Queue) brief(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(ctx, q.o.Wait)
}

// again repeats what the network may spoil until it succeeds, fails for good, or ctx ends. The
// first failure is told.
func (q *Queue) again(ctx context.Context, what string, f func(context.Context) error) error {
	for told := false; ; {
		c, cancel := q.brief(ctx)
		err := f(c)
		cancel()
		switch {
		case err == nil:
			return nil
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case lasting(err):
			return fmt.Errorf("%s: %w", what, err)
		}
		if !told {
			q.o.Note("%s: %v; trying again", what, err)
			told = true
		}
		q.pause(ctx, q.o.Retry)
	}
}

// lasting reports whether an error is an answer of the server, which would be the same again.
func lasting(err error) bool {
	var api *jetstream.APIError
	switch {
	case errors.Is(err, errDiffers) || errors.Is(err, jetstream.ErrJetStreamNotEnabledForAccount):
		return true
	case isFull(err) || errors.Is(err, nats.ErrNoResponders) || errors.Is(err, jetstream.ErrNoStreamResponse):
		return false
	case errors.As(err, &api):
		return api.Code != 503 && api.Code != 500
	}
	return errors.Is(err, nats.ErrConnectionClosed) || errors.Is(err, nats.ErrPermissionViolation) ||
		errors.Is(err, jetstream.ErrStreamNotFound) || errors.Is(err, jetstream.ErrBucketNotFound) ||
		errors.Is(err, jetstream.ErrKeyNotFound) || errors.Is(err, jetstream.ErrObjectNotFound) ||
		errors.Is(err, jetstream.ErrKeyExists)
}
