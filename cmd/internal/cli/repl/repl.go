package repl

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"mptgo/cmd/internal/cli/console"
	"mptgo/cmd/internal/cli/flags"
	"mptgo/mpt"
	"mptgo/mpt/talk"
	"mptgo/mpt/tokenizer"
	"mptgo/sampling"
)

// repl is the loop of mpt chat: it reads a message or a command, answers, and
// reads again. It knows nothing of terminals.
type repl struct {
	in      lineReader
	answers func() io.Writer // for what the model says, one for each answer; nil: out
	out     io.Writer        // for what commands show
	notes   io.Writer        // for everything else

	talk       *talk.Conversation
	params     sampling.Params
	randomSeed bool // every answer has a seed of its own
	predict    int  // most tokens of an answer; negative: no limit
	stop       []string
	grammar    *flags.Grammar // nil: answers have any form
	speculate  *mpt.Speculation
	verbose    bool // show the speed after every answer
	strict     bool // an input that fails makes the whole chat fail

	// interrupt returns a context that ends when the user stops an answer.
	interrupt func(context.Context) (context.Context, context.CancelFunc)

	failures  int
	cut       bool           // the last answer ended early
	forgotten int            // turns that were dropped and not spoken of yet
	timing    console.Timing // of the last answer
}

// errQuit is how a command ends the loop.
var errQuit = errors.New("quit")

// run reads and answers until the input ends.
func (r *repl) run(ctx context.Context) error {
	r.talk.Forgot = func(n int) { r.forgotten += n }
	for warned := false; ; {
		text, plain, err := readInput(r.in)
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case errors.Is(err, errInterrupt) && warned && text == "", err == io.EOF:
			return r.verdict()
		case errors.Is(err, errInterrupt):
			if warned = text == ""; warned {
				r.note("Ctrl-C again, or Ctrl-D, ends the chat")
			}
			continue
		case err != nil:
			return fmt.Errorf("chat: read: %w", err)
		}
		warned = false
		err = r.handle(ctx, text, plain)
		switch {
		case errors.Is(err, errQuit):
			return r.verdict()
		case ctx.Err() != nil:
			return ctx.Err()
		case err != nil:
			r.failures++
			r.note("%v", err)
		}
	}
}

// verdict returns an error if the chat has failed as a whole.
func (r *repl) verdict() error {
	if r.strict && r.failures > 0 {
		return fmt.Errorf("chat: %s failed", console.Plural(r.failures, "input", "inputs"))
	}
	return nil
}

// handle does what one input asks for.
func (r *repl) handle(ctx context.Context, text string, plain bool) error {
	switch {
	case strings.TrimSpace(text) == "":
		return nil
	case plain && strings.HasPrefix(text, "/"):
		return r.command(ctx, strings.TrimSpace(text))
	}
	return r.answer(ctx, func(ctx context.Context) error { return tooLong(r.talk.Ask(ctx, text)) })
}

// answer lets prepare evaluate a question and prints the answer. The user may
// stop both; what was said until then stays.
func (r *repl) answer(ctx context.Context, prepare func(context.Context) error) error {
	part, done := r.interrupt(ctx)
	defer done()
	if r.randomSeed {
		r.params.Seed = flags.RandomSeed()
	}
	chain, err := flags.NewChain(r.params, r.tokenizer())
	if err != nil {
		return err
	}
	before, start := r.talk.Evaluated(), time.Now()
	if err := prepare(part); err != nil {
		return r.stopped(ctx, part, err)
	}
	r.noteForgotten()
	r.timing = console.Timing{Seed: r.params.Seed, Read: r.talk.Evaluated() - before, Reading: time.Since(start)}
	start = time.Now()
	show := &answerWriter{w: r.out}
	if r.answers != nil {
		show.w = r.answers()
	}
	ends, _ := talk.Stops(r.talk.Format(), r.tokenizer())
	opt := mpt.GenerateOptions{
		Sampler: chain, Speculate: r.speculate, MaxTokens: r.predict, Stop: r.stop, Constraint: r.grammar.Constraint(r.tokenizer(), ends),
	}
	var result talk.Result
	if r.predict != 0 {
		result, err = r.talk.Answer(part, opt, show.write)
	}
	r.timing.Wrote, r.timing.Drafted, r.timing.Accepted = result.Tokens, result.Drafted, result.Accepted
	r.timing.Writing = time.Since(start)
	if err := show.end(); err != nil {
		return err
	}
	r.noteForgotten() // not before: an answer is not interrupted for that
	if r.verbose {
		r.note("%v", r.timing)
	}
	if result.Why == mpt.EndedFull {
		r.note("the context of %d tokens is full: the answer ends here", r.talk.Session().ContextSize())
	}
	return r.stopped(ctx, part, err)
}

// tokenizer returns the model's.
func (r *repl) tokenizer() *tokenizer.Tokenizer { return r.talk.Session().Model().Tokenizer() }

// tooLong adds to an error that a question does not fit what to do about it.
func tooLong(err error) error {
	if long := (*talk.TooLongError)(nil); errors.As(err, &long) {
		return fmt.Errorf("%w: shorten them or start with a larger --ctx-size", err)
	}
	return err
}

// noteForgotten says that turns were dropped.
func (r *repl) noteForgotten() {
	if r.forgotten > 0 {
		r.note("the context of %d tokens is full: %s forgotten", r.talk.Session().ContextSize(), console.Plural(r.forgotten, "old turn is", "old turns are"))
	}
	r.forgotten = 0
}

// stopped returns err, unless it only says that the user stopped the answer.
func (r *repl) stopped(ctx, part context.Context, err error) error {
	if r.cut = err != nil; r.cut && part.Err() != nil && ctx.Err() == nil {
		r.note("stopped")
		return nil
	}
	return err
}

func (r *repl) note(format string, args ...any) {
	console.Note(r.notes, format, args...)
}

// answerWriter prints an answer so that it ends with a line.
type answerWriter struct {
	w    io.Writer
	open bool // the last line has no end yet
	some bool // something was written
}

func (a *answerWriter) write(text string) error {
	if text == "" {
		return nil
	}
	a.some, a.open = true, !strings.HasSuffix(text, "\n")
	_, err := io.WriteString(a.w, text)
	return err
}

// end ends the answer; an empty one is an empty line.
func (a *answerWriter) end() error {
	if a.some && !a.open {
		return nil
	}
	_, err := io.WriteString(a.w, "\n")
	return err
}
