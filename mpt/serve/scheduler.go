package serve

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"mptgo/mpt"
)

// scheduler owns all sessions: nobody else touches them, but for those that it hands to [disk]
// for a while. Its goroutine takes in requests, lets those begin for which there is room, and
// evaluates step after step.
type scheduler struct {
	e     *Engine
	pace  pace
	cache prefixes
	disk  *disk // nil: none
	turns turns

	live    []*request // all of them, the oldest first
	waiting []*request
	reading []*reading // texts that are evaluated, the oldest first
	running []*choice  // those that a token is chosen for in every step
	order   int        // of the last request that began

	lent    atomic.Int32 // sessions that others use, see lend
	blocked bool         // steps found no memory, which others will give back
	steps   []mpt.Step
	parts   []part // what the steps are of
	drafts  drafts
	ready   []*choice

	abort  atomic.Bool // all that is left ends
	mu     sync.Mutex
	cancel context.CancelFunc // of the step under way
	in     []*request         // it
}

// part says what a step of a batch is of: a choice that goes on, or a text.
type part struct {
	c *choice
	t *reading
}

// init opens the caches.
func (s *scheduler) init(e *Engine) (err error) {
	s.e = e
	s.turns.begun = map[string]int{}
	common := e.opt.Caches
	if common != nil {
		e.opt.CacheBytes, e.opt.CacheDir, e.opt.DiskBytes = common.opt.CacheBytes, common.opt.CacheDir, common.opt.DiskBytes
	}
	if e.opt.CacheBytes == 0 {
		if e.opt.CacheBytes, err = e.cacheBudget(); err != nil {
			return err
		}
	}
	s.cache = prefixes{m: e.m, groups: map[string][]*prefix{}, budget: e.opt.CacheBytes, ordered: e.opt.Ordered}
	if s.disk, err = e.openDisk(); err == nil && common != nil {
		s.cache.share = common.join(e.opt.CacheBytes, e.rouse)
	}
	return err
}

// cacheBudget chooses the budget of the cache in memory.
func (e *Engine) cacheBudget() (int64, error) {
	mem, err := e.m.Memory()
	if err != nil {
		return 0, err
	}
	if mem.CacheLimit < 0 {
		return 512 << 20, nil // nothing says how much there is
	}
	return max(mem.CacheLimit-int64(e.opt.Parallel)*e.m.CacheBytes(512), 0) / 4, nil
}

// run is the scheduler's goroutine.
func (s *scheduler) run() {
	defer close(s.e.done)
	drained := false
	for {
		refuses := s.collect()
		s.sweep()
		s.cache.yield()
		s.admit()
		worked := s.step()
		moving := s.moving()
		s.show()
		if worked || s.blocked && !moving {
			continue
		}
		empty := len(s.live) == 0
		if empty && (!moving || s.abort.Load()) && refuses != nil && !drained {
			drained = true
			close(s.e.idle)
		}
		if empty && !moving && refuses == ErrClosed {
			s.cache.clear()
			s.cache.share.leave()
			return
		}
		<-s.e.wake
	}
}

// moving looks after the cache on disk. It reports whether anything is on its way from or to
// it, or others use sessions.
func (s *scheduler) moving() bool {
	lent := s.lent.Load() > 0
	if s.disk == nil {
		return lent
	}
	if s.abort.Load() {
		s.disk.stop.Store(true)
	}
	s.disk.save(&s.cache)
	s.cache.saving = s.disk.saving
	return s.disk.moving() || lent
}

// collect takes in what was submitted and what was fetched, and makes the calls that others
// wait for. It returns why nothing more will come.
func (s *scheduler) collect() error {
	if s.disk != nil {
		s.collectFetched()
	}
	e := s.e
	e.mu.Lock()
	calls := e.calls
	e.calls = nil
	e.mu.Unlock()
	for _, call := range calls {
		call()
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	s.live, s.waiting = append(s.live, e.inbox...), append(s.waiting, e.inbox...)
	e.inbox = e.inbox[:0]
	return e.refuses
}

// sweep ends requests that nobody waits for any more.
func (s *scheduler) sweep() {
	all := s.abort.Load()
	for i := len(s.live) - 1; i >= 0; i-- { // end takes them out
		if q := s.live[i]; q.dead() {
			s.end(q, nil)
		} else if all {
			s.end(q, ErrClosed)
		}
	}
}

// end takes a request out, wherever it is.
func (s *scheduler) end(q *request, err error) {
	if q.ended {
		return
	}
	q.ended = true
	before := len(s.waiting)
	s.live = without(s.live, q)
	s.waiting = without(s.waiting, q)
	for _, t := range s.reading {
		if t.q == q && t.fetching {
			t.stop.Store(true)
			q.prompt = nil // it is closed when nobody uses it any more
		}
	}
	s.reading = slices.DeleteFunc(s.reading, func(t *reading) bool { return t.q == q })
	s.running = slices.DeleteFunc(s.running, func(c *choice) bool { return c.q == q })
	why, err := q.close(err)
	e := s.e
	e.mu.Lock()
	e.queued -= before - len(s.waiting)
	e.load.tokens -= q.work()
	e.shown.count(why)
	e.mu.Unlock()
	if o := e.opt.Observer; o != nil {
		o.Done(why, q.usage, time.Since(q.arrived))
	}
	q.stream.end(q.usage, err) // last: who has the answer finds it counted
}

// without removes a value from a list.
func without[T comparable](list []T, x T) []T {
	return slices.DeleteFunc(list, func(y T) bool { return y == x })
}

// step evaluates one batch and chooses the tokens that follow. It reports whether there was
// anything to do.
func (s *scheduler) step() bool {
	s.blocked = false
	s.plan()
	if len(s.steps) > 0 {
		s.evaluate()
	}
	chosen := s.choose()
	return len(s.steps) > 0 && !s.blocked || chosen
}

// plan fills the batch: a row for every choice that goes on, then parts of texts.
func (s *scheduler) plan() {
	s.steps, s.parts = s.steps[:0], s.parts[:0]
	for _, c := range s.running {
		if ids := c.next(); ids != nil && !c.q.stream.full() {
			s.steps = append(s.steps, mpt.Step{Session: c.session, IDs: ids})
			s.parts = append(s.parts, part{c: c})
		}
	}
	s.planTexts()
	s.planDrafts()
}

// evaluate runs the batch and looks at what became of its parts.
func (s *scheduler) evaluate() {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	s.mu.Lock()
	s.cancel, s.in = cancel, s.in[:0]
	for _, p := range s.parts {
		s.in = append(s.in, p.request())
	}
	s.mu.Unlock()
	begun := time.Now()
	err := s.runSteps(ctx)
	took := time.Since(begun)
	s.mu.Lock()
	s.cancel = nil
	s.mu.Unlock()
	if err == nil {
		s.observe(took)
	}
	s.settle(err)
}

// runSteps is Model.Run that makes an error of a panic, which comes from a request's code.
func (s *scheduler) runSteps(ctx context.Context) (err error) {
	defer func() {
		if x := recover(); x != nil {
			err = fmt.Errorf("serve: a panic: %v", x)
		}
	}()
	return s.e.m.Run(ctx, s.steps)
}

func (p part) request() *request {
	if p.c != nil {
		return p.c.q
	}
	return p.t.q
}

// interrupt ends the step under way if nobody waits for any of it.
func (s *scheduler) interrupt() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.cancel == nil {
		return
	}
	if s.abort.Load() || !slices.ContainsFunc(s.in, func(q *request) bool { return !q.dead() }) {
		s.cancel()
	}
}

// observe learns from a step.
func (s *scheduler) observe(took time.Duration) {
	prompt, decode, drafted := 0, 0, 0
	for i, p := range s.parts {
		if p.c != nil {
			decode += s.steps[i].Done
			drafted += s.steps[i].Drafted
		} else {
			prompt += s.steps[i].Done
		}
	}
	if prompt+decode == 0 {
		return
	}
	s.pace.observe(prompt, decode+drafted, took)
	s.e.mu.Lock()
	s.e.load.observe(prompt+decode, took)
	s.e.shown.step(took, prompt, decode)
	s.e.shown.drafts(drafted)
	s.e.mu.Unlock()
	if o := s.e.opt.Observer; o != nil {
		o.Step(took, prompt, decode)
	}
}

// settle looks at what became of the parts of a batch. A step that found no memory is tried
// again after others made room.
func (s *scheduler) settle(whole error) {
	short, done := 0, 0 // steps without memory, tokens
	for i, p := range s.parts {
		st := &s.steps[i]
		done += st.Done
		var none *mpt.MemoryError
		switch {
		case errors.As(st.Err, &none):
			short++
		case st.Err != nil && errors.Is(st.Err, context.Canceled):
		case st.Err != nil:
			s.end(p.request(), st.Err)
			continue
		case whole != nil && !errors.Is(whole, context.Canceled):
			s.end(p.request(), whole)
			continue
		}
		if p.request().ended {
			continue
		}
		if p.c != nil {
			if st.Done == 1 {
				p.c.gen.Evaluated(nil)
			}
		} else {
			p.t.advance(s, st.Done)
		}
	}
	if short > 0 {
		s.makeRoom(short)
		s.blocked = s.blocked && done == 0
	}
}

// choose chooses the next token of all choices that have logits for it, at the same time,
// and tells of them.
func (s *scheduler) choose() bool {
	s.ready = s.ready[:0]
	for _, c := range s.running {
		if c.next() == nil && c.session.Logits() != nil && !c.ended {
			s.ready = append(s.ready, c)
		}
	}
	if len(s.ready) == 0 {
		return false
	}
	if err := s.e.m.Parallel(len(s.ready), func(i int) { s.ready[i].advance() }); err != nil {
		for _, c := range s.ready {
			s.end(c.q, err)
		}
		return true
	}
	accepted := 0
	for _, c := range s.ready {
		accepted += c.advanced
	}
	s.e.mu.Lock()
	s.e.shown.accept(accepted)
	s.e.mu.Unlock()
	for _, c := range s.ready {
		s.tell(c)
	}
	return true
}

// tell hands on what a choice has made, and ends it and its request where they have come to
// their end.
func (s *scheduler) tell(c *choice) {
	q, now := c.q, time.Now()
	for _, ev := range c.out {
		if ev.Token.ID >= 0 {
			s.count(c, now)
		}
		q.stream.put(ev)
	}
	if !c.ended {
		return
	}
	c.told = true
	if c.gen.Why() == mpt.EndedToken {
		q.usage.CompletionTokens++
	}
	s.remember(q, c.session)
	c.session.Close()
	s.running = without(s.running, c)
	if !slices.ContainsFunc(q.choices, func(x *choice) bool { return !x.told }) {
		s.end(q, nil)
	}
}

// count counts a token of a choice.
func (s *scheduler) count(c *choice, now time.Time) {
	c.q.usage.CompletionTokens++
	o := s.e.opt.Observer
	switch {
	case o == nil:
	case c.last.IsZero():
		o.FirstToken(now.Sub(c.q.arrived))
	default:
		o.NextToken(now.Sub(c.last))
	}
	c.last = now
}

// remember puts the tokens of a session into the cache, if the request lets it. An error only
// means that they are computed again another time.
func (s *scheduler) remember(q *request, x *mpt.Session) {
	if q.NoCache {
		return
	}
	group := groupOf(q.Salt, q.Adapters)
	if err := s.cache.add(group, x, q.trail); err == nil && s.disk != nil {
		s.disk.keep(group, q.chain, x.Tokens())
	}
}
