package serve

import (
	"slices"
	"time"

	"mptgo/mpt"
)

const (
	// ageing is how long a request waits until its priority rises by one.
	ageing = 10 * time.Second
	// ahead is how many tokens beyond its prompt a request must have memory for to begin.
	ahead = 64
	// leastShared is how many tokens a request must have in common with a prompt that is
	// being read to wait for it.
	leastShared = 64
)

// turns remembers when requests of each key began, so that keys take turns.
type turns struct {
	begun map[string]int
	n     int
}

// admit lets requests begin as long as there is room.
func (s *scheduler) admit() {
	for len(s.waiting) > 0 {
		q := s.nextRequest()
		if q == nil || s.seats()+q.N > s.e.opt.Parallel || !s.roomFor(len(q.Prompt)+ahead) {
			return
		}
		if err := s.begin(q); err != nil {
			s.end(q, err)
		}
	}
}

// seats returns how many sequences there are.
func (s *scheduler) seats() int {
	n := len(s.running)
	for _, t := range s.reading {
		if t.c == nil {
			n += t.q.N
		} else {
			n++
		}
	}
	return n
}

// nextRequest returns the waiting request that is to begin next: of those with the highest
// priority, of the key whose turn it is, the oldest. Who has much in common with a prompt
// that is being read waits for that.
func (s *scheduler) nextRequest() (next *request) {
	now := time.Now()
	for _, q := range s.waiting {
		if s.awaits(q) {
			continue
		}
		if next == nil || s.before(q, next, now) {
			next = q
		}
	}
	return next
}

// before reports whether a is to begin before b.
func (s *scheduler) before(a, b *request, now time.Time) bool {
	if p, q := a.rank(now), b.rank(now); p != q {
		return p > q
	}
	if p, q := s.turns.begun[a.Key], s.turns.begun[b.Key]; p != q {
		return p < q
	}
	return a.arrived.Before(b.arrived)
}

// rank is the priority of a request, which rises while it waits.
func (q *request) rank(now time.Time) int { return q.Priority + int(now.Sub(q.arrived)/ageing) }

// awaits reports whether a prompt that is being read will hold much more of q's than the
// cache does.
func (s *scheduler) awaits(q *request) bool {
	if q.NoCache || q.Echo {
		return false
	}
	for _, t := range s.reading {
		if n := t.shares(q); n >= leastShared && t.done < n {
			_, cached := s.cache.find(groupOf(q.Salt, q.Adapters), q.Prompt)
			if n-cached >= leastShared {
				return true
			}
		}
	}
	return false
}

// shares returns how many tokens a text has in common with the prompt of q, if those may be
// used for it.
func (t *reading) shares(q *request) int {
	if t.q.NoCache || t.q.Salt != q.Salt || !slices.Equal(t.q.Adapters, q.Adapters) {
		return 0
	}
	return mpt.CommonPrefix(t.ids, q.Prompt)
}

// begin gives a request a session that holds what is known of its prompt.
func (s *scheduler) begin(q *request) error {
	s.waiting = without(s.waiting, q)
	s.e.mu.Lock()
	s.e.queued--
	s.e.seats += q.N
	s.e.mu.Unlock()
	s.turns.take(q.Key)
	s.order++
	q.order, q.started = s.order, time.Now()
	q.usage.Queue = q.started.Sub(q.arrived)
	var err error
	if q.prompt, err = s.e.m.NewSession(mpt.ContextSize(s.e.opt.ContextSize), mpt.NoReserve()); err != nil {
		return err
	}
	if err := q.prompt.SetAdapters(q.Adapters...); err != nil {
		return err
	}
	if q.Echo {
		q.echoed = make([]*Logprob, len(q.Prompt))
	} else if !q.NoCache {
		if err := s.recall(q.prompt, q, q.Prompt, true); err != nil {
			return err
		}
	}
	t := &reading{q: q, session: q.prompt, ids: q.Prompt, done: q.prompt.Len()}
	s.reading = append(s.reading, t)
	if err := s.fetch(t); err != nil || t.fetching {
		return err
	}
	s.begun(t, 0)
	return nil
}

// begun counts what was known of a prompt, n tokens of it more than before, and goes on
// behind them.
func (s *scheduler) begun(t *reading, n int) {
	if q := t.q; !q.Echo && !q.NoCache {
		q.usage.CachedTokens = t.session.Len()
		s.cache.queries += int64(len(q.Prompt))
		s.cache.hits += int64(t.session.Len())
	}
	t.advance(s, n)
}

// fetch begins to fill the session of a prompt from disk, if there is something to gain.
func (s *scheduler) fetch(t *reading) (err error) {
	q := t.q
	if s.disk == nil || q.NoCache {
		return nil
	}
	if q.chain, err = newChain(t.session, s.e.m, q.Salt); err != nil || q.Echo {
		return err
	}
	return s.disk.fetch(t, &s.pace)
}

// take counts a turn of a key. Keys that were not seen for long are forgotten: their next
// turn comes as early as that of a new one.
func (t *turns) take(key string) {
	t.n++
	t.begun[key] = t.n
	for k, n := range t.begun {
		if t.n-n > 1024 {
			delete(t.begun, k)
		}
	}
}

// recall copies into an empty session the longest beginning of ids that the cache or a
// prompt being read holds. Without logits of the last token, that is left to be evaluated.
func (s *scheduler) recall(x *mpt.Session, q *request, ids []int32, count bool) error {
	entry, n := s.cache.find(groupOf(q.Salt, q.Adapters), ids)
	var from *mpt.Session
	if entry != nil {
		from = entry.session
		if count && n > 0 {
			s.cache.use(entry, n)
			q.trail = entry.trail
		}
	}
	for _, t := range s.reading {
		if t.q != q && !t.fetching {
			if k := min(t.shares(q), t.done, mpt.CommonPrefix(t.ids, ids)); k > n {
				from, n = t.session, k
			}
		}
	}
	if from == nil {
		return nil
	}
	if n == len(ids) && (n < from.Len() || from.Logits() == nil) {
		n--
	}
	if n <= 0 {
		return nil
	}
	return x.CopyFrom(from, n)
}
