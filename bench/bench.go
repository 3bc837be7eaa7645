// Package bench measures how fast models run. The tests have the names that
// llama-bench gives them:
//
//	pp512              a prompt of 512 tokens
//	tg64               64 tokens one after the other
//	pp512+tg64         both
//	tg64 x4            64 tokens in each of four sequences, which share their batches
//	tg64 x4 own lora   the same, but sequence i uses adapter i alone, by turns
//	tg64 @ d4096       64 tokens after 4096, which are not measured
//	load               a model opened, and a prompt of 5 tokens
//
// All tests of all models with all numbers of threads take turns, forwards and
// backwards, so that a change of the machine's speed touches them alike; a first
// round does not count. Tokens are random, the same in every run. [Run] measures, given
// [Options].
//
// This package is not stable yet: what it exports may change.
package bench

import (
	"context"
	"errors"
	"fmt"
	"runtime"

	"mptgo/mpt"
)

// Options says what to measure.
type Options struct {
	Prompts     []int    // prompt lengths
	Generations []int    // numbers of generated tokens
	Pairs       [][2]int // prompt and generation measured together
	Depths      []int    // tokens that are there already; none means 0
	Sequences   []int    // sequences generated in one batch; none means 1
	Threads     []int    // numbers of threads; none means 0: one for each core
	OwnAdapters bool     // generate with an adapter for each sequence, too; all other tests are without
	Load        bool     // measure opening, too
	Profile     bool     // add the times of the operations to the results of tests of one kind
	Repetitions int      // of every test; 0 means 5

	// Progress, if not nil, is told in words what is about to run, such as
	// "tg64: 2 of 5".
	Progress func(model, step string)
}

// Subject is a model to be measured.
type Subject struct {
	Name string
	Open func(threads int) (*mpt.Model, error) // may be called several times
}

// candidate is a subject that was opened with a number of threads.
type candidate struct {
	Subject
	threads int // as asked for
	m       *mpt.Model
	context int          // tokens that its sessions must hold
	base    *mpt.Session // filled up to the greatest depth; nil if that is 0
}

// Run measures the subjects. The results are in the order of subjects, threads
// and tests.
func Run(ctx context.Context, subjects []Subject, opt Options) (results []Result, err error) {
	tests, err := plan(opt)
	if err != nil {
		return nil, err
	}
	var candidates []*candidate
	defer func() {
		for _, c := range candidates {
			err = errors.Join(err, c.close())
		}
	}()
	for _, s := range subjects {
		for _, threads := range orDefault(opt.Threads, 0) {
			c := &candidate{Subject: s, threads: threads}
			if c.m, err = s.Open(threads); err != nil {
				return nil, err
			}
			candidates = append(candidates, c)
		}
	}
	r := &run{opt: opt, tests: tests}
	return r.all(ctx, candidates)
}

// run is a benchmark under way.
type run struct {
	opt   Options
	tests []test
	cells []*cell
}

// cell is a test of a candidate.
type cell struct {
	*candidate
	test
	Result
}

// all prepares the candidates and measures all cells in turns.
func (r *run) all(ctx context.Context, candidates []*candidate) ([]Result, error) {
	for _, c := range candidates {
		if err := r.checkAdapters(c); err != nil {
			return nil, fmt.Errorf("bench: %s: %w", c.Name, err)
		}
		if err := r.prefill(ctx, c); err != nil {
			return nil, fmt.Errorf("bench: %s: %w", c.Name, err)
		}
		for _, t := range r.tests {
			r.cells = append(r.cells, &cell{c, t, describe(c, t)})
		}
	}
	reps := r.opt.Repetitions
	if reps == 0 {
		reps = 5
	}
	for rep := -1; rep < reps; rep++ {
		for i := range r.cells {
			if rep%2 != 0 {
				i = len(r.cells) - 1 - i
			}
			if err := r.repeat(ctx, r.cells[i], rep, reps); err != nil {
				return nil, err
			}
		}
	}
	return r.results(ctx)
}

// checkAdapters wants adapters where sequences are to have one each.
func (r *run) checkAdapters(c *candidate) error {
	if r.opt.OwnAdapters && len(c.m.Adapters()) == 0 {
		return errors.New("there are no adapters for the sequences")
	}
	return nil
}

// repeat measures a cell once; a negative repetition does not count.
func (r *run) repeat(ctx context.Context, c *cell, rep, reps int) error {
	r.progress(c.Name, "%s: %s", c.test, round(rep, reps))
	runtime.GC() // what the test before has left is not this one's burden
	s, err := c.measure(ctx, false)
	if err != nil {
		return fmt.Errorf("bench: %s: %s: %w", c.Name, c.test, err)
	}
	if rep >= 0 {
		c.add(s)
	}
	return nil
}

// results computes the figures and takes the profiles, in a round of its own
// because taking times takes time.
func (r *run) results(ctx context.Context) ([]Result, error) {
	var results []Result
	for _, c := range r.cells {
		c.summarise(c.m.Work())
		if r.opt.Profile && c.simple() {
			r.progress(c.Name, "%s: profile", c.test)
			s, err := c.measure(ctx, true)
			if err != nil {
				return nil, fmt.Errorf("bench: %s: %s: %w", c.Name, c.test, err)
			}
			c.Profile = operations(s.costs, s.took)
		}
		results = append(results, c.Result)
	}
	return results, nil
}

func (r *run) progress(model, format string, args ...any) {
	if r.opt.Progress != nil {
		r.opt.Progress(model, fmt.Sprintf(format, args...))
	}
}

// round names a repetition.
func round(rep, of int) string {
	if rep < 0 {
		return "warming up"
	}
	return fmt.Sprintf("%d of %d", rep+1, of)
}

// close ends the candidate's session and model.
func (c *candidate) close() error {
	if c.base != nil {
		c.base.Close()
	}
	return c.m.Close()
}
