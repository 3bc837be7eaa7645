package serve

import "sync"

// fullStream is how many bytes of events may wait before a request pauses.
const fullStream = 1 << 20

// eventBytes is about what an event takes beside its text.
const eventBytes = 128

// Stream is what happens to one request. It serves one goroutine at a time.
type Stream struct {
	q *request

	mu     sync.Mutex
	events []Event
	next   int // of events: the first that is not read
	bytes  int // of those that are not read
	ended  bool
	err    error
	usage  Usage
	came   chan struct{} // has a value after something came
}

// put adds an event.
func (s *Stream) put(ev Event) {
	s.mu.Lock()
	s.events = append(s.events, ev)
	s.bytes += ev.size()
	s.mu.Unlock()
	s.signal()
}

// update tells what the request has taken so far.
func (s *Stream) update(u Usage) {
	s.mu.Lock()
	s.usage = u
	s.mu.Unlock()
}

// end says that no event will come.
func (s *Stream) end(u Usage, err error) {
	s.mu.Lock()
	s.ended, s.usage, s.err = true, u, err
	s.mu.Unlock()
	s.signal()
}

func (s *Stream) signal() {
	select {
	case s.came <- struct{}{}:
	default:
	}
}

// full reports whether the reader is so far behind that the request has to pause.
func (s *Stream) full() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.bytes > fullStream
}

// Next waits for the next event. It returns false at the end: after the last event of every
// choice, or when the request's context is done. A reader that is slow holds nobody else up:
// its choices pause when a megabyte of events waits.
func (s *Stream) Next() (Event, bool) {
	for {
		ev, ok, ended := s.take()
		if ok || ended {
			return ev, ok
		}
		<-s.came
	}
}

func (s *Stream) take() (ev Event, ok, ended bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.next == len(s.events) {
		return ev, false, s.ended
	}
	ev = s.events[s.next]
	s.events[s.next] = Event{}
	s.next++
	was := s.bytes > fullStream
	s.bytes -= ev.size()
	if s.next == len(s.events) {
		s.events, s.next = s.events[:0], 0
	}
	if was && s.bytes <= fullStream {
		s.q.e.rouse()
	}
	return ev, true, false
}

// size is about how much memory an event takes.
func (ev *Event) size() int {
	n := eventBytes + len(ev.Token.Text) + 4*len(ev.Embedding)
	if ev.Logprob != nil {
		n += 64 + 16*len(ev.Logprob.Top)
	}
	return n
}

// Usage returns what the request took. Before the end of the stream it is what is known then.
func (s *Stream) Usage() Usage {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.usage
}

// Err returns why the stream ended early: the context's error, or that of the engine.
func (s *Stream) Err() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.err
}

// Close cancels the request if it is not done. It may be called more than once.
func (s *Stream) Close() {
	s.q.stop()
	s.q.e.cancel(s.q)
}
