package mpt

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"

	"mptgo/mpt/tokenizer"
	"mptgo/sampling"
)

// Token is one step of a generation.
type Token struct {
	ID   int32  // -1 at the end, for text that was held back until then
	Text string // what became readable with this token: whole UTF-8, may be empty
}

// GenerateOptions are the choices of [Session.Generate].
type GenerateOptions struct {
	// Sampler chooses the tokens; nil means greedy.
	Sampler *sampling.Chain
	// MaxTokens limits the number of tokens; negative means no limit but the
	// context.
	MaxTokens int
	// Stop ends the generation when one of the strings appears in its text.
	// The text before it is still yielded.
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
	// Full is called if a full context ends the generation.
	Full func()
}

// Generate continues the session's tokens, which must have been evaluated. It
// yields every token as it is chosen and stops at an end-of-text token, which
// it does not yield, a stop string, the limit, or a full context. A token
// becomes part of the session after it was yielded: if the caller leaves the
// loop, the last one does not.
//
// An error is yielded once, as the last step, with the zero Token.
func (s *Session) Generate(ctx context.Context, opt GenerateOptions) iter.Seq2[Token, error] {
	return func(yield func(Token, error) bool) {
		g := &generation{s: s, opt: opt, out: newStopper(s.m.tok, opt)}
		if err := g.run(ctx, yield); err != nil && !errors.Is(err, errBroken) {
			yield(Token{}, err)
		}
	}
}

// errBroken says that the caller left the loop.
var errBroken = errors.New("the loop was left")

// generation is one call of Generate.
type generation struct {
	s   *Session
	opt GenerateOptions
	out stopper

	next [1]int32
}

func (g *generation) run(ctx context.Context, yield func(Token, error) bool) error {
	if g.opt.Sampler == nil {
		p := sampling.DefaultParams()
		p.Temp = 0
		var err error
		if g.opt.Sampler, err = sampling.New(p, nil); err != nil {
			return err
		}
	}
	for n := 0; g.opt.MaxTokens < 0 || n < g.opt.MaxTokens; n++ {
		if err := ctx.Err(); err != nil {
			return err
		}
		id, err := g.choose()
		if err != nil {
			return err
		}
		if !g.opt.IgnoreEOS && (g.s.m.tok.IsEOG(id) || slices.Contains(g.opt.StopTokens, id)) {
			break
		}
		if g.s.Len() == g.s.context {
			if !g.opt.Shift {
				if g.opt.Full != nil {
					g.opt.Full()
				}
				break
			}
			if err := g.shift(); err != nil {
				return err
			}
		}
		text, stopped := g.out.next(id)
		if !yield(Token{id, text}, nil) {
			return errBroken
		}
		g.next[0] = id
		if err := g.s.Eval(ctx, g.next[:]); err != nil {
			return err
		}
		if stopped {
			return nil
		}
	}
	if rest := g.out.flush(); rest != "" && !yield(Token{-1, rest}, nil) {
		return errBroken
	}
	return nil
}

// choose samples the next token.
func (g *generation) choose() (int32, error) {
	logits := g.s.Logits()
	if logits == nil {
		return 0, fmt.Errorf("mpt: Generate: nothing has been evaluated to continue from")
	}
	id, err := g.opt.Sampler.Sample(logits)
	if err != nil {
		return 0, fmt.Errorf("mpt: token %d: %w", g.s.Len(), err)
	}
	g.opt.Sampler.Accept(id)
	return id, nil
}

// shift makes room in a full context.
func (g *generation) shift() error {
	keep := min(g.opt.Keep, g.s.Len()-1)
	return g.s.Drop(keep, keep+(g.s.Len()-keep+1)/2)
}

// stopper turns tokens into text and looks for stop strings. Text that may be
// the beginning of one is held back.
type stopper struct {
	dec  *tokenizer.Decoder
	stop []string
	held string
}

func newStopper(t *tokenizer.Tokenizer, opt GenerateOptions) stopper {
	return stopper{dec: t.NewDecoder(tokenizer.DecodeOptions{SkipControl: !opt.Special}), stop: opt.Stop}
}

// next returns the text that is certain after token id, and whether a stop
// string ended it.
func (s *stopper) next(id int32) (text string, stopped bool) {
	s.held += s.dec.Next(id)
	if len(s.stop) == 0 {
		text, s.held = s.held, ""
		return text, false
	}
	first := -1
	for _, stop := range s.stop {
		if i := strings.Index(s.held, stop); stop != "" && i >= 0 && (first < 0 || i < first) {
			first = i
		}
	}
	if first >= 0 {
		text, s.held = s.held[:first], ""
		return text, true
	}
	keep := s.pending()
	text, s.held = s.held[:len(s.held)-keep], s.held[len(s.held)-keep:]
	return text, false
}

// pending returns the length of the longest end of the held text that begins a
// stop string.
func (s *stopper) pending() int {
	longest := 0
	for _, stop := range s.stop {
		for n := min(len(stop)-1, len(s.held)); n > longest; n-- {
			if strings.HasSuffix(s.held, stop[:n]) {
				longest = n
			}
		}
	}
	return longest
}

// flush returns what was held back, at the end of a generation.
func (s *stopper) flush() string {
	rest := s.held + s.dec.Flush()
	s.held = ""
	return rest
}
