// Package finetune is the command mpt finetune.
package finetune

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"mptgo/cmd/internal/cli/cmdline"
	"mptgo/cmd/internal/cli/console"
	"mptgo/cmd/internal/cli/flags"
	"mptgo/cmd/internal/cli/interrupt"
	"mptgo/mpt"
	"mptgo/mpt/chat"
	"mptgo/mpt/talk"
	"mptgo/mpt/tune"
	"mptgo/mpt/tune/data"
	"mptgo/mpt/tune/foundry"
)

const long = `Train a LoRA adapter for a model, of any type from F32 to 2 bits, which stays as it is
(QLoRA). The result is a folder for PEFT with an adapter for --lora and llama.cpp in it.

Examples:
  mpt finetune -m 7b-Q4_0.gguf -f train.jsonl --lora-out my-adapter
  mpt finetune -f notes.txt --lora-out my-adapter --eval-split 0.1 --sample "Once"   the built-in model
  mpt finetune recipe.yaml --epochs 1                       flags from a file, llm-foundry's too
  mpt finetune --resume my-adapter                          go on after an interruption
  mpt finetune -m 7b-Q4_0.gguf -f train.jsonl --dry-run     data, memory, and no more
  mpt run -m 7b-Q4_0.gguf --lora my-adapter -p "..."        use it

Rows are recognised by their keys: text; prompt and response or completion; messages;
conversations; instruction and output; tokens. Files are JSON lines, JSON, CSV, TSV, text,
Parquet, folders of them and MosaicML's streaming shards. Prompts are not learned unless
--target-prompts says so. Ctrl-C writes a checkpoint; --resume goes on to the same bits.`

// NewCommand returns the command.
func NewCommand() *cobra.Command {
	f := &options{}
	cmd := &cobra.Command{
		Use:   "finetune [RECIPE.yaml] -m FILE -f DATA --lora-out DIR",
		Short: "Train an adapter for a model",
		Long:  long,
		Args:  atMostOne,
		RunE:  interrupt.Handled(f.run),
	}
	f.add(cmd)
	return cmd
}

// atMostOne refuses more than a recipe.
func atMostOne(cmd *cobra.Command, args []string) error {
	if len(args) > 1 {
		return fmt.Errorf("finetune: %q: it takes one recipe, and flags: see %s --help", args[1], cmd.CommandPath())
	}
	return cmdline.NotEmptyArgs(cmd, args)
}

// run trains.
func (f *options) run(cmd *cobra.Command, args []string) error {
	r := &run{options: f, ctx: cmd.Context(), out: cmd.OutOrStdout(), err: cmd.ErrOrStderr()}
	defer r.unlock()
	if err := f.prepare(cmd, args, r); err != nil {
		return err
	}
	if err := f.hub.Locate(&f.model); err != nil {
		return err
	}
	m, err := (&flags.Model{Path: f.model}).OpenWith(f.engine())
	if err != nil {
		return err
	}
	r.model = m
	defer m.Close()
	limitGarbage()
	if err := r.checkMemory(); err != nil {
		return err
	}
	close, err := r.readRows()
	if err != nil {
		return err
	}
	defer close()
	if err := r.build(); err != nil {
		return err
	}
	defer r.trainer.Close()
	return r.do()
}

// prepare checks what can be checked before anything is read.
func (f *options) prepare(cmd *cobra.Command, args []string, r *run) error {
	fs := cmd.Flags()
	if f.resume != "" {
		if err := r.lock(f.resume); err != nil {
			return err
		}
		saved, err := tune.ReadFlags(f.resume)
		if errors.Is(err, os.ErrNotExist) {
			return fmt.Errorf("finetune: --resume %s: there is no such folder", f.resume)
		}
		if err != nil {
			return err
		}
		if err := f.mayChange(fs, saved); err != nil {
			return err
		}
		if err := restore(fs, saved); err != nil {
			return err
		}
		f.out = f.resume
	}
	if err := f.settle(fs, args, r.note); err != nil {
		return err
	}
	switch {
	case len(f.files) == 0 && f.plan == "":
		return errors.New("finetune: no rows to train on: name a file with -f FILE")
	case f.out == "" && !f.dryRun && f.dumpGrads == "":
		return errors.New("finetune: where to? name a folder for the adapter with --lora-out DIR")
	case f.evalSplit != 0 && len(f.evalFiles) > 0:
		return errors.New("finetune: --eval-file and --eval-split: give only one of them")
	case f.output != "text" && f.output != "json":
		return fmt.Errorf("finetune: --output %s: want text or json", f.output)
	case f.batch < 1 || f.maxSteps < 0:
		return errors.New("finetune: --batch has to be at least 1, --max-steps cannot be negative")
	case f.logEvery < 1 || f.keep < 0 || f.patience < 0:
		return errors.New("finetune: --log-every has to be at least 1; --keep and --patience cannot be negative")
	}
	r.given = given(fs)
	if err := f.checkResults(); err != nil {
		return err
	}
	if err := f.checkFolder(); err != nil || f.resume != "" {
		return err
	}
	return r.lock(f.out)
}

// engine returns the options of the model.
func (f *options) engine() []mpt.Option {
	opts := []mpt.Option{mpt.Threads(f.threads)}
	if f.exact {
		opts = append(opts, mpt.Exact())
	}
	if f.memory {
		opts = append(opts, mpt.IgnoreMemory())
	}
	return opts
}

// readRows reads what to train on and what to evaluate.
func (r *run) readRows() (close func(), err error) {
	if r.plan != "" {
		p, err := tune.ReadPlan(r.plan)
		if err != nil {
			return nil, err
		}
		r.config, r.rows = p.Config()
		if r.held = p.Eval(); r.held.Len() == 0 {
			r.held = nil
		}
		return func() {}, nil
	}
	opt, err := r.dataOptions()
	if err != nil {
		return nil, err
	}
	set, err := data.Open(r.files, opt)
	if err != nil {
		return nil, err
	}
	if err := r.summary(&set.Summary); err != nil {
		set.Close()
		return nil, err
	}
	r.rows = &set.Part
	close = func() { set.Close() }
	switch {
	case r.evalSplit != 0:
		train, held, err := set.Split(r.evalSplit, r.seed)
		if err != nil {
			close()
			return nil, err
		}
		r.rows, r.held = train, held
	case len(r.evalFiles) > 0:
		held, err := data.Open(r.evalFiles, opt)
		if err != nil {
			close()
			return nil, err
		}
		r.held = &held.Part
		r.evaluationRows(&held.Summary)
		return func() { set.Close(); held.Close() }, nil
	}
	return close, nil
}

// evaluationRows tells what became of the rows to evaluate.
func (r *run) evaluationRows(s *data.Summary) {
	r.note("evaluation: %d of %d rows with %d targets", s.Rows, s.Read, s.Targets)
	for _, c := range s.Dropped {
		r.note("evaluation: left out: %s", c)
	}
	if s.Truncated.Rows > 0 {
		r.note("evaluation: %s; %d targets are lost", s.Truncated, s.LostTargets)
	}
}

// summary prints what became of the rows.
func (r *run) summary(s *data.Summary) error {
	if w := s.Warning(); w != "" && r.output == "json" {
		r.note("%s", w)
	}
	if r.output == "json" {
		return nil
	}
	return s.Print(r.err)
}

func (r *run) dataOptions() (data.Options, error) {
	c := r.model.Config()
	format, err := data.FormatFor(talk.Model(r.model), r.template)
	if err != nil && r.template == "" {
		r.note("the model's own template for conversations cannot be used (%v): ChatML is", err)
		format, err = chat.Named("chatml")
	}
	return data.Options{
		Tokenizer: r.model.Tokenizer(), Vocabulary: c.Vocab, Context: r.longest(), Kind: r.format,
		TextField: r.text, PromptField: r.prompt, ResponseField: r.response,
		Format: format, Chosen: r.template != "", PlainMarkers: r.plainMarkers,
		TargetPrompts: r.targetPrompts, TargetResponses: r.targetResponses, Long: r.long, Strict: r.strict,
	}, err
}

// build makes the trainer.
func (r *run) build() (err error) {
	c := &r.config
	if r.plan == "" {
		if err := r.settings(c); err != nil {
			return err
		}
	}
	r.machine(c)
	longest := 0
	if c.Held = r.held; r.held != nil {
		for i := range r.held.Len() {
			row, err := r.held.Row(i)
			if err != nil {
				return err
			}
			longest = max(longest, len(row.Tokens))
			r.heldTokens += int64(len(row.Tokens))
		}
	}
	if r.trainer, err = tune.New(r.model, r.rows, longest, *c); err != nil {
		return err
	}
	if r.resume != "" {
		var notes []string
		notes, err = r.trainer.Resume(r.resume)
		for _, n := range notes {
			r.note("%s", n)
		}
	}
	if err != nil {
		r.trainer.Close()
	}
	return err
}

// settings fills in the configuration from the flags.
func (r *run) settings(c *tune.Config) (err error) {
	if c.LoRA, err = r.lora(); err != nil {
		return err
	}
	if c.Optimizer, err = r.optimizer(); err != nil {
		return err
	}
	if r.batch > r.rows.Len() {
		r.note("a batch of %d rows of only %d: all of them are one step", r.batch, r.rows.Len())
		r.batch = r.rows.Len()
	}
	steps, epoch, err := r.steps(r.rows.Len())
	if err != nil {
		return err
	}
	c.MaxGradNorm, c.Batch, c.MaxSteps, c.NoShuffle = r.norm, r.batch, steps, r.noShuffle
	warmup, err := foundry.ParseTime(r.warmup)
	if err != nil {
		return fmt.Errorf("--warmup: %w", err)
	}
	c.Schedule = tune.Schedule{Name: r.schedule, AlphaF: r.alphaF, Warmup: warmup.Steps(steps, epoch)}
	if steps == 1 && c.Schedule.Warmup == 1 {
		c.Schedule.Warmup = 0 // the only step would have the rate 0
	}
	if c.Optimizer.LR == 0 {
		r.note("the learning rate is 0: nothing will be learned")
	}
	return nil
}

// modelName returns what people call the model.
func (r *run) modelName() string {
	if r.model == nil || r.options.model == "" {
		return "the built-in model"
	}
	return filepath.Base(r.options.model)
}

// note prints a line of talk.
func (r *run) note(format string, args ...any) { console.Note(r.err, format, args...) }
