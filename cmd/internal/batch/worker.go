package batch

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"sync/atomic"
	"time"

	"mptgo/cmd/internal/server"
	"mptgo/mpt/serve"
)

// Worker answers requests, several at the same time. What it answers depends on the request and
// the model alone. An error other than [ErrTimeout] and a [*FaultError] ends the work on all
// requests: that the machine cannot go on is no answer.
type Worker interface {
	Answer(ctx context.Context, r *Request) (Answer, error)
}

// ErrTimeout says that a request took longer than it may.
var ErrTimeout = errors.New("the request took longer than it may")

// FaultError says that the engine failed while it answered a request.
type FaultError struct{ Message string }

func (e *FaultError) Error() string { return "the engine failed: " + e.Message }

// Local answers requests by the server's handler in this process.
type Local struct {
	Handler   http.Handler  // a [server.Server] that has a model
	Timeout   time.Duration // for each request; 0: none
	MaxTokens int           // of each choice, whatever a request says; 0: no limit
	AnyModel  bool          // whatever model a request names
	Clock     *atomic.Int64 // set to the time in the answers, for templates that write the date

	moment moment
}

// Answer answers a request.
func (l *Local) Answer(ctx context.Context, r *Request) (Answer, error) {
	limited := ctx
	if l.Timeout > 0 {
		var cancel context.CancelFunc
		limited, cancel = context.WithTimeout(ctx, l.Timeout)
		defer cancel()
	}
	l.moment.enter(r.Created)
	defer l.moment.leave()
	w, err := l.ask(limited, r, nil)
	switch {
	case err != nil:
		return Answer{}, err
	case w.status == http.StatusOK || w.status == http.StatusNotImplemented || w.status >= 400 && w.status < 429:
		return Answer{w.status, bytes.TrimSpace(w.body.Bytes())}, nil
	case ctx.Err() != nil:
		return Answer{}, context.Cause(ctx)
	case limited.Err() != nil:
		return Answer{}, ErrTimeout
	case w.status == http.StatusInternalServerError:
		return Answer{}, &FaultError{w.message()}
	}
	return Answer{}, fmt.Errorf("line %d: status %d: %s", r.Line, w.status, w.message())
}

// ask hands a request to the handler. With plan nothing is evaluated.
func (l *Local) ask(ctx context.Context, r *Request, plan func(serve.Request)) (*recorder, error) {
	fixed := server.Fixed{ID: r.ID, Created: r.Created, MaxTokens: l.MaxTokens, AnyModel: l.AnyModel, Plan: plan}
	q, err := http.NewRequestWithContext(fixed.In(ctx), http.MethodPost, r.URL, bytes.NewReader(r.Body))
	if err != nil {
		return nil, err
	}
	if l.Clock != nil {
		l.Clock.Store(r.Created) // the same for all that are under way, see moment
	}
	q.Header.Set("X-Request-Id", "req_"+r.ID)
	w := &recorder{head: http.Header{}}
	l.Handler.ServeHTTP(w, q)
	return w, nil
}

// recorder keeps an answer.
type recorder struct {
	head   http.Header
	status int
	body   bytes.Buffer
}

func (w *recorder) Header() http.Header { return w.head }

func (w *recorder) WriteHeader(status int) {
	if w.status == 0 {
		w.status = status
	}
}

func (w *recorder) Write(b []byte) (int, error) {
	w.WriteHeader(http.StatusOK)
	return w.body.Write(b)
}

// message returns what an error says.
func (w *recorder) message() string {
	var e struct{ Error struct{ Message string } }
	if json.Unmarshal(w.body.Bytes(), &e) != nil {
		return ""
	}
	return e.Error.Message
}
