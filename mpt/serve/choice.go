package serve

import (
	"fmt"
	"time"

	"mptgo/mpt"
	"mptgo/sampling"
)

// choice is one answer of a request.
type choice struct {
	q       *request
	index   int
	session *mpt.Session
	gen     *mpt.Generation

	lost     []int32   // its tokens, after its session was emptied to make room; else nil
	last     time.Time // of the token before
	out      []Event   // what advance has made
	advanced int       // tokens in it that were evaluated as guesses
	ended    bool
	told     bool // that it has ended
}

// newChoice returns choice k of a request, which goes on with a session's tokens.
func (q *request) newChoice(k int, s *mpt.Session) (*choice, error) {
	c := &choice{q: q, index: k, session: s}
	params := q.Params
	params.Seed += uint64(k)
	chain, err := sampling.New(params, q.e.m.Tokenizer())
	if err != nil {
		return nil, err
	}
	opt := mpt.GenerateOptions{
		Sampler: chain, MaxTokens: max(q.MaxTokens, 0), Stop: q.Stop, StopTokens: q.StopTokens,
		Special: q.Special, IgnoreEOS: q.IgnoreEOS, Speculate: q.e.opt.Speculate,
	}
	if q.NewConstraint != nil {
		opt.Constraint = q.NewConstraint()
	}
	c.gen, err = s.NewGeneration(opt)
	return c, err
}

func (c *choice) close() { c.session.Close() }

// next returns the chosen token that has to be evaluated, if there is one.
func (c *choice) next() []int32 { return c.gen.Prepare() }

// advance chooses the next token from the session's logits, and those after it that were guessed,
// and sets out to what there is to tell. It runs beside those of other choices.
func (c *choice) advance() {
	c.out, c.advanced = c.out[:0], 0
	defer func() {
		if x := recover(); x != nil {
			c.fail(fmt.Errorf("serve: a panic: %v", x))
		}
	}()
	ok := c.one()
	for c.gen.Why() == mpt.NotEnded && c.gen.Advance() {
		c.advanced++
		ok = c.one()
	}
	if c.gen.Why() == mpt.NotEnded {
		return
	}
	for ok {
		var tok mpt.Token
		if tok, ok = c.gen.Choose(); ok {
			c.out = append(c.out, Event{Choice: c.index, Token: tok})
		}
	}
	c.end(c.gen.Why(), c.gen.Err())
}

// one chooses a token. There is none if that ends the choice.
func (c *choice) one() bool {
	tok, ok := c.gen.Choose()
	if ok {
		c.out = append(c.out, Event{Choice: c.index, Token: tok, Logprob: c.logprob(tok.ID)})
	}
	return ok
}

func (c *choice) fail(err error) {
	c.gen.Evaluated(err)
	c.end(mpt.EndedError, err)
}

func (c *choice) end(why mpt.Reason, err error) {
	c.ended = true
	c.out = append(c.out, Event{Choice: c.index, Token: mpt.Token{ID: -1}, Why: why, Err: err, Stop: c.gen.StoppedBy()})
}

// logprob returns what was asked of a chosen token.
func (c *choice) logprob(id int32) *Logprob {
	if c.q.Logprobs < 0 || id < 0 {
		return nil
	}
	return logprobOf(c.session.Logits(), id, c.q.Logprobs)
}

func logprobOf(logits []float32, id int32, n int) *Logprob {
	sum := sampling.LogSum(logits)
	p := &Logprob{ID: id, P: min(float64(logits[id])-sum, 0)}
	for _, best := range sampling.Best(make([]sampling.Candidate, 0, n), logits, n) {
		p.Top = append(p.Top, TokenProb{best.ID, min(float64(best.Logit)-sum, 0)})
	}
	return p
}
