package convert

import (
	"encoding"
	"hash"
	"math"
	"sort"
	"sync"
)

// A mark is a state of a hash before a byte.
type mark struct {
	at    int64
	state []byte
}

// A queue is the tasks of a shard, in the order of their bytes, and how far they are.
type queue struct {
	in    *inflow
	tasks []coming

	mu       sync.Mutex
	finished []bool
	first    int    // the first that is not finished
	marks    []mark // of the starts of tasks that are not finished, and one before
}

// done says that a task is finished.
func (q *queue) done(i int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.finished[i] = true
	q.move()
}

// move lets the inflow forget what is not needed any more. The lock is held, or nobody
// else has the queue.
func (q *queue) move() {
	for q.first < len(q.tasks) && q.finished[q.first] {
		q.first++
	}
	low := q.low()
	for len(q.marks) > 1 && q.marks[1].at <= low {
		q.marks = q.marks[1:]
	}
	q.in.advance(low)
}

// low returns the first byte that is needed.
func (q *queue) low() int64 {
	if q.first == len(q.tasks) {
		return math.MaxInt64
	}
	return q.tasks[q.first].from
}

// boundary returns the first start of a task behind byte at.
func (q *queue) boundary(at int64) int64 {
	i := sort.Search(len(q.tasks), func(i int) bool { return q.tasks[i].from > at })
	if i == len(q.tasks) {
		return math.MaxInt64
	}
	return q.tasks[i].from
}

// mark keeps the state of the hash if a task begins at byte at.
func (q *queue) mark(at int64, h hash.Hash) {
	i := sort.Search(len(q.tasks), func(i int) bool { return q.tasks[i].from >= at })
	if i == len(q.tasks) || q.tasks[i].from != at {
		return
	}
	var state []byte
	if m, ok := h.(encoding.BinaryMarshaler); ok {
		state, _ = m.MarshalBinary() // those of sha1 and sha256 can
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	q.marks = append(q.marks, mark{at, state})
}

// safe returns the last mark before which all is done.
func (q *queue) safe() mark {
	q.mu.Lock()
	defer q.mu.Unlock()
	low := q.low()
	m := q.marks[0]
	for _, x := range q.marks {
		if x.at <= low {
			m = x
		}
	}
	return m
}
