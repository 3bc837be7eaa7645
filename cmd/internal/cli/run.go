package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"mptgo/mpt"
	"mptgo/mpt/tokenizer"
	"mptgo/sampling"
)

const runLong = `Continue a text. The completion, and nothing else, is printed as it comes; the
prompt is not repeated. It ends after N tokens, with the model's end-of-text token,
at a string of -r, or when the context is full.

Examples:
  mpt run -p "Once upon a time" -n 100
  mpt run -m 7b.gguf -f question.txt --temp 0`

// runFlags are the flags of mpt run.
type runFlags struct {
	model    modelFlags
	prompt   promptFlags
	sampling samplingFlags
	predict  int
	context  int
	stop     []string
	shift    bool
	keepOn   bool
	verbose  bool
}

func newRun() *cobra.Command {
	var f runFlags
	cmd := &cobra.Command{
		Use:   "run [-m FILE] [-p TEXT | -f FILE]",
		Short: "Continue a text",
		Long:  runLong,
		Args:  noArgs,
		RunE:  interruptible(f.run),
	}
	fs := cmd.Flags()
	f.prompt.add(cmd)
	f.prompt.addSpecial(cmd)
	fs.IntVarP(&f.predict, "predict", "n", -1, "stop after `N` tokens; -1: no limit")
	fs.IntVarP(&f.context, "ctx-size", "c", 0, "room for `N` tokens of prompt and answer; 0: what the model was trained for")
	fs.StringArrayVarP(&f.stop, "reverse-prompt", "r", nil, "stop at `TEXT`, which is not printed; may be given more than once")
	fs.BoolVar(&f.shift, "context-shift", false, "when the context is full, forget the oldest tokens and go on")
	fs.BoolVar(&f.keepOn, "ignore-eos", false, "go on after the end-of-text token")
	fs.BoolVarP(&f.verbose, "verbose", "v", false, "show the seed and the speed")
	f.model.add(cmd)
	f.sampling.add(fs)
	return cmd
}

func (f *runFlags) run(cmd *cobra.Command, _ []string) error {
	text, err := f.prompt.read(cmd)
	if err != nil {
		return err
	}
	params, err := f.sampling.params(cmd.Flags())
	if err != nil {
		return err
	}
	m, err := f.model.open()
	if err != nil {
		return err
	}
	defer m.Close()
	if !cmd.Flags().Changed("prompt") {
		text = strings.TrimSuffix(strings.TrimSuffix(text, "\n"), "\r") // as every editor puts it there
	}
	ids, err := promptIDs(m.Tokenizer(), text, f.prompt.special)
	if err != nil {
		return err
	}
	s, err := m.NewSession(mpt.ContextSize(f.context))
	if err != nil {
		return err
	}
	defer s.Close()
	if err := f.checkRoom(len(ids), s.ContextSize()); err != nil {
		return err
	}
	return f.complete(cmd, s, ids, params, m.Tokenizer())
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
		plural(n, "token", "tokens"), context)
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
	chain, err := newChain(p, tok)
	if err != nil {
		return err
	}
	for _, id := range ids {
		chain.Accept(id)
	}
	took := timing{seed: p.Seed, read: len(ids)}
	start := time.Now()
	if err := readTokens(cmd.Context(), s, ids, newStatus(cmd.ErrOrStderr())); err != nil {
		return err
	}
	took.reading, start = time.Since(start), time.Now()
	full := false
	took.wrote, err = f.print(cmd.Context(), cmd.OutOrStdout(), s, chain, func() { full = true })
	took.writing = time.Since(start)
	if full {
		note(cmd.ErrOrStderr(), "the context of %d tokens is full: make room with --ctx-size, or forget the oldest with --context-shift", s.ContextSize())
	}
	if f.verbose {
		note(cmd.ErrOrStderr(), "%v", took)
		note(cmd.ErrOrStderr(), "%s", contextMemory(s))
	}
	return err
}

// print generates to w and returns the number of tokens. It calls full if the
// context ends the text.
func (f *runFlags) print(ctx context.Context, w io.Writer, s *mpt.Session, chain *sampling.Chain, full func()) (n int, err error) {
	if isTerminal(w) {
		defer fmt.Fprintln(w)
	}
	opt := mpt.GenerateOptions{
		Sampler: chain, MaxTokens: f.predict, Stop: f.stop, Shift: f.shift, IgnoreEOS: f.keepOn, Special: f.prompt.special, Full: full,
	}
	for t, err := range s.Generate(ctx, opt) {
		if err != nil {
			return n, err
		}
		if t.ID >= 0 {
			n++
		}
		if _, err := io.WriteString(w, t.Text); err != nil {
			return n, fmt.Errorf("run: %w", err)
		}
	}
	return n, nil
}
