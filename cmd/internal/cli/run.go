package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"mptgo/cmd/internal/cli/cmdline"
	"mptgo/cmd/internal/cli/console"
	"mptgo/cmd/internal/cli/flags"
	"mptgo/cmd/internal/cli/interrupt"
	"mptgo/mpt"
	"mptgo/mpt/tokenizer"
	"mptgo/sampling"
)

const runLong = `Continue a text. The completion, and nothing else, is printed as it comes; the
prompt is not repeated. It ends after N tokens, with the model's end-of-text token,
at a string of -r, or when the context is full. With -n -1 a full context does not end
it: the older half of the tokens, but not the first ones that --keep names, is forgotten,
where the model's positions allow that (ALiBi).

With --prompt-cache the state after the prompt is kept in a file. The next run takes from
it what its prompt has in common with that one, and gives the same text as without it.

Examples:
  mpt run -p "Once upon a time" -n 100
  mpt run -m 7b.gguf -f question.txt --temp 0`

// runFlags are the flags of mpt run.
type runFlags struct {
	model     flags.Model
	prompt    flags.Prompt
	sampling  flags.Sampling
	grammar   flags.Grammar
	cache     promptCache
	spec      flags.Speculation
	predict   int
	context   int
	stop      []string
	shift     bool
	keep      int
	ignoreEOS bool
	verbose   bool
	noWrap    bool

	speculate *mpt.Speculation
}

func newRun() *cobra.Command {
	var f runFlags
	cmd := &cobra.Command{
		Use:   "run [-m FILE] [-p TEXT | -f FILE]",
		Short: "Continue a text",
		Long:  runLong,
		Args:  cmdline.NoArgs,
		RunE:  interrupt.Handled(f.run),
	}
	fs := cmd.Flags()
	f.prompt.Add(cmd)
	f.prompt.AddSpecial(cmd)
	flags.AddNoWrap(fs, &f.noWrap)
	fs.IntVarP(&f.predict, "predict", "n", flags.UntilFull, "stop after `N` tokens; -1: never, -2: when the context is full")
	fs.IntVarP(&f.context, "ctx-size", "c", 0, "room for `N` tokens of prompt and answer; 0: what the model was trained for")
	fs.StringArrayVarP(&f.stop, "reverse-prompt", "r", nil, "stop at `TEXT`, which is not printed; may be given more than once")
	cmd.Flags().Lookup("escape").Usage = `replace \n, \r, \t, \", \', \\ and \xHH in the texts of -p and -r`
	f.grammar.Add(cmd)
	fs.BoolVar(&f.shift, "context-shift", false, "when the context is full, forget the oldest tokens and go on")
	fs.IntVar(&f.keep, "keep", 0, "the first `N` tokens of the prompt are not forgotten; -1: all of it")
	f.cache.add(fs)
	fs.BoolVar(&f.ignoreEOS, "ignore-eos", false, "go on after the end-of-text token")
	fs.BoolVarP(&f.verbose, "verbose", "v", false, "show the seed and the speed")
	f.model.Add(cmd)
	f.sampling.Add(fs)
	f.spec.Add(fs)
	return cmd
}

func (f *runFlags) run(cmd *cobra.Command, _ []string) error {
	if err := f.check(cmd); err != nil {
		return err
	}
	text, err := f.prompt.Read(cmd)
	if err != nil {
		return err
	}
	params, err := f.sampling.Params(cmd.Flags())
	if err != nil {
		return err
	}
	m, err := f.model.Open()
	if err != nil {
		return err
	}
	defer m.Close()
	if !cmd.Flags().Changed("prompt") {
		text = strings.TrimSuffix(strings.TrimSuffix(text, "\n"), "\r") // as every editor puts it there
	}
	noteRaw(cmd.ErrOrStderr(), m, text)
	ids, err := promptIDs(m.Tokenizer(), text, f.prompt.Special)
	if err != nil {
		return err
	}
	spec, release, err := f.spec.Open(m, &f.model, 1)
	if err != nil {
		return err
	}
	defer release()
	f.speculate = spec
	s, err := flags.NewSession(cmd, m, f.context)
	if err != nil {
		return err
	}
	defer s.Close()
	f.shift = f.shift || f.predict == flags.Endless && !cmd.Flags().Changed("context-shift") && s.CanDrop()
	if err := f.checkShift(s); err != nil {
		return err
	}
	if err := f.checkRoom(len(ids), s.ContextSize()); err != nil {
		return err
	}
	return f.complete(cmd, s, ids, params, m.Tokenizer())
}

// check refuses flags that make no sense.
func (f *runFlags) check(cmd *cobra.Command) error {
	if f.keep < -1 {
		return fmt.Errorf("run: --keep %d: want a number of tokens, or -1 for the whole prompt", f.keep)
	}
	if f.prompt.Escape {
		for i, s := range f.stop {
			f.stop[i] = flags.Unescape(s)
		}
	}
	if err := f.grammar.Read(cmd.Context()); err != nil {
		return err
	}
	if f.grammar.Grammar != nil && f.ignoreEOS {
		return errors.New("--ignore-eos: with a grammar or a schema the text ends where that does")
	}
	return errors.Join(flags.CheckPredict("run", f.predict), f.cache.check(cmd), f.spec.Check())
}

// checkShift refuses to shift a context that cannot be shifted, before it is full.
func (f *runFlags) checkShift(s *mpt.Session) error {
	if !f.shift || s.CanDrop() {
		return nil
	}
	return errors.New("run: --context-shift: this model's keys depend on their positions, which cannot be shifted: " +
		"leave it out, or make room with --ctx-size")
}

// checkRoom refuses a prompt of n tokens that leaves no room in the context, before
// it is read: that may take minutes.
func (f *runFlags) checkRoom(n, context int) error {
	room := 1
	if f.predict == 0 || f.shift {
		room = 0
	}
	if n+room <= context {
		return nil
	}
	return fmt.Errorf("run: the prompt has %s, which leaves no room in a context of %d: shorten it, or make room with --ctx-size",
		console.Plural(n, "token", "tokens"), context)
}

// promptIDs returns the tokens of a prompt. A model cannot continue nothing, so
// an empty prompt becomes the token that begins, or ends, every document.
func promptIDs(tok *tokenizer.Tokenizer, text string, special bool) ([]int32, error) {
	ids := tok.Encode(text, tokenizer.EncodeOptions{ParseSpecial: special, AddSpecial: true})
	if len(ids) > 0 {
		return ids, nil
	}
	for _, id := range []int32{tok.BOS(), tok.EOS()} {
		if id >= 0 {
			return []int32{id}, nil
		}
	}
	return nil, errors.New("run: the prompt is empty, and the model has no token to start from")
}

// complete evaluates ids and prints what the model makes of them.
func (f *runFlags) complete(cmd *cobra.Command, s *mpt.Session, ids []int32, p sampling.Params, tok *tokenizer.Tokenizer) error {
	chain, err := flags.NewChain(p, tok)
	if err != nil {
		return err
	}
	reused, err := f.cache.load(s, ids)
	if err != nil {
		return err
	}
	took := console.Timing{Seed: p.Seed, Read: len(ids) - reused}
	start := time.Now()
	if err := readPrompt(cmd, s, ids[reused:]); err != nil {
		return err
	}
	took.Reading = time.Since(start)
	if err := f.cache.savePrompt(s); err != nil {
		return err
	}
	start = time.Now()
	if f.keep < 0 {
		f.keep = len(ids)
	}
	var why mpt.Reason
	why, err = f.print(cmd.Context(), cmd.OutOrStdout(), s, chain, &took)
	took.Writing = time.Since(start)
	if why == mpt.EndedFull {
		f.noteFull(cmd, s)
	}
	if err == nil {
		err = f.end(cmd, s, len(ids)+took.Wrote)
	}
	if f.verbose {
		if f.cache.path != "" {
			console.Note(cmd.ErrOrStderr(), "%s from the prompt cache", console.Plural(reused, "token", "tokens"))
		}
		console.Note(cmd.ErrOrStderr(), "%v", took)
		console.Note(cmd.ErrOrStderr(), "%s", flags.ContextMemory(s))
	}
	return err
}

// noteFull says that a full context has ended the text, and why it is not shifted.
func (f *runFlags) noteFull(cmd *cobra.Command, s *mpt.Session) {
	what := "make room with --ctx-size, or forget the oldest with --context-shift"
	if !s.CanDrop() {
		what = "make room with --ctx-size; this model's keys depend on their positions, which cannot be shifted"
	}
	console.Note(cmd.ErrOrStderr(), "the text ends here: the context of %d tokens is full: %s", s.ContextSize(), what)
}

// end saves what is to be saved of a session through which n tokens went.
func (f *runFlags) end(cmd *cobra.Command, s *mpt.Session, n int) error {
	if n > s.ContextSize() && f.cache.all {
		console.Note(cmd.ErrOrStderr(), "%s: the answer is not kept: its beginning was forgotten, so the state is that of no prompt", f.cache.path)
		return nil
	}
	return f.cache.saveAll(s)
}

// readPrompt evaluates the rest of a prompt and shows how far it has come.
func readPrompt(cmd *cobra.Command, s *mpt.Session, ids []int32) error {
	show := console.NewStatus(cmd.ErrOrStderr())
	defer show.Clear()
	progress := show.Reading()
	progress(0, len(ids))
	return s.EvalWith(cmd.Context(), ids, mpt.EvalOptions{Progress: func(done int) { progress(done, len(ids)) }})
}

// print generates to w, counts the tokens and returns why they ended.
func (f *runFlags) print(
	ctx context.Context, w io.Writer, s *mpt.Session, chain *sampling.Chain, took *console.Timing,
) (mpt.Reason, error) {
	if console.IsTerminal(w) {
		if !f.noWrap {
			w = console.Wrap(w)
		}
		w = console.VisibleWriter{W: w}
		defer io.WriteString(w, "\n") // with what the writer still holds
	}
	if f.predict == 0 {
		return mpt.EndedLimit, nil
	}
	g, err := s.NewGeneration(mpt.GenerateOptions{
		Sampler: chain, Speculate: f.speculate, MaxTokens: f.predict, Stop: f.stop, Shift: f.shift, Keep: f.keep, IgnoreEOS: f.ignoreEOS, Special: f.prompt.Special,
		Constraint: f.grammar.Constraint(s.Model().Tokenizer(), nil),
	})
	if err != nil {
		return mpt.EndedError, err
	}
	defer func() {
		took.Wrote = g.Tokens()
		took.Drafted, took.Accepted = g.Drafted()
	}()
	for t, err := range g.All(ctx) {
		if err != nil {
			return g.Why(), err
		}
		if _, err := io.WriteString(w, t.Text); err != nil {
			return g.Why(), fmt.Errorf("run: %w", err)
		}
	}
	return g.Why(), nil
}
