package queue

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"mptgo/cmd/internal/batch"
)

// The headers of messages.
const (
	headCreated = "Mpt-Created" // of requests: the time in the answer
	headSum     = "Mpt-Line"    // of results: the SHA-256 of the line
	headFailed  = "Mpt-Failed"  // of results: 1 for the file of errors
	headDigest  = "Mpt-Digest"  // the SHA-256 of the payload
	headWorker  = "Mpt-Worker"  // of results: who made it
	headObject  = "Mpt-Object"  // the payload is an object of this name
)

// mostInline is the largest payload that a message carries itself.
const mostInline = 512 << 10

// place is what the subject of a request tells.
type place struct {
	fingerprint, batch string
	line               int
	check              bool // it has a result: compute it again and compare
}

func (p place) request() string {
	s := p.all() + "." + strconv.Itoa(p.line)
	if p.check {
		s += ".check"
	}
	return s
}

// all begins the subjects of all requests of the batch.
func (p place) all() string { return "mpt.req." + p.fingerprint + "." + p.batch }

func (p place) result() string { return fmt.Sprintf("mpt.res.%s.%d", p.batch, p.line) }

// parseRequest reads the subject of a request.
func parseRequest(subject string) (p place, ok bool) {
	t := strings.Split(subject, ".")
	if len(t) < 5 || len(t) > 6 || t[0] != "mpt" || t[1] != "req" || len(t) == 6 && t[5] != "check" {
		return p, false
	}
	p = place{fingerprint: t[2], batch: t[3], check: len(t) == 6}
	p.line, ok = parseLine(t[4])
	return p, ok && goodName.MatchString(p.batch)
}

// parseResult reads the line out of the subject of a result.
func parseResult(subject string) (line int, ok bool) {
	t := strings.Split(subject, ".")
	if len(t) != 4 || t[0] != "mpt" || t[1] != "res" {
		return 0, false
	}
	return parseLine(t[3])
}

func parseLine(text string) (int, bool) {
	n, err := strconv.ParseInt(text, 10, 32)
	return int(n), err == nil && n > 0 && strconv.FormatInt(n, 10) == text
}

func digest(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

// errDamaged says that a payload is not what was sent, or not there any more.
var errDamaged = errors.New("its payload is damaged or lost")

// pack makes a message. A large payload goes to the object store first.
func (q *Queue) pack(ctx context.Context, subject string, payload []byte) (*nats.Msg, error) {
	m := nats.NewMsg(subject)
	sum := digest(payload)
	m.Header.Set(headDigest, sum)
	if len(payload) <= min(mostInline, int(q.nc.MaxPayload()/2)) {
		m.Data = payload
		return m, nil
	}
	m.Header.Set(headObject, sum)
	return m, q.putObject(ctx, sum, payload)
}

func (q *Queue) putObject(ctx context.Context, name string, payload []byte) error {
	return q.again(ctx, "object "+name, func(ctx context.Context) error {
		s, err := q.js.ObjectStore(ctx, objectBucket)
		if err != nil {
			return err
		}
		if info, err := s.GetInfo(ctx, name); err == nil && info.Size == uint64(len(payload)) {
			return nil
		}
		_, err = s.PutBytes(ctx, name, payload)
		return err
	})
}

// unpack returns the payload of a message.
func (q *Queue) unpack(ctx context.Context, head nats.Header, data []byte) ([]byte, error) {
	if name := head.Get(headObject); name != "" {
		err := q.again(ctx, "object "+name, func(ctx context.Context) error {
			s, err := q.js.ObjectStore(ctx, objectBucket)
			if err == nil {
				data, err = s.GetBytes(ctx, name)
			}
			if errors.Is(err, jetstream.ErrDigestMismatch) {
				return fmt.Errorf("%w: %w", jetstream.ErrObjectNotFound, err)
			}
			return err
		})
		switch {
		case errors.Is(err, jetstream.ErrObjectNotFound) || errors.Is(err, jetstream.ErrBucketNotFound) ||
			errors.Is(err, jetstream.ErrStreamNotFound):
			return nil, fmt.Errorf("%w: %w", errDamaged, err)
		case err != nil:
			return nil, err
		}
	}
	if digest(data) != head.Get(headDigest) {
		return nil, errDamaged
	}
	return data, nil
}

// stored is a result on the server.
type stored struct {
	batch.Result
	sum    [sha256.Size]byte // of the line
	worker string
}

// same reports whether two results have the same bytes, whoever made them.
func (a *stored) same(b *stored) bool {
	return a.Failed == b.Failed && string(a.Text) == string(b.Text)
}

// packResult makes the message of a result.
func (q *Queue) packResult(ctx context.Context, p place, r *stored) (*nats.Msg, error) {
	m, err := q.pack(ctx, p.result(), r.Text)
	if err != nil {
		return nil, err
	}
	m.Header.Set(headSum, hex.EncodeToString(r.sum[:]))
	m.Header.Set(headFailed, "0")
	if r.Failed {
		m.Header.Set(headFailed, "1")
	}
	m.Header.Set(headWorker, r.worker)
	return m, nil
}

// unpackResult reads a result.
func (q *Queue) unpackResult(ctx context.Context, head nats.Header, data []byte) (*stored, error) {
	sum, err := hex.DecodeString(head.Get(headSum))
	if err != nil || len(sum) != sha256.Size {
		return nil, errDamaged
	}
	r := &stored{sum: [sha256.Size]byte(sum), worker: head.Get(headWorker)}
	r.Failed = head.Get(headFailed) == "1"
	r.Text, err = q.unpack(ctx, head, data)
	return r, err
}

// result returns the stored result of a line; nil: there is none. What is damaged counts as none,
// and is removed.
func (q *Queue) result(ctx context.Context, p place) (r *stored, err error) {
	var m *jetstream.RawStreamMsg
	err = q.again(ctx, "result of line "+strconv.Itoa(p.line), func(ctx context.Context) error {
		s, err := q.js.Stream(ctx, resultStream)
		if err == nil {
			m, err = s.GetLastMsgForSubject(ctx, p.result())
		}
		if errors.Is(err, jetstream.ErrMsgNotFound) || errors.Is(err, jetstream.ErrStreamNotFound) {
			m, err = nil, nil
		}
		return err
	})
	if err != nil || m == nil {
		return nil, err
	}
	r, err = q.unpackResult(ctx, m.Header, m.Data)
	if errors.Is(err, errDamaged) {
		q.o.Note("batch %s: line %d: a stored result is damaged: it is removed and made again", p.batch, p.line)
		return nil, q.purge(ctx, resultStream, p.result())
	}
	return r, err
}

// purge removes the messages of a subject.
func (q *Queue) purge(ctx context.Context, stream, subject string) error {
	return q.again(ctx, "purge "+subject, func(ctx context.Context) error {
		s, err := q.js.Stream(ctx, stream)
		if errors.Is(err, jetstream.ErrStreamNotFound) {
			return nil
		}
		if err != nil {
			return err
		}
		return s.Purge(ctx, jetstream.WithPurgeSubject(subject))
	})
}

// storeFailed is what the server says when it does not store a message.
const storeFailed = 10077

// isTaken reports whether a subject has its message already.
func isTaken(err error) bool { return refusal(err, "per subject") }

// isFull reports whether there is no room in a stream.
func isFull(err error) bool {
	return refusal(err, "maximum bytes") || refusal(err, "maximum messages exceeded")
}

func refusal(err error, text string) bool {
	var api *jetstream.APIError
	return errors.As(err, &api) && api.ErrorCode == storeFailed && strings.Contains(api.Description, text)
}
