package cli

import (
	"cmp"
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"mptgo/bench"
	"mptgo/cmd/internal/cli/cmdline"
	"mptgo/cmd/internal/cli/console"
	"mptgo/cmd/internal/cli/flags"
	"mptgo/cmd/internal/cli/interrupt"
	"mptgo/ggml"
	"mptgo/mpt"
)

const benchLong = `Measure how fast a model reads a prompt (pp512: 512 tokens evaluated together)
and writes an answer (tg64: 64 tokens one after the other), in tokens per second:
the median of the repetitions, the slowest and the fastest.

Several models, kernels, numbers of threads and tests take turns in every
repetition, so that a change of the machine's speed touches all of them alike.

--roofline measures how fast this machine reads memory and multiplies 8-bit
integers, with the instructions of the kernels in use (on arm64 in plain Go,
which is far below them; for amx with AVX-512, which its tiles may exceed), and prints what share of that a run reached: writing
is limited by reading the weights, reading a prompt by multiplying. A model that
fits into the caches may be read faster than memory.

Examples:
  mpt bench -m 7b.gguf
  mpt bench -m 7b-q4.gguf,7b-q8.gguf -t 1,2,4 -r 3 -o csv
  mpt bench -m 7b.gguf --isa generic,avx2
  mpt bench -m 7b.gguf -p 512,4096 -n 64 -d 0,4096 --roofline
  mpt bench -m 7b.gguf -p 0 -n 32 -np 1,2,4,8 --profile
  mpt bench -m 7b.gguf -p 0 -np 8 --lora a.gguf --lora b.gguf --own-lora`

// benchFlags are the flags of mpt bench.
type benchFlags struct {
	engine   flags.Model
	models   []string
	pairs    []string
	isas     []string
	isa      *pflag.Flag // where they come from
	opt      bench.Options
	roofline bool
	output   string
}

func newBench() *cobra.Command {
	b := &benchFlags{}
	cmd := &cobra.Command{
		Use:   "bench [-m FILE,...]",
		Short: "Measure the speed of a model",
		Long:  benchLong,
		Args:  cmdline.NoArgs,
		RunE:  interrupt.Handled(b.run),
	}
	b.add(cmd)
	return cmd
}

func (b *benchFlags) add(cmd *cobra.Command) {
	fs := cmd.Flags()
	fs.StringSliceVarP(&b.models, "model", "m", nil, "the model, a GGUF `FILE`, or several (default: the small model that is built in)")
	fs.IntSliceVarP(&b.opt.Prompts, "n-prompt", "p", []int{512}, "read prompts of `N` tokens; a list separated by commas, 0: none")
	fs.IntSliceVarP(&b.opt.Generations, "n-gen", "n", []int{64}, "write `N` tokens; a list separated by commas, 0: none")
	fs.StringArrayVar(&b.pairs, "pg", nil, "read a prompt and write after it, measured together: `N,N`; may be repeated")
	fs.IntSliceVarP(&b.opt.Depths, "n-depth", "d", []int{0}, "measure after `N` tokens of context; a list")
	fs.IntSliceVar(&b.opt.Sequences, "sequences", []int{1}, "-np, write `N` answers together, in one batch; a list")
	fs.SetNormalizeFunc(func(_ *pflag.FlagSet, name string) pflag.NormalizedName {
		if name == "parallel" { // that -np stands for
			name = "sequences"
		}
		return pflag.NormalizedName(name)
	})
	fs.IntSliceVarP(&b.opt.Threads, "threads", "t", []int{0}, "work with `N` threads; a list, 0: one per core")
	fs.IntVarP(&b.opt.Repetitions, "repetitions", "r", 5, "measure everything `N` times, after a first time that does not count")
	fs.BoolVar(&b.opt.OwnAdapters, "own-lora", false,
		"write with an adapter of --lora for each sequence, by turns, beside the same without adapters")
	fs.BoolVar(&b.opt.Load, "load", false, "measure the time from opening the file to the first token, too")
	fs.BoolVar(&b.roofline, "roofline", false, "compare with this machine's limits")
	fs.BoolVar(&b.opt.Profile, "profile", false, "print what each kind of operation took, in a run of its own")
	b.output = "md"
	cmdline.AddChoice(cmd, &b.output, "output", "o", "print `FORMAT`", "md", "json", "csv")
	b.engine.AddEngine(cmd)
	b.isa = flags.AddISA(cmd, func(usage string) { fs.StringSliceVar(&b.isas, "isa", nil, usage+"; a list") })
}

func (b *benchFlags) run(cmd *cobra.Command, _ []string) error {
	opt, err := b.options()
	if err != nil {
		return err
	}
	p := console.NewStatus(cmd.ErrOrStderr())
	report, err := b.measure(cmd.Context(), opt, p)
	p.Clear()
	if err != nil {
		return err
	}
	switch b.output {
	case "json":
		return console.PrintJSON(cmd, report.rows)
	case "csv":
		return report.csv(cmd.OutOrStdout())
	}
	return report.markdown(console.VisibleWriter{W: cmd.OutOrStdout()})
}

// measure measures the models and, before and after them, the machine.
func (b *benchFlags) measure(ctx context.Context, opt bench.Options, p *console.Status) (*benchReport, error) {
	opt.Progress = func(model, step string) { p.Show("%s: %s", model, step) }
	limits := rooflines{}
	measureLimits := func() error {
		if !b.roofline {
			return nil
		}
		p.Show("measuring this machine's limits")
		kernels, err := b.kernels()
		if err != nil {
			return err
		}
		return limits.measure(ctx, opt.Threads, kernels)
	}
	if err := measureLimits(); err != nil {
		return nil, err
	}
	results, err := bench.Run(ctx, b.subjects(), opt)
	if err != nil {
		return nil, err
	}
	if err := measureLimits(); err != nil {
		return nil, err
	}
	return newBenchReport(results, limits), nil
}

// options returns what to measure.
func (b *benchFlags) options() (bench.Options, error) {
	opt := b.opt
	if opt.Repetitions < 1 {
		return opt, fmt.Errorf("bench: --repetitions %d: must be at least 1", opt.Repetitions)
	}
	if opt.Profile && b.output == "csv" {
		return opt, fmt.Errorf("bench: --profile: prints tables, for which csv has no place: use -o md or -o json")
	}
	opt.Prompts = withoutZeros(opt.Prompts)
	opt.Generations = withoutZeros(opt.Generations)
	for _, text := range b.pairs {
		pair, err := parsePair(text)
		if err != nil {
			return opt, fmt.Errorf("bench: --pg %s: %w", text, err)
		}
		opt.Pairs = append(opt.Pairs, pair)
	}
	return opt, opt.Validate()
}

// parsePair reads two numbers with a comma between them.
func parsePair(text string) (pair [2]int, err error) {
	parts := strings.Split(text, ",")
	if len(parts) != len(pair) {
		return pair, fmt.Errorf("want two numbers, such as 512,64")
	}
	for i, p := range parts {
		if pair[i], err = strconv.Atoi(strings.TrimSpace(p)); err != nil {
			return pair, fmt.Errorf("want two numbers, such as 512,64: %w", err)
		}
	}
	return pair, nil
}

// subjects returns the models to measure, the built-in one if none is named, with
// each of the kernels. Names that would be the same keep their folders.
func (b *benchFlags) subjects() []bench.Subject {
	paths := b.models
	if len(paths) == 0 {
		paths = []string{""}
	}
	seen := map[string]int{}
	for _, path := range paths {
		seen[(&flags.Model{Path: path}).Name()]++
	}
	var subjects []bench.Subject
	for _, path := range paths {
		engine := b.engine
		engine.Path = path
		name := engine.Name()
		if seen[name] > 1 {
			name = path
		}
		for _, adapter := range engine.LoRA.Given {
			name += " + " + filepath.Base(adapter)
		}
		for _, isa := range b.isaNames() {
			engine.ISA = flags.ISA{Name: isa, Flag: b.isa}
			subjects = append(subjects, subject(name, engine))
		}
	}
	return subjects
}

// subject returns the model that the flags name.
func subject(name string, engine flags.Model) bench.Subject {
	return bench.Subject{Name: name, Open: func(threads int) (*mpt.Model, error) {
		engine := engine
		engine.Threads = threads
		return engine.Open()
	}}
}

// kernels returns the names of the kernels to measure.
func (b *benchFlags) kernels() (names []string, err error) {
	for _, isa := range b.isaNames() {
		name, err := (&flags.ISA{Name: isa, Flag: b.isa}).Choose()
		if err != nil {
			return nil, err
		}
		names = append(names, name)
	}
	return names, nil
}

// isaNames returns what --isa names; empty: what its variable names, or the fastest.
func (b *benchFlags) isaNames() []string {
	if len(b.isas) == 0 {
		return []string{""}
	}
	return b.isas
}

// rooflines are the limits of this machine.
type rooflines map[rooflineKey]ggml.Roofline

// rooflineKey is what limits depend on.
type rooflineKey struct {
	threads int
	kernels string
}

// measure measures the limits and keeps the best of what was measured before:
// other work on the machine can only hide them.
func (l rooflines) measure(ctx context.Context, threads []int, kernels []string) error {
	for _, n := range threads {
		for _, name := range kernels {
			r, err := ggml.MeasureRoofline(ctx, n, name)
			if err != nil {
				return fmt.Errorf("bench: --roofline: %w", err)
			}
			l.keep(n, r)
		}
	}
	return nil
}

// keep keeps the limits for a number of threads as it was asked for, which results have, too. What
// is read from memory does not depend on the kernels.
func (l rooflines) keep(threads int, r ggml.Roofline) {
	r.Threads = cmp.Or(threads, r.Threads)
	key := rooflineKey{r.Threads, r.Kernels}
	r.MACs = max(r.MACs, l[key].MACs)
	for k, other := range l {
		if k.threads == key.threads {
			r.Bandwidth = max(r.Bandwidth, other.Bandwidth)
		}
	}
	l[key] = r
	for k, other := range l {
		if k.threads == key.threads {
			other.Bandwidth = r.Bandwidth
			l[k] = other
		}
	}
}

// withoutZeros returns the elements of list that are not zero.
func withoutZeros(list []int) []int {
	return slices.DeleteFunc(slices.Clone(list), func(n int) bool { return n == 0 })
}
