package mpt

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"

	"mptgo/sampling"
)

// Token is one step of a generation.
type Token struct {
	ID   int32  // -1 at the end, for text that was held back until then
	Text string // what became readable with this token: whole UTF-8, may be empty
	At   int    // where it begins in the text of all tokens, in bytes, that of a stop string too
}

// GenerateOptions are the choices of a [Generation]. The zero value goes on greedily until
// the model ends its text or the context is full.
type GenerateOptions struct {
	// Sampler chooses the tokens; nil means greedy. It is told of the session's tokens.
	Sampler *sampling.Chain
	// Constraint, if set, says which tokens may follow; it is asked before the sampler.
	Constraint Constraint
	// MaxTokens limits the number of tokens; 0 or less means no limit but the context.
	MaxTokens int
	// Stop ends the generation when one of the strings appears in its text, in which
	// control tokens count as the texts that name them. The text before it is still yielded.
	Stop []string
	// StopTokens end the generation as an end-of-text token does.
	StopTokens []int32
	// Special shows control tokens such as <|im_end|> as text. Without it they
	// are part of the session but not of the text.
	Special bool
	// IgnoreEOS goes on after an end-of-text token and after StopTokens.
	IgnoreEOS bool
	// Shift drops the older half of the tokens, but not the first Keep, when
	// the context is full, instead of ending. Only ALiBi models can do it.
	Shift bool
	Keep  int
	// Speculate, if set, has tokens guessed, which changes nothing but the time.
	Speculate *Speculation
}

// Reason says why a generation ended.
type Reason string

const (
	NotEnded       Reason = ""
	EndedToken     Reason = "end"       // an end-of-text token, or one of StopTokens
	EndedStop      Reason = "stop"      // one of the strings of Stop
	EndedLimit     Reason = "limit"     // MaxTokens
	EndedFull      Reason = "full"      // the context
	EndedCancelled Reason = "cancelled" // the caller's context was done: Err
	EndedError     Reason = "error"     // Err
)

// Generation continues the tokens of a session, one by one. [Generation.Next] is for a loop
// of its own; who evaluates several sessions together uses [Generation.Choose] and
// [Generation.Prepare] with [Model.Run].
type Generation struct {
	s   *Session
	opt GenerateOptions
	out stopper

	n       int  // tokens so far
	begun   bool // the sampler knows what the session held
	next    [1]int32
	pending bool // next is chosen and not evaluated yet
	why     Reason
	err     error
	allowed []uint64  // by the constraint
	masked  []float32 // logits as it leaves them
	over    bool      // what was held back has been handed out
	spec    *speculator
}

// NewGeneration returns a generation that goes on behind the session's tokens, which must
// have been evaluated when the first token is chosen.
func (s *Session) NewGeneration(opt GenerateOptions) (*Generation, error) {
	if s.closed {
		return nil, ErrClosed
	}
	if opt.Keep < 0 {
		return nil, fmt.Errorf("mpt: Generate: Keep is %d tokens: cannot be negative", opt.Keep)
	}
	if opt.Sampler == nil {
		p := sampling.DefaultParams()
		p.Temp = 0
		var err error
		if opt.Sampler, err = sampling.New(p, nil); err != nil {
			return nil, err
		}
	}
	return &Generation{s: s, opt: opt, out: newStopper(s.m.tok, opt), spec: newSpeculator(opt.Speculate, s)}, nil
}

// Next evaluates the token that it returned before, if there is one, and returns the next.
// It returns false at the end: then the session holds all tokens but an end-of-text token,
// and [Generation.Why] tells the reason. Between two calls the caller may change the
// session, for example to make room; it must have logits when nothing is pending.
func (g *Generation) Next(ctx context.Context) (Token, bool) {
	if g.pending && g.makeRoom() {
		g.Evaluated(g.s.EvalWith(ctx, g.next[:], EvalOptions{Draft: g.draft(ctx)}))
	}
	if err := ctx.Err(); err != nil && g.why == NotEnded {
		g.end(EndedCancelled, ctxError(ctx))
	}
	return g.Choose()
}

// Prepare makes room for the token that has to be evaluated before the next one is chosen,
// and returns it: none at the start, or if there is no room, which ends the generation. The
// caller evaluates it behind the session's tokens, in a [Step] for instance, and says so
// with [Generation.Evaluated].
func (g *Generation) Prepare() []int32 {
	if !g.pending || !g.makeRoom() {
		return nil
	}
	return g.next[:]
}

// Evaluated says that the pending token is evaluated, or why it could not be.
func (g *Generation) Evaluated(err error) {
	g.pending = false
	switch {
	case err == nil:
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		g.end(EndedCancelled, err)
	default:
		g.end(EndedError, err)
	}
}

// makeRoom shifts a full context for the pending token. It ends the generation if it cannot.
func (g *Generation) makeRoom() bool {
	if len(g.s.tokens) < g.s.context || !g.opt.Shift {
		return true
	}
	if err := g.shift(); err != nil {
		g.pending = false
		g.end(EndedError, err)
		return false
	}
	return true
}

// Choose chooses the next token from the session's logits. It does not evaluate anything:
// the token returned has to be evaluated before the next
// call, see [Generation.Prepare]. Text that was held back for a stop string comes
// at the end, with a token -1.
func (g *Generation) Choose() (Token, bool) {
	if g.why == NotEnded {
		if tok, ok := g.choose(); ok {
			return tok, true
		}
	}
	if g.over || g.why == EndedStop || g.why == EndedCancelled || g.why == EndedError {
		return Token{}, false
	}
	g.over = true
	rest := g.out.flush()
	return Token{ID: -1, Text: rest, At: g.out.made}, rest != ""
}

// choose samples a token. There is none if that ends the generation.
func (g *Generation) choose() (Token, bool) {
	id, err := g.sample()
	switch {
	case err != nil:
		g.end(EndedError, err)
	case !g.opt.IgnoreEOS && (g.s.m.tok.IsEOG(id) || slices.Contains(g.opt.StopTokens, id)):
		g.end(EndedToken, nil)
	case len(g.s.tokens) >= g.s.context && !g.opt.Shift:
		g.end(EndedFull, nil)
	default:
		at := g.out.made
		text, stopped := g.out.next(id)
		g.n++
		g.next[0], g.pending = id, true
		if g.spec != nil {
			g.spec.follow(g.s.tokens, id)
		}
		if stopped {
			g.end(EndedStop, nil)
		} else if g.n == g.opt.MaxTokens {
			g.end(EndedLimit, nil)
		} else if g.opt.Constraint != nil {
			if err := g.opt.Constraint.Accept(id); err != nil {
				g.end(EndedError, err)
			}
		}
		return Token{id, text, at}, true
	}
	return Token{}, false
}

// sample chooses the next token by the session's logits.
func (g *Generation) sample() (int32, error) {
	logits := g.s.Logits()
	switch {
	case g.pending:
		return 0, errors.New("mpt: Generate: the token before has not been evaluated")
	case logits == nil:
		return 0, errors.New("mpt: Generate: no logits to continue from: evaluate a token, after Truncate the last one again")
	case !g.begun:
		g.opt.Sampler.SetHistory(g.s.tokens)
		g.begun = true
	}
	logits, err := g.constrain(logits)
	if err != nil {
		return 0, fmt.Errorf("mpt: token %d: %w", g.s.Len(), err)
	}
	id, err := g.opt.Sampler.Sample(logits)
	if err != nil {
		return 0, fmt.Errorf("mpt: token %d: %w", g.s.Len(), err)
	}
	g.opt.Sampler.Accept(id)
	return id, nil
}

// shift makes room in a full context.
func (g *Generation) shift() error {
	keep := min(g.opt.Keep, g.s.Len()-1)
	return g.s.Drop(keep, keep+(g.s.Len()-keep+1)/2)
}

func (g *Generation) end(why Reason, err error) {
	if g.why == NotEnded || err != nil {
		g.why, g.err = why, err
	}
}

// Why returns why the generation has ended, [NotEnded] before. It tells as soon as it is
// known: a stop string and the limit together with the last token, which is still pending.
func (g *Generation) Why() Reason { return g.why }

// StoppedBy returns the string of Stop that ended the generation, or "": the one that begins
// first, of those the first in the list.
func (g *Generation) StoppedBy() string { return g.out.hit }

// Err returns the error that has ended the generation, if it was one.
func (g *Generation) Err() error { return g.err }

// Tokens returns how many tokens were generated so far.
func (g *Generation) Tokens() int { return g.n }

// All yields the tokens of the generation up to its end, as [Generation.Next] does. An
// error is yielded once, as the last step, with the zero Token. If the caller leaves the
// loop, the last token is not part of the session.
func (g *Generation) All(ctx context.Context) iter.Seq2[Token, error] {
	return func(yield func(Token, error) bool) {
		for {
			tok, ok := g.Next(ctx)
			if !ok {
				break
			}
			if !yield(tok, nil) {
				return
			}
		}
		if g.err != nil {
			yield(Token{}, g.err)
		}
	}
}

// Generate continues the session's tokens: it is [Generation.All] of a new generation.
func (s *Session) Generate(ctx context.Context, opt GenerateOptions) iter.Seq2[Token, error] {
	g, err := s.NewGeneration(opt)
	if err != nil {
		return func(yield func(Token, error) bool) { yield(Token{}, err) }
	}
	return g.All(ctx)
}
