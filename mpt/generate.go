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
//
// Control tokens count as the text that names them, as in llama.cpp, even where they are not
// shown: a stop string may be such a text, or have it in it.
type stopper struct {
	tok    *tokenizer.Tokenizer
	dec    *tokenizer.Decoder
	stop   []string
	held   string
	hidden []bool // the bytes of held that are not shown; nil: there are none
	all    bool   // control tokens are shown
}

func newStopper(t *tokenizer.Tokenizer, opt GenerateOptions) stopper {
	stop := slices.DeleteFunc(slices.Clone(opt.Stop), func(s string) bool { return s == "" })
	dec := t.NewDecoder(tokenizer.DecodeOptions{SkipControl: !opt.Special})
	return stopper{tok: t, dec: dec, stop: stop, all: opt.Special}
}

// next returns the text that is certain after token id, and whether a stop
// string ended it.
func (s *stopper) next(id int32) (text string, stopped bool) {
	if len(s.stop) == 0 {
		return s.dec.Next(id), false
	}
	if name, typ := s.tok.Token(id); typ == tokenizer.Control && !s.all {
		s.hold(name, true)
	}
	s.hold(s.dec.Next(id), false)
	first := -1
	for _, stop := range s.stop {
		if i := strings.Index(s.held, stop); i >= 0 && (first < 0 || i < first) {
			first = i
		}
	}
	if first >= 0 {
		text = s.release(first)
		s.held, s.hidden = "", nil
		return text, true
	}
	return s.release(len(s.held) - s.pending()), false
}

// hold adds a text that is shown later, or never.
func (s *stopper) hold(text string, hidden bool) {
	if hidden && s.hidden == nil {
		s.hidden = make([]bool, len(s.held), len(s.held)+len(text))
	}
	s.held += text
	if s.hidden != nil {
		s.hidden = append(s.hidden, slices.Repeat([]bool{hidden}, len(text))...)
	}
}

// release takes the first n bytes of the held text and returns what is shown of them.
func (s *stopper) release(n int) string {
	text, rest := s.held[:n], s.held[n:]
	s.held = rest
	if s.hidden == nil {
		return text
	}
	var shown []byte
	for i := range n {
		if !s.hidden[i] {
			shown = append(shown, text[i])
		}
	}
	s.hidden = s.hidden[n:]
	if !slices.Contains(s.hidden, true) {
		s.hidden = nil
	}
	return string(shown)
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
	return s.release(len(s.held)) + s.dec.Flush()
}
