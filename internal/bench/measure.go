package bench

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"mptgo/mpt"
)

// sample is what one run of a test took.
type sample struct {
	took     time.Duration
	overhead time.Duration // of a load: what a second evaluation does not take
	costs    []mpt.Cost    // if they were asked for
}

// prefill evaluates the tokens of the greatest depth once; tests begin with
// forks of that session.
func (r *run) prefill(ctx context.Context, c *candidate) (err error) {
	depth := 0
	for _, t := range r.tests {
		depth = max(depth, t.depth)
		c.context = max(c.context, t.depth+t.prompt+t.generate)
	}
	if depth == 0 {
		return nil
	}
	r.progress(c.Name, "%d tokens of context", depth)
	if c.base, err = c.m.NewSession(mpt.ContextSize(c.context)); err != nil {
		return err
	}
	return c.base.Eval(ctx, randomTokens(depth, c.m.Tokenizer().Size()))
}

// measure runs the test once, with a profile if that is wanted.
func (c *cell) measure(ctx context.Context, profile bool) (sample, error) {
	if c.load {
		return c.measureLoad(ctx)
	}
	steps, err := c.steps(ctx)
	defer func() {
		for _, s := range steps {
			s.Session.Close()
		}
	}()
	if err != nil {
		return sample{}, err
	}
	ids := randomTokens(c.prompt+c.generate, c.m.Tokenizer().Size())
	c.m.Profile(profile)
	start := time.Now()
	err = c.evaluate(ctx, steps, ids)
	return sample{took: time.Since(start), costs: c.m.Costs()}, err
}

// steps returns steps with the sessions in which the test runs, also those opened before
// an error.
func (c *cell) steps(ctx context.Context) (steps []mpt.Step, err error) {
	for i := range c.sequences {
		s, err := c.session(ctx, c.depth)
		if err != nil {
			return steps, err
		}
		steps = append(steps, mpt.Step{Session: s})
		if c.lora == modelAdapters {
			continue
		}
		var own []mpt.AdapterUse
		if all := c.m.Adapters(); c.lora == ownAdapters {
			own = all[i%len(all):][:1]
		}
		if err := s.SetAdapters(own...); err != nil {
			return steps, err
		}
	}
	return steps, nil
}

// session returns a session that holds the given number of tokens.
func (c *candidate) session(ctx context.Context, depth int) (*mpt.Session, error) {
	if depth == 0 {
		return c.m.NewSession(mpt.ContextSize(c.context))
	}
	s, err := c.base.Fork()
	if err != nil {
		return nil, err
	}
	// Sequences are to read keys and values of their own, not the same ones.
	if err = s.Truncate(depth); err == nil {
		err = s.Unshare()
	}
	if err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

// evaluate evaluates the first tokens of ids, the prompt, together, and the others one
// after the other, in all sequences alike.
func (c *cell) evaluate(ctx context.Context, steps []mpt.Step, ids []int32) error {
	if c.prompt > 0 {
		if err := c.run(ctx, steps, ids[:c.prompt]); err != nil {
			return err
		}
	}
	for i := c.prompt; i < len(ids); i++ {
		if err := c.run(ctx, steps, ids[i:i+1]); err != nil {
			return err
		}
	}
	return nil
}

// run evaluates tokens in all sequences.
func (c *cell) run(ctx context.Context, steps []mpt.Step, ids []int32) error {
	for i := range steps {
		steps[i].IDs = ids
	}
	if err := c.m.Run(ctx, steps); err != nil {
		return err
	}
	for i := range steps {
		if err := steps[i].Err; err != nil {
			return err
		}
	}
	return nil
}

// measureLoad measures the time from opening the model to the scores of the
// first token after a short prompt, and how much of it is not computing: what a
// second, equal evaluation does not take.
func (c *cell) measureLoad(ctx context.Context) (s sample, err error) {
	start := time.Now()
	m, err := c.Open(c.candidate.threads)
	if err != nil {
		return sample{}, err
	}
	defer func() { err = errors.Join(err, m.Close()) }()
	if err := answer(ctx, m); err != nil {
		return sample{}, err
	}
	s.took = time.Since(start)
	start = time.Now()
	if err := answer(ctx, m); err != nil {
		return sample{}, err
	}
	s.overhead = s.took - time.Since(start)
	return s, nil
}

// answer evaluates a short prompt in a session of its own.
func answer(ctx context.Context, m *mpt.Model) error {
	s, err := m.NewSession(mpt.ContextSize(loadPrompt))
	if err != nil {
		return err
	}
	defer s.Close()
	return s.Eval(ctx, randomTokens(loadPrompt, m.Tokenizer().Size()))
}

// randomTokens returns n tokens of a vocabulary of the given size.
func randomTokens(n, vocab int) []int32 {
	r := rand.New(rand.NewPCG(1, 2))
	ids := make([]int32, n)
	for i := range ids {
		ids[i] = r.Int32N(int32(vocab))
	}
	return ids
}
