package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"mptgo/mpt"
	"mptgo/sampling"
)

// clock are the times of a model and its draft model, in seconds.
type clock struct {
	steps []float64 // of the model, by rows; steps[0] is not used
	draft float64   // of a step of the draft model alone
	guess float64   // of a guess: its step, and all that is done around it
}

// mostRows is how many rows of a step are timed.
const mostRows = 9

// tell times the models and prints what follows of it: for each share of guesses that come true, where all
// before them did, the number of guesses with the most tokens per second, and by how much that is faster.
func tell(m, small *mpt.Model, spec *mpt.Speculation, prompt []int32, repeat int) error {
	c, err := timed(m, small, spec, prompt, repeat)
	if err != nil {
		return err
	}
	var rows strings.Builder
	for n := 1; n < len(c.steps); n++ {
		fmt.Fprintf(&rows, " %.1f", 1000*c.steps[n])
	}
	fmt.Printf("steps of 1 to %d rows:%s ms; a step of the draft model %.2f ms (1/%.1f), a guess %.2f ms\n",
		len(c.steps)-1, rows.String(), 1000*c.draft, c.steps[1]/c.draft, 1000*c.guess)
	for _, p := range []float64{0.5, 0.6, 0.7, 0.8, 0.9} {
		k, speed := c.best(p)
		fmt.Printf("agreement %.1f: %.2fx with %d guesses\n", p, speed, k)
	}
	return nil
}

// best returns the number of guesses with the most tokens per second, and how many times as many that are as
// without guesses.
func (c *clock) best(agreement float64) (guesses int, speed float64) {
	speed = 1
	for k := 1; k+1 < len(c.steps); k++ {
		tokens := (1 - math.Pow(agreement, float64(k+1))) / (1 - agreement)
		if s := tokens * c.steps[1] / (c.steps[k+1] + float64(k)*c.guess); s > speed {
			guesses, speed = k, s
		}
	}
	return guesses, speed
}

// timed measures a clock: each time is the median of some, which are taken by turns.
func timed(m, small *mpt.Model, spec *mpt.Speculation, prompt []int32, repeat int) (c clock, err error) {
	target, err := begun(m, prompt)
	if err != nil {
		return c, err
	}
	defer target.Close()
	draft, err := begun(small, prompt)
	if err != nil {
		return c, err
	}
	defer draft.Close()
	const guesses = 4
	all := make([][]float64, mostRows+3)
	for range repeat + 1 { // the first warms up
		for n := 1; n <= mostRows; n++ {
			seconds, err := step(target, prompt[0], prompt[:n-1])
			if err != nil {
				return c, err
			}
			all[n] = append(all[n], seconds)
		}
		seconds, err := step(draft, prompt[0], nil)
		if err != nil {
			return c, err
		}
		all[mostRows+1] = append(all[mostRows+1], seconds)
		seconds, err = guess(m, spec.Drafter, prompt, guesses)
		if err != nil {
			return c, err
		}
		all[mostRows+2] = append(all[mostRows+2], seconds)
	}
	c.steps = make([]float64, mostRows+1)
	for n := 1; n <= mostRows; n++ {
		c.steps[n] = median(all[n][1:])
	}
	c.draft, c.guess = median(all[mostRows+1][1:]), median(all[mostRows+2][1:])
	return c, nil
}

func median(v []float64) float64 {
	slices.Sort(v)
	return v[len(v)/2]
}

// begun returns a session with a prompt.
func begun(m *mpt.Model, prompt []int32) (*mpt.Session, error) {
	s, err := m.NewSession(mpt.ContextSize(len(prompt) + 64))
	if err != nil {
		return nil, err
	}
	if err := s.Eval(context.Background(), prompt); err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

// step times the evaluation of a token with guesses behind it, and takes it back.
func step(s *mpt.Session, id int32, draft []int32) (float64, error) {
	n := s.Len()
	start := time.Now()
	if err := s.EvalWith(context.Background(), []int32{id}, mpt.EvalOptions{Draft: draft}); err != nil {
		return 0, err
	}
	seconds := time.Since(start).Seconds()
	return seconds, s.Truncate(n)
}

// guess times a guess of several: what the draft model does between two steps of a sequence that goes on.
func guess(m *mpt.Model, d *mpt.Drafter, prompt []int32, n int) (float64, error) {
	ctx := context.Background()
	s, err := begun(m, prompt)
	if err != nil {
		return 0, err
	}
	defer s.Close()
	params := sampling.DefaultParams()
	params.Seed = 1
	chain, err := sampling.New(params, m.Tokenizer())
	if err != nil {
		return 0, err
	}
	g, err := s.NewGeneration(mpt.GenerateOptions{Sampler: chain, MaxTokens: 24, IgnoreEOS: true,
		Speculate: &mpt.Speculation{Max: n, Always: true, Drafter: d, NoLookup: true}})
	if err != nil {
		return 0, err
	}
	var spent time.Duration
	rounds, guesses := 0, 0
	for {
		_, ok := g.Choose()
		if !ok || g.Why() != mpt.NotEnded {
			break
		}
		if g.Advance() {
			continue
		}
		start := time.Now()
		d.Draft(ctx, []*mpt.Generation{g})
		took := time.Since(start)
		ids, _ := g.Guess()
		if rounds++; rounds > 1 { // the first reads the prompt
			spent, guesses = spent+took, guesses+len(ids)
		}
		st := []mpt.Step{{Session: s, IDs: g.Prepare(), Draft: ids}}
		if err := m.Run(ctx, st); err != nil {
			return 0, err
		}
		g.Evaluated(st[0].Err)
	}
	if guesses == 0 {
		return 0, errors.New("the draft model guesses nothing")
	}
	return spent.Seconds() / float64(guesses), g.Err()
}
