package cli

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

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
	model    modelFlags
	sampling samplingFlags
	format   formatFlags
	grammar  grammarFlags
	spec     specFlags
	system   string
	predict  int
	context  int
	stop     []string
	verbose  bool
}

func newChat() *cobra.Command {
	var f chatFlags
	cmd := &cobra.Command{
		Use:   "chat [-m FILE]",
		Short: "Talk to a model",
		Long:  chatLong,
		Args:  noArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			if isTerminal(cmd.InOrStdin()) && isTerminal(cmd.OutOrStdout()) {
				return f.onTerminal(cmd)
			}
			return interruptible(f.onPipe)(cmd, args)
		},
	}
	fs := cmd.Flags()
	f.format.add(cmd)
	f.grammar.add(cmd)
	fs.StringVar(&f.system, "system", "", "`TEXT` of the system prompt (default: that of the format)")
	fs.IntVarP(&f.predict, "predict", "n", -1, "end every answer after `N` tokens; -1: no limit")
	fs.IntVarP(&f.context, "ctx-size", "c", 0, "remember `N` tokens; 0: what the model was trained for")
	fs.StringArrayVarP(&f.stop, "reverse-prompt", "r", nil, "end an answer at `TEXT`, which is not printed; may be given more than once")
	fs.BoolVarP(&f.verbose, "verbose", "v", false, "show the seed and the speed of every answer")
	f.model.add(cmd)
	f.sampling.add(fs)
	f.spec.add(fs)
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
		r.out = visibleWriter{r.out}
		f.greet(r, m)
		return r.run(ctx)
	})
}

// start opens the model and calls run with a loop that lacks only its input.
func (f *chatFlags) start(cmd *cobra.Command, run func(*repl, *mpt.Model) error) error {
	if err := checkPredict("chat", f.predict); err != nil {
		return err
	}
	params, err := f.sampling.params(cmd.Flags())
	if err != nil {
		return err
	}
	if err := errors.Join(f.grammar.read(cmd.Context()), f.spec.check()); err != nil {
		return err
	}
	m, err := f.model.open()
	if err != nil {
		return err
	}
	defer m.Close()
	if _, err := newChain(params, m.Tokenizer()); err != nil {
		return err
	}
	format, err := f.format.choose(cmd.Context(), m)
	if err != nil {
		return err
	}
	if f.format.template == "" && f.format.file == "" {
		noteUnknownFormat(cmd.ErrOrStderr(), m, format)
	}
	spec, release, err := f.spec.open(m, &f.model, 1)
	if err != nil {
		return err
	}
	defer release()
	s, err := newSession(cmd, m, f.context)
	if err != nil {
		return err
	}
	defer s.Close()
	c, err := talk.New(s, format)
	if err != nil {
		return err
	}
	c.Progress = newStatus(cmd.ErrOrStderr()).reading()
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
		randomSeed: !f.sampling.fixedSeed(cmd.Flags()),
		predict:    f.predict,
		stop:       f.stop,
		grammar:    &f.grammar,
		speculate:  spec,
		verbose:    f.verbose,
	}, m)
}

// greet says what is running.
func (f *chatFlags) greet(r *repl, m *mpt.Model) {
	fmt.Fprintf(r.notes, "%s: %s parameters, %s kernels, %s, chat format %s, context %d.\n",
		visible(f.model.name()), count(m.File().Parameters()), m.Tier(), plural(m.Threads(), "thread", "threads"),
		r.talk.Format().Name, r.talk.Session().ContextSize())
	if n := len(m.Adapters()); n > 0 {
		fmt.Fprintf(r.notes, "%s: /lora lists them.\n", plural(n, "LoRA adapter", "LoRA adapters"))
	}
	io.WriteString(r.notes, "/help lists the commands, Ctrl-C stops an answer, Ctrl-D ends the chat.\n\n")
}
