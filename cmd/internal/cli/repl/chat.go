// Package repl is the command mpt chat: a loop that reads messages and commands from a terminal
// or a pipe, and answers. [NewCommand] is all that others need. The loop itself, which knows
// nothing of terminals, is in repl.go, and the table of its commands in commands.go.
package repl

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"mptgo/cmd/internal/cli/cmdline"
	"mptgo/cmd/internal/cli/console"
	"mptgo/cmd/internal/cli/flags"
	"mptgo/cmd/internal/cli/interrupt"
	"mptgo/mpt"
	"mptgo/mpt/talk"
)

const chatLong = `Talk to a model. Without -m it is the small story model that is built in.

In the chat /help lists the commands. Ctrl-C stops an answer, Ctrl-D ends the chat.
If the input is not a terminal, every line of it is answered in turn.

With -s every answer is drawn with that seed, and the same input gives the same chat.

Examples:
  mpt chat
  mpt chat -m 7b-chat.gguf --system "You are a pirate." -c 4096
  echo "Tell me a story about a dog." | mpt chat -s 1`

// chatFlags are the flags of mpt chat.
type chatFlags struct {
	model    flags.Model
	sampling flags.Sampling
	format   flags.ChatFormat
	grammar  flags.Grammar
	spec     flags.Speculation
	system   string
	predict  int
	context  int
	stop     []string
	verbose  bool
	noWrap   bool
}

// NewCommand returns mpt chat.
func NewCommand() *cobra.Command {
	var f chatFlags
	cmd := &cobra.Command{
		Use:   "chat [-m FILE]",
		Short: "Talk to a model",
		Long:  chatLong,
		Args:  cmdline.NoArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			if console.IsTerminal(cmd.InOrStdin()) && console.IsTerminal(cmd.OutOrStdout()) {
				return f.onTerminal(cmd)
			}
			return interrupt.Handled(f.onPipe)(cmd, args)
		},
	}
	fs := cmd.Flags()
	f.format.Add(cmd)
	f.grammar.Add(cmd)
	fs.StringVar(&f.system, "system", "", "`TEXT` of the system prompt (default: that of the format)")
	fs.IntVarP(&f.predict, "predict", "n", -1, "end every answer after `N` tokens; -1: no limit")
	fs.IntVarP(&f.context, "ctx-size", "c", 0, "remember `N` tokens; 0: what the model was trained for")
	fs.StringArrayVarP(&f.stop, "reverse-prompt", "r", nil, "end an answer at `TEXT`, which is not printed; may be given more than once")
	fs.BoolVarP(&f.verbose, "verbose", "v", false, "show the seed and the speed of every answer")
	flags.AddNoWrap(fs, &f.noWrap)
	f.model.Add(cmd)
	f.sampling.Add(fs)
	f.spec.Add(fs)
	return cmd
}

// onPipe answers the lines of an input that is not a terminal.
func (f *chatFlags) onPipe(cmd *cobra.Command, _ []string) error {
	return f.start(cmd, func(r *repl, _ *mpt.Model) error {
		r.in = newPipe(cmd.Context(), cmd.InOrStdin())
		r.strict = true
		r.interrupt = context.WithCancel
		return r.run(cmd.Context())
	})
}

// onTerminal talks to someone who sits at a terminal.
func (f *chatFlags) onTerminal(cmd *cobra.Command) error {
	ctx, signals, stop := catchSignals(cmd)
	defer stop()
	return f.start(cmd, func(r *repl, m *mpt.Model) error {
		t, err := newTerminal(ctx, r.notes)
		if err != nil {
			return fmt.Errorf("chat: %w", err)
		}
		defer t.Close()
		signals.attach(t)
		r.in, r.interrupt = signals, signals.answering
		r.out = console.VisibleWriter{W: r.out}
		if !f.noWrap {
			r.answers = func() io.Writer { return console.VisibleWriter{W: console.Wrap(cmd.OutOrStdout())} }
		}
		f.greet(r, m)
		return r.run(ctx)
	})
}

// start opens the model and calls run with a loop that lacks only its input.
func (f *chatFlags) start(cmd *cobra.Command, run func(*repl, *mpt.Model) error) error {
	if err := flags.CheckPredict("chat", f.predict); err != nil {
		return err
	}
	params, err := f.sampling.Params(cmd.Flags())
	if err != nil {
		return err
	}
	if err := errors.Join(f.grammar.Read(cmd.Context()), f.spec.Check()); err != nil {
		return err
	}
	m, err := f.model.Open()
	if err != nil {
		return err
	}
	defer m.Close()
	if _, err := flags.NewChain(params, m.Tokenizer()); err != nil {
		return err
	}
	format, err := f.format.Choose(cmd.Context(), m)
	if err != nil {
		return err
	}
	if f.format.Template == "" && f.format.File == "" {
		flags.NoteUnknownFormat(cmd.ErrOrStderr(), m, format)
	}
	spec, release, err := f.spec.Open(m, &f.model, 1)
	if err != nil {
		return err
	}
	defer release()
	s, err := flags.NewSession(cmd, m, f.context)
	if err != nil {
		return err
	}
	defer s.Close()
	c, err := talk.New(s, format)
	if err != nil {
		return err
	}
	c.Progress = console.NewStatus(cmd.ErrOrStderr()).Reading()
	if cmd.Flags().Changed("system") {
		if err := c.SetSystem(f.system); err != nil {
			return err
		}
	}
	return run(&repl{
		out:        cmd.OutOrStdout(),
		notes:      cmd.ErrOrStderr(),
		talk:       c,
		params:     params,
		randomSeed: !f.sampling.FixedSeed(cmd.Flags()),
		predict:    f.predict,
		stop:       f.stop,
		grammar:    &f.grammar,
		speculate:  spec,
		verbose:    f.verbose,
	}, m)
}

// greet says what is running.
func (f *chatFlags) greet(r *repl, m *mpt.Model) {
	text := fmt.Sprintf("%s: %s parameters, %s kernels, %s, chat format %s, context %d.\n",
		console.Visible(f.model.Name()), console.Count(m.File().Parameters()), m.Tier(), console.Plural(m.Threads(), "thread", "threads"),
		r.talk.Format().Name, r.talk.Session().ContextSize())
	if n := len(m.Adapters()); n > 0 {
		text += console.Plural(n, "LoRA adapter", "LoRA adapters") + ": /lora lists them.\n"
	}
	text += "/help lists the commands, Ctrl-C stops an answer, Ctrl-D ends the chat.\n\n"
	console.Talk(r.notes, text)
}
