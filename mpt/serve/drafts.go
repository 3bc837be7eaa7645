package serve

import (
	"cmp"
	"context"
	"slices"

	"mptgo/mpt"
)

// drafts are the guesses for one step: those of all choices, by their odds.
type drafts struct {
	guesses []guess
	odds    []float64
	ids     [][]int32 // by step
	taken   []int     // by step: how many of ids are evaluated
}

// guess is a guess of the choice that a step is of.
type guess struct {
	step int
	odds float64
}

// planDrafts adds guesses to the steps of choices, of all choices those that are likeliest to come
// true, as many as are worth their time. Beside prompts there are none: they fill the step.
func (s *scheduler) planDrafts() {
	d := &s.drafts
	d.guesses, d.odds, d.ids, d.taken = d.guesses[:0], d.odds[:0], d.ids[:0], d.taken[:0]
	if s.e.opt.Speculate == nil || slices.ContainsFunc(s.parts, func(p part) bool { return p.t != nil }) {
		return
	}
	s.draft()
	for i, p := range s.parts {
		ids, odds := p.c.gen.Guess()
		d.ids, d.taken = append(d.ids, ids), append(d.taken, 0)
		for _, x := range odds {
			d.guesses = append(d.guesses, guess{i, x})
		}
	}
	slices.SortStableFunc(d.guesses, func(a, b guess) int { return cmp.Compare(b.odds, a.odds) })
	for _, g := range d.guesses {
		d.odds = append(d.odds, g.odds)
	}
	n := len(d.guesses)
	if !s.e.opt.Speculate.Always {
		n = s.e.m.WorthGuessing(len(s.steps), d.odds)
	}
	for _, g := range d.guesses[:n] {
		d.taken[g.step]++ // odds fall along the guesses of a choice, so these are its first
	}
	for i, n := range d.taken {
		if n >= s.parts[i].c.gen.DraftMin() {
			s.steps[i].Draft = d.ids[i][:n]
		}
	}
}

// draft asks the draft model, if there is one, how the choices go on.
func (s *scheduler) draft() {
	d := s.e.opt.Speculate.Drafter
	if d == nil || len(s.parts) == 0 {
		return
	}
	gs := make([]*mpt.Generation, len(s.parts))
	for i, p := range s.parts {
		gs[i] = p.c.gen
	}
	d.Draft(context.Background(), gs)
}

// Shed gives up what is kept for later requests: the prefixes in memory, and what the draft model has
// read. Those on disk stay. It reports whether there was anything, and waits for the step that runs.
func (e *Engine) Shed() (had bool) {
	e.do(func(s *scheduler) {
		had = s.shrinkDrafts()
		had = s.cache.shrink(0) || had
	})
	return had
}

// shrinkDrafts gives back what guesses hold. It reports whether there was anything.
func (s *scheduler) shrinkDrafts() bool {
	had := false
	for _, c := range s.running {
		had = c.session.ForgetDraft() || had
	}
	x := s.e.opt.Speculate
	return x != nil && x.Drafter != nil && x.Drafter.Shrink() || had
}
