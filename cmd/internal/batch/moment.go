package batch

import "sync"

// moment has requests of one time of creation under way at once: templates read it from a clock
// that all share. A worker may have requests of several batches. Those of another time wait,
// not for ever: they keep their places among the worker's, so that fewer and fewer are left.
type moment struct {
	mu      sync.Mutex
	changed sync.Cond
	created int64
	inside  int // requests under way
}

// enter waits until no request of another time is under way.
func (m *moment) enter(created int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.changed.L = &m.mu
	for m.inside > 0 && m.created != created {
		m.changed.Wait()
	}
	m.created = created
	m.inside++
}

func (m *moment) leave() {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.inside--; m.inside == 0 {
		m.changed.L = &m.mu
		m.changed.Broadcast()
	}
}
