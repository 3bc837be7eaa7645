package server

import (
	"cmp"
	"encoding/json"
	"net/http"
	"strings"
	"time"

	"mptgo/mpt"
)

// feed sends an answer as it comes, in events or in lines.
type feed struct {
	w    http.ResponseWriter
	c    *http.ResponseController
	wait time.Duration
	err  error
	ping func() // a sign of life
}

// The types of streams: events, and lines of JSON.
const (
	eventStream = "text/event-stream; charset=utf-8"
	lineStream  = "application/x-ndjson"
)

// newFeed sends the head of a stream of some type.
func (s *Server) newFeed(w http.ResponseWriter, kind string) *feed {
	h := w.Header()
	h.Set("Content-Type", kind)
	h.Set("Cache-Control", "no-cache")
	h.Set("X-Accel-Buffering", "no")
	w.WriteHeader(http.StatusOK)
	e := &feed{w: w, c: http.NewResponseController(w), wait: s.c.WriteWait}
	e.ping = func() { e.raw(": ping\n\n") }
	e.flush()
	return e
}

func (e *feed) flush() {
	if err := e.c.Flush(); err != nil && e.err == nil {
		e.err = err
	}
}

// raw writes lines as they are.
func (e *feed) raw(text string) {
	if e.err != nil {
		return
	}
	e.c.SetWriteDeadline(time.Now().Add(e.wait)) // where that is not possible there is no limit
	if _, e.err = e.w.Write([]byte(text)); e.err == nil {
		e.flush()
	}
}

// data writes an event.
func (e *feed) data(v any) { e.raw("data: " + encoded(v) + "\n") }

// event writes an event with a name.
func (e *feed) event(name string, v any) { e.raw("event: " + name + "\ndata: " + encoded(v) + "\n") }

// line writes a line.
func (e *feed) line(v any) { e.raw(encoded(v)) }

// encoded is a line of JSON.
func encoded(v any) string {
	var b strings.Builder
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	enc.Encode(v)
	return b.String()
}

// next waits for what happens next, and keeps the connection alive meanwhile.
func (s *Server) next(g *group, e *feed) (happening, bool) {
	if s.c.Ping < 0 {
		h, ok := <-g.events
		return h, ok
	}
	for {
		t := time.NewTimer(s.c.Ping)
		select {
		case h, ok := <-g.events:
			t.Stop()
			return h, ok
		case <-t.C:
			e.ping()
		}
	}
}

// tell hands on the text of an only answer as it comes, with the tokens that begin in it, and
// returns the whole. It returns nil without an error if the client has gone.
func (s *Server) tell(
	e *feed, m *served, g *group, piece func(text string, tokens []scored),
) (*answered, *apiError) {
	var c answered
	var waiting unsent
	for {
		h, ok := s.next(g, e)
		if !ok || e.err != nil {
			return nil, nil
		}
		switch {
		case h.end && h.err != nil || h.Why == mpt.EndedError:
			return nil, errorOf(cmp.Or(h.err, h.Err))
		case h.end:
			c.trim()
			return &c, nil
		case h.Progress != nil:
			continue
		}
		c.add(m, h.Event)
		waiting.add(m, h.Event)
		tokens := waiting.take(h.Token.Text)
		if h.Why != mpt.NotEnded {
			tokens = append(tokens, waiting.rest(h.Why)...)
		}
		if h.Token.Text != "" || len(tokens) > 0 && tokens[0].Logprob != nil {
			piece(h.Token.Text, tokens)
		}
	}
}
