package ggml

import "sync/atomic"

// claim is a range of tasks of one region: the low 16 bits of the region's number,
// then 24 bits for the first task and 24 for the one after the last. Being one
// word it changes in one step.
type claim uint64

// maxTasks is the largest number of tasks of a region.
const maxTasks = 1<<24 - 1

func newClaim(region uint64, from, to int) claim {
	return claim(region<<48 | uint64(from)<<24 | uint64(to))
}

func (c claim) region() uint64       { return uint64(c >> 48) }
func (c claim) ends() (from, to int) { return int(c >> 24 & maxTasks), int(c & maxTasks) }
func (c claim) left() int {
	from, to := c.ends()
	return to - from
}

// share is the claim of one worker, who takes tasks from the front; others take
// from the back. A worker that was held up between looking and taking may take
// from a later region than it meant to: such a task is a task like any other, and
// as long as a worker holds one, its region cannot end.
type share struct {
	word atomic.Uint64
	_    [56]byte // workers do not write to each other's cache lines
}

func (s *share) load() claim { return claim(s.word.Load()) }

func (s *share) change(from, to claim) bool {
	return s.word.CompareAndSwap(uint64(from), uint64(to))
}

// begin gives the share, which is empty, tasks of a new region.
func (s *share) begin(region uint64, from, to int) {
	s.word.Store(uint64(newClaim(region, from, to)))
}

// take takes the first task.
func (s *share) take() (task int, ok bool) {
	for {
		c := s.load()
		if c.left() <= 0 {
			return 0, false
		}
		from, to := c.ends()
		if s.change(c, newClaim(c.region(), from+1, to)) {
			return from, true
		}
	}
}

// split takes the second half, rounded up. It fails if the share is empty or
// changes meanwhile.
func (s *share) split() (c claim, ok bool) {
	old := s.load()
	if old.left() <= 0 {
		return 0, false
	}
	from, to := old.ends()
	middle := from + (to-from)/2
	return newClaim(old.region(), middle, to), s.change(old, newClaim(old.region(), from, middle))
}

// put gives the share tasks that were taken from another one. Only the worker that
// the share belongs to may do that. It fails if the share is not empty or has not
// begun the region of the tasks: begin would write over them.
func (s *share) put(c claim) bool {
	old := s.load()
	return old.left() == 0 && old.region() == c.region() && s.change(old, c)
}
