package sampling

import (
	"errors"
	"fmt"
	"math"
)

// Chain chooses tokens. It belongs to one sequence and one goroutine at a time.
type Chain struct {
	params Params
	steps  []sampler
	pick   picker
	cands  candidates
	memory memory
}

// New returns a chain for p. The vocabulary is needed only if DRY is on and has
// sequence breakers; it is read here and by Sample.
func New(p Params, v Vocab) (*Chain, error) {
	if err := p.Validate(); err != nil {
		return nil, err
	}
	c := &Chain{params: p.clone(), pick: p.picker()}
	if len(p.LogitBias) > 0 {
		c.steps = append(c.steps, logitBias(c.params.LogitBias))
	}
	keep := 0
	for _, row := range p.rows() {
		s, err := row.make(&p, v)
		if err != nil {
			return nil, err
		}
		if s == nil {
			continue
		}
		c.steps = append(c.steps, s)
		if b, ok := s.(lookback); ok {
			keep = longer(keep, b.window())
		}
	}
	c.memory = newMemory(keep, p.Seed, c.firstMu())
	return c, nil
}

// picker returns what ends the chain.
func (p *Params) picker() picker {
	switch {
	case p.Temp <= 0:
		return greedy{}
	case p.Mirostat == 2:
		return mirostat{tau: float64(p.MirostatTau), eta: float64(p.MirostatEta)}
	}
	return dist{}
}

// rows returns the steps that can make a difference, in order.
func (p *Params) rows() []*step {
	var rows []*step
	for _, name := range p.Samplers {
		if s := stepNamed(name); p.Mirostat == 0 || !s.truncates {
			rows = append(rows, s)
		}
	}
	if p.Temp <= 0 {
		for len(rows) > 0 && rows[len(rows)-1].keepsBest {
			rows = rows[:len(rows)-1]
		}
	}
	return rows
}

// longer returns the longer of two windows, of which -1 is the longest.
func longer(a, b int) int {
	if a < 0 || b < 0 {
		return -1
	}
	return max(a, b)
}

// firstMu returns mirostat's threshold at the start.
func (c *Chain) firstMu() float64 { return 2 * float64(c.params.MirostatTau) }

// Sample chooses a token by its logits, one for each token id, which it does
// not modify. It fails if they contain NaN or +Inf or if no token is possible.
// The chosen token is not [Chain.Accept]ed.
func (c *Chain) Sample(logits []float32) (int32, error) {
	if err := c.cands.load(logits); err != nil {
		return 0, err
	}
	for _, s := range c.steps {
		s.apply(&c.cands, &c.memory)
	}
	chosen, ok := c.pick.pick(&c.cands, &c.memory)
	if !ok {
		return 0, impossible(logits)
	}
	return chosen.ID, nil
}

// ErrRuledOut says that no token is left to choose.
var ErrRuledOut = errors.New("sampling: every token is ruled out: check logit_bias and the penalties")

// impossible explains why no token could be chosen.
func impossible(logits []float32) error {
	for _, l := range logits {
		if !math.IsInf(float64(l), -1) {
			return ErrRuledOut
		}
	}
	return fmt.Errorf("sampling: all %d logits are -Inf: the model or its file is broken", len(logits))
}

// Candidates returns the tokens that the last Sample chose from, with their
// probabilities, in no particular order. It is valid until the next Sample.
func (c *Chain) Candidates() []Candidate { return c.cands.list }

// Accept tells the chain of a token of the text: of those it has chosen and of
// those of the prompt. The penalties and DRY look back at them.
func (c *Chain) Accept(id int32) { c.memory.accept(id) }

// SetHistory replaces the accepted tokens by ids, those of a prompt for instance. Random
// numbers and mirostat's threshold go on from where they are.
func (c *Chain) SetHistory(ids []int32) {
	c.memory.history = c.memory.history[:0]
	for _, id := range ids {
		c.memory.accept(id)
	}
}

// Reset makes the chain as it was when it was new.
func (c *Chain) Reset() { c.memory.reset(c.params.Seed, c.firstMu()) }

// Clone returns a chain in the same state, which goes its own way.
func (c *Chain) Clone() *Chain {
	return &Chain{params: c.params, steps: c.steps, pick: c.pick, memory: c.memory.clone()}
}
