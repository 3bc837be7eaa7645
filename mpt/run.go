package mpt

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Wanted says which logits of a [Step] are computed.
type Wanted int

const (
	LastLogits Wanted = iota // those after the last token: [Session.Logits]
	NoLogits                 // none: the step is a part of a prompt that goes on
	AllLogits                // those after every token from First on: Score, Visit
	AllStates                // no logits, but the states that they come from: Visit
)

// ScoreBlock is how many tokens of a step are scored, at the most, before they are visited.
const ScoreBlock = headBatch

// Step is what [Model.Run] evaluates for one session: tokens that follow those it holds.
type Step struct {
	Session *Session
	IDs     []int32
	Logits  Wanted
	// First is the first of IDs whose logits, or states, AllLogits and AllStates mean.
	First int
	// Visit is handed, with AllLogits, the logits after every token, in order: i counts
	// the tokens of IDs, the logits are valid during the call, which must not use the
	// model itself. An error ends the step. With AllStates it is handed, in their place,
	// the token's vector in the last layer, normalised: [Config].Embedding values.
	Visit func(i int, logits []float32) error
	// Score is like Visit for what takes long: it is called before Visit, by the model's
	// threads, for several tokens at the same time and in no order. Tokens are scored and
	// visited by turns, at most ScoreBlock neighbours at a time.
	Score func(i int, logits []float32) error
	// Draft are guesses of the tokens that follow IDs. With LastLogits, and as far as batch,
	// context and memory allow, they are evaluated along. They are not a part of the session, but
	// a step that goes on with them finds them evaluated: it takes no time, and it has the same
	// bits. Guesses that are wrong cost the time of their rows and nothing else.
	Draft []int32
	// Progress, if set, is told after every batch how many tokens are evaluated. Unlike
	// Visit, it may have others evaluate something.
	Progress func(done int)

	// Done is set to how many of the tokens the session holds afterwards, Err to the error
	// that concerns this step alone. Other steps go on.
	Done int
	Err  error
	// Drafted is set to how many guesses were evaluated.
	Drafted int

	told   int  // what Progress was told last
	locked bool // the session's busy is held
}

// Run evaluates the tokens of some steps, each of another session of m. It is the only
// place that evaluates: tokens of all steps share batches of at most [BatchSize], in the
// order of the steps, so that the weights are read once for all. No result depends on what
// else is in a batch. Calls may run at the same time; they take turns, batch by batch.
//
// A step that cannot be evaluated has its Err set: a session that is closed, of another
// model, in use by somebody else or in the list twice, tokens outside of the vocabulary, a
// context that would overflow ([ErrContextFull]), memory that is used up ([*MemoryError]).
// Run returns an error if all that is left could not be evaluated, for example because
// ctx is done, and sets it in the steps that it concerns, too.
func (m *Model) Run(ctx context.Context, steps []Step) error {
	for i := range steps {
		s := &steps[i]
		s.Done, s.Err, s.Drafted, s.told, s.locked = 0, nil, 0, 0, false
		s.Err = m.lock(s)
		if s.Err == nil && ctx.Err() == nil {
			s.advance()
		}
	}
	defer unlock(steps)
	tell(steps)
	for {
		more, err := m.runBatch(ctx, steps)
		if err != nil {
			return failAll(steps, err)
		}
		tell(steps)
		if !more {
			return nil
		}
	}
}

// tell tells how far steps have come.
func tell(steps []Step) {
	for i := range steps {
		if s := &steps[i]; s.Progress != nil && s.Done > s.told {
			s.told = s.Done
			s.Progress(s.Done)
		}
	}
}

// failAll sets the error of all steps that have not come to their end.
func failAll(steps []Step, err error) error {
	for i := range steps {
		if s := &steps[i]; s.Err == nil && s.Done < len(s.IDs) {
			s.Err = err
		}
	}
	return err
}

// lock checks a step and keeps others from using its session.
func (m *Model) lock(s *Step) error {
	switch {
	case s.Session == nil || s.Session.m != m:
		return errors.New("mpt: a session of another model")
	case !s.Session.busy.TryLock():
		return ErrBusy
	}
	s.locked = true
	return s.Session.check(s.IDs)
}

func unlock(steps []Step) {
	for i := range steps {
		if s := &steps[i]; s.locked {
			s.locked = false
			s.Session.busy.Unlock()
		}
	}
}

// runBatch evaluates as many tokens of the steps as fit into a batch. There are none left
// if more is false.
func (m *Model) runBatch(ctx context.Context, steps []Step) (more bool, err error) {
	if !pending(steps) {
		return false, nil
	}
	if err := m.take(ctx); err != nil {
		return false, err
	}
	defer m.give()
	r, err := m.runnerFor(steps)
	if err != nil {
		return false, err
	}
	begun := time.Now()
	err = r.run(ctx, steps)
	if rows := len(r.batch.Tokens); err == nil && r.measures(steps) {
		m.costs.observe(rows, time.Since(begun).Seconds())
	}
	return true, err
}

// pending reports whether there is something left to evaluate.
func pending(steps []Step) bool {
	for i := range steps {
		if s := &steps[i]; s.Err == nil && s.Done < len(s.IDs) {
			return true
		}
	}
	return false
}

// take waits for the model's turn: one batch is evaluated at a time.
func (m *Model) take(ctx context.Context) error {
	select {
	case m.turn <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctxError(ctx)
	}
}

func (m *Model) give() { <-m.turn }

// ctxError is the error of an evaluation that ctx has ended.
func ctxError(ctx context.Context) error { return fmt.Errorf("mpt: %w", ctx.Err()) }
