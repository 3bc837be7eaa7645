package serve

import (
	"cmp"
	"errors"
	"slices"
)

// roomFor reports whether a sequence of so many tokens may begin. Whoever is alone always has
// room: the engine has checked at its start that one sequence fits.
func (s *scheduler) roomFor(tokens int) bool {
	return s.seats() == 0 || s.fits(tokens)
}

// fits reports whether there is memory for so many tokens, after the cache has given up what
// is needed.
func (s *scheduler) fits(tokens int) bool {
	tokens = min(tokens, s.e.opt.ContextSize)
	need := pagesOf(tokens) * s.cache.pageBytes()
	for {
		mem, err := s.e.m.Memory()
		if err != nil || mem.CacheLimit < 0 || mem.CacheLimit-mem.Cache >= need {
			return true
		}
		switch {
		case s.cache.pages > 0:
			s.cache.evict()
		case !s.shrinkDrafts():
			return false
		}
	}
}

// makeRoom frees memory for steps that found no page, which are tried again: cached pages, or
// if there are none that nobody else holds, all of the youngest sequence of the lowest
// priority.
func (s *scheduler) makeRoom(steps int) {
	had := s.used()
	s.shrinkDrafts()
	for s.cache.pages > 0 && s.used() > had-int64(steps)*s.cache.pageBytes() {
		s.cache.evict()
	}
	if s.used() < had {
		return
	}
	if moving := s.disk != nil && s.disk.moving(); moving || s.lent.Load() > 0 {
		if moving {
			s.disk.interrupt()
		}
		s.blocked = true // until these give their pages back
		return
	}
	s.preempt()
}

// used returns the bytes of pages that all sequences and the cache hold.
func (s *scheduler) used() int64 {
	mem, _ := s.e.m.Memory()
	return mem.Cache
}

// preempt empties the session of the youngest sequence of the lowest priority. It is
// evaluated again when there is room; nobody can tell but by time. The last one is left: if
// even that finds no memory, its request ends.
func (s *scheduler) preempt() {
	all := s.holders()
	if len(all) == 0 {
		return
	}
	h := slices.MinFunc(all, func(a, b holder) int {
		return cmp.Or(
			cmp.Compare(a.q.Priority, b.q.Priority), cmp.Compare(b.q.order, a.q.order), cmp.Compare(b.index(), a.index()))
	})
	if len(all) == 1 {
		s.end(h.q, errMemory)
		return
	}
	s.e.mu.Lock()
	s.e.shown.Preemptions++
	s.e.mu.Unlock()
	if h.t != nil {
		h.t.done = 0
		h.t.session.Reset()
		return
	}
	c := h.c
	c.lost = slices.Clone(c.session.Tokens())
	c.session.Reset()
	s.running = without(s.running, c)
	s.reading = slices.Insert(s.reading, 0, &reading{q: c.q, c: c, session: c.session, ids: c.lost})
}

// holder is a sequence that holds pages.
type holder struct {
	q *request
	c *choice
	t *reading
}

func (h holder) index() int {
	if h.c != nil {
		return h.c.index
	}
	return 0
}

// holders returns all sequences that hold pages.
func (s *scheduler) holders() (all []holder) {
	for _, c := range s.running {
		all = append(all, holder{q: c.q, c: c})
	}
	for _, t := range s.reading {
		if !t.fetching && t.session.Len() > 0 {
			all = append(all, holder{q: t.q, t: t})
		}
	}
	return all
}

// errMemory ends a request that has the whole memory to itself and finds no more.
var errMemory = errors.New("serve: there is no memory left for the keys and values of this sequence alone")
