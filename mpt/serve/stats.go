package serve

import (
	"slices"
	"time"

	"mptgo/mpt"
)

// Stats is what the engine does and has done.
type Stats struct {
	Waiting int    // requests in the queue
	Slots   []Slot // sequences

	// The adapters that running and waiting requests use, each once.
	RunningAdapters, WaitingAdapters []*mpt.Adapter

	Requests map[mpt.Reason]int64 // ended ones, by the reason
	Steps    int64
	Busy     time.Duration // in steps
	Largest  int           // most rows in a step

	PromptTokens int64 // evaluated; what was found in the cache does not count
	DecodeTokens int64 // evaluated tokens of answers
	PromptTime   time.Duration
	DecodeTime   time.Duration // steps are shared out by rows
	Preemptions  int64
	Drafted      int64 // guesses of tokens that were evaluated
	Accepted     int64 // of them, those that came true

	CacheQueries, CacheHits int64 // tokens of prompts, and those of them that were found
	CacheBytes, CacheLimit  int64 // of the prefix cache
	PageBytes, PageLimit    int64 // of all keys and values; limit negative: none
	CachedTokens            int64 // held by the cache, those that entries share counted once
	Disk                    DiskStats
}

// Slot is a sequence that is evaluated.
type Slot struct {
	Prompt    int  // tokens of the prompt
	Done      int  // of them, evaluated
	Generated int  // tokens of the answer
	Reading   bool // its prompt is read, or read again
	Context   int
}

// stats is what Stats shows, under the engine's lock.
type stats struct{ Stats }

// step counts an evaluation.
func (s *stats) step(took time.Duration, prompt, decode int) {
	rows := prompt + decode
	s.Steps++
	s.Busy += took
	s.Largest = max(s.Largest, rows)
	s.PromptTokens += int64(prompt)
	s.DecodeTokens += int64(decode)
	part := took * time.Duration(prompt) / time.Duration(rows)
	s.PromptTime += part
	s.DecodeTime += took - part
}

// drafts counts guesses that were evaluated, accept those that came true: they are tokens of answers.
func (s *stats) drafts(n int) { s.Drafted += int64(n) }

func (s *stats) accept(n int) {
	s.Accepted += int64(n)
	s.DecodeTokens += int64(n)
}

// count counts a request that has ended.
func (s *stats) count(why mpt.Reason) {
	if s.Requests == nil {
		s.Requests = map[mpt.Reason]int64{}
	}
	s.Requests[why]++
}

// show updates what Stats tells of the present.
func (s *scheduler) show() {
	mem, _ := s.e.m.Memory()
	var disk DiskStats
	if s.disk != nil {
		disk = s.disk.stats()
	}
	s.e.mu.Lock()
	defer s.e.mu.Unlock()
	x := &s.e.shown
	s.e.seats = s.seats()
	x.Slots = x.Slots[:0]
	for _, t := range s.reading {
		x.Slots = append(x.Slots, Slot{len(t.q.Prompt), t.q.done, t.generated(), true, s.e.opt.ContextSize})
	}
	for _, c := range s.running {
		x.Slots = append(x.Slots, Slot{len(c.q.Prompt), len(c.q.Prompt), c.gen.Tokens(), false, s.e.opt.ContextSize})
	}
	s.showAdapters(x)
	x.CacheQueries, x.CacheHits, x.CachedTokens = s.cache.queries, s.cache.hits, s.cache.tokens
	s.cache.share.claim(s.cache.bytes()) // less than before, if steps needed room
	x.CacheBytes, x.CacheLimit = s.cache.bytes(), s.cache.share.limit(s.cache.budget)
	x.PageBytes, x.PageLimit = mem.Cache, mem.CacheLimit
	x.Disk = disk
}

// showAdapters tells which adapters are in use.
func (s *scheduler) showAdapters(x *stats) {
	x.RunningAdapters, x.WaitingAdapters = x.RunningAdapters[:0], x.WaitingAdapters[:0]
	for _, q := range s.live {
		list := &x.RunningAdapters
		if q.started.IsZero() {
			list = &x.WaitingAdapters
		}
		for _, u := range q.Adapters {
			if u.Scale != 0 && !slices.Contains(*list, u.Adapter) {
				*list = append(*list, u.Adapter)
			}
		}
	}
}

func (t *reading) generated() int {
	if t.c == nil {
		return 0
	}
	return t.c.gen.Tokens()
}

// Stats returns what /metrics and /slots show. It never waits for a step.
func (e *Engine) Stats() Stats {
	e.mu.Lock()
	defer e.mu.Unlock()
	s := e.shown.Stats
	s.Waiting = e.queued
	s.Slots = slices.Clone(s.Slots)
	s.RunningAdapters, s.WaitingAdapters = slices.Clone(s.RunningAdapters), slices.Clone(s.WaitingAdapters)
	s.Requests = make(map[mpt.Reason]int64, len(e.shown.Requests))
	for why, n := range e.shown.Requests {
		s.Requests[why] = n
	}
	return s
}
