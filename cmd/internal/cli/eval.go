package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"mptgo/cmd/internal/cli/cmdline"
	"mptgo/cmd/internal/cli/console"
	"mptgo/cmd/internal/cli/fileio"
	"mptgo/cmd/internal/cli/flags"
	"mptgo/cmd/internal/cli/interrupt"
	"mptgo/cmd/internal/cli/version"
	"mptgo/mpt"
	"mptgo/mpt/eval"
)

const evalLong = `Measure a model on tasks: multiple choice, last words, whole texts, short answers.

Tasks are llm-foundry's (YAML with icl_tasks, as for the Eval Gauntlet) or those of
lm-evaluation-harness (YAML with dataset_path: json), each scored by the rules of its
own: scores can be compared with published ones. Data is read from local files;
docs/eval.md tells where to get it. A .jsonl file alone is a task of llm-foundry
without examples. Without --tasks it is a small suite for the built-in model.

What a quantised model lost, row by row:
  mpt eval -m f16.gguf --tasks tasks.yaml -o json --log-samples f16.jsonl > f16.json
  mpt eval -m q4.gguf  --tasks tasks.yaml -o json --log-samples q4.jsonl  > q4.json
  mpt eval --compare f16.json q4.json

An evaluation that was ended goes on where it was when it is started again in the
same folder with the same model, data and options.`

// evalFlags are what a command line says.
type evalFlags struct {
	model    flags.Model
	opt      eval.Options
	load     eval.LoadOptions
	seed     int64
	tasks    []string
	gauntlet string
	form     string
	samples  string
	compare  string
	resume   string
	fresh    bool
	dry      bool
	list     bool
}

func newEval() *cobra.Command {
	var f evalFlags
	cmd := &cobra.Command{
		Use:   "eval [-m FILE] [--tasks FILE,...]",
		Short: "Measure a model on tasks, as MPT's scores were",
		Long:  evalLong,
		Args:  cobra.MaximumNArgs(1),
		RunE:  interrupt.Handled(func(cmd *cobra.Command, args []string) error { return f.run(cmd, args) }),
	}
	fs := cmd.Flags()
	fs.StringSliceVar(&f.tasks, "tasks", nil, "`FILES` of tasks, or labels of tasks in the YAML files of --data-dir")
	fs.StringVar(&f.gauntlet, "gauntlet", "", "make averages of the scores as the eval_gauntlet in `FILE` says")
	fs.IntSliceVar(&f.opt.Shots, "num-fewshot", nil, "show `N,...` examples, not as many as the tasks say")
	fs.IntVar(&f.opt.Limit, "limit", 0, "ask the first `N` rows of each run; 0: all")
	fs.IntSliceVar(&f.opt.Samples, "samples", nil, "ask the rows with these numbers, from 0: `N,...`")
	f.form = "table"
	cmdline.AddChoice(cmd, &f.form, "output", "o", "print `FORMAT`", "table", "md", "json", "csv")
	fs.StringVar(&f.samples, "log-samples", "", "write what became of every row to `FILE`, in JSON lines")
	fs.StringVar(&f.load.DataDir, "data-dir", "", "look for data in `DIR`, too, such as scripts/ of llm-foundry")
	fs.StringVar(&f.compare, "compare", "", "compare with a result in `FILE` (of -o json), or two such files, or with what was published for mpt-7b or mpt-30b")
	fs.StringVar(&f.resume, "resume", "", "keep what is done in `FILE`, and go on with what is in it")
	fs.BoolVar(&f.fresh, "no-resume", false, "keep nothing, and begin anew")
	fs.IntVarP(&f.opt.Context, "ctx-size", "c", 0,
		"give the model `N` tokens at the most; 0: as trained, or as the task says")
	fs.IntVar(&f.opt.Parallel, "parallel", 64, "keep up to `N` sequences open at the same time")
	fs.Int64Var(&f.seed, "seed", -1, "choose examples by the seed `N`; -1: as the tasks say")
	fs.StringVar(&f.opt.Chat.Format, "apply-chat-template", "",
		"put prompts into the model's chat format, or that of a `NAME` (tasks of lm-evaluation-harness)")
	fs.Lookup("apply-chat-template").NoOptDefVal = modelsOwn
	fs.BoolVar(&f.opt.Chat.Multiturn, "fewshot-as-multiturn", false, "with it: examples are turns of their own")
	fs.StringVar(&f.opt.Chat.System, "system-instruction", "", "begin prompts with a system prompt")
	fs.BoolVar(&f.dry, "dry-run", false, "count rows and tokens, evaluate nothing")
	fs.BoolVar(&f.list, "list", false, "list the tasks")
	fs.SetNormalizeFunc(func(_ *pflag.FlagSet, name string) pflag.NormalizedName { // lm_eval has underscores
		return pflag.NormalizedName(strings.ReplaceAll(name, "_", "-"))
	})
	f.model.Add(cmd)
	return cmd
}

// modelsOwn is the value of --apply-chat-template without a name.
const modelsOwn = "the model's own"

func (f *evalFlags) run(cmd *cobra.Command, args []string) error {
	if err := f.check(cmd, args); err != nil {
		return err
	}
	if len(args) == 1 {
		return f.compareFiles(cmd, f.compare, args[0])
	}
	tasks, err := fileio.UnlessDone(cmd.Context(), f.loadTasks)
	if err != nil {
		return fmt.Errorf("eval: %w", err)
	}
	if f.list {
		return f.printTasks(cmd, tasks)
	}
	if f.gauntlet != "" {
		if f.opt.Gauntlet, err = readEval(cmd, f.gauntlet, eval.LoadGauntlet); err != nil {
			return fmt.Errorf("eval: %w", err)
		}
	}
	m, err := f.model.Open()
	if err != nil {
		return err
	}
	defer m.Close()
	if f.dry {
		return f.printPlan(cmd, m, tasks)
	}
	return f.measure(cmd, m, tasks)
}

// check refuses flags that do not go together.
func (f *evalFlags) check(cmd *cobra.Command, args []string) error {
	if err := cmdline.OneOnly(cmd, "limit", "samples"); err != nil {
		return err
	}
	if err := cmdline.OneOnly(cmd, "resume", "no-resume"); err != nil {
		return err
	}
	if len(args) == 1 {
		if f.compare == "" {
			return fmt.Errorf("eval: %q: it takes flags, and a second file with --compare only: see %s --help",
				args[0], cmd.CommandPath())
		}
		for _, name := range []string{"model", "tasks", "log-samples", "gauntlet"} {
			if cmd.Flags().Changed(name) {
				return fmt.Errorf("eval: --compare of two files runs nothing: leave --%s out", name)
			}
		}
	}
	if f.opt.Limit < 0 || f.opt.Parallel < 1 || f.opt.Context < 0 {
		return errors.New("eval: --limit and -c cannot be negative, and --parallel must be at least 1")
	}
	if f.seed >= 0 {
		seed := uint64(f.seed)
		f.load.Seed = &seed
	}
	if f.opt.Chat.Format != "" {
		f.opt.Chat.Apply = true
		if f.opt.Chat.Format == modelsOwn {
			f.opt.Chat.Format = ""
		}
	}
	f.opt.Batch = f.model.Batch
	return nil
}

// loadTasks reads the tasks that are wanted.
func (f *evalFlags) loadTasks() (all []*eval.Task, err error) {
	if len(f.tasks) == 0 {
		return eval.LoadStories()
	}
	for _, name := range f.tasks {
		tasks, err := eval.Find(name, f.load)
		if errors.Is(err, os.ErrNotExist) && filepath.Ext(name) == "" {
			return nil, fmt.Errorf("%w: give a file, or --data-dir with the YAML file that has it", err)
		}
		if err != nil {
			return nil, err
		}
		all = append(all, tasks...)
	}
	return all, nil
}

// measure runs the tasks and prints what comes of it.
func (f *evalFlags) measure(cmd *cobra.Command, m *mpt.Model, tasks []*eval.Task) error {
	info, err := f.modelInfo(m)
	if err != nil {
		return err
	}
	f.opt.Identity = fmt.Sprintf("%s %v %v %v", info.SHA256, info.Adapters, f.model.Exact, f.model.Cache.Names())
	if err := f.openJournal(cmd, m, tasks); err != nil {
		return err
	}
	show := console.NewStatus(cmd.ErrOrStderr())
	defer show.Clear()
	f.opt.Progress = func(p eval.Progress) { show.Show("%s", progressLine(p)) }
	res, err := eval.Evaluate(cmd.Context(), m, tasks, f.opt)
	show.Clear()
	ended := errors.Is(err, context.Canceled)
	if err != nil && !ended {
		return err
	}
	for _, w := range res.Warnings {
		console.Note(cmd.ErrOrStderr(), "eval: %s", w)
	}
	if e := f.output(cmd, m, res, info); e != nil {
		return e
	}
	if ended {
		if f.opt.Journal != "" {
			console.Note(cmd.ErrOrStderr(), "eval: what is done is kept in %s: the same command goes on with it",
				f.opt.Journal)
		}
		return interrupt.Error{Err: err}
	}
	if f.opt.Journal != "" && f.resume == "" {
		return os.Remove(f.opt.Journal)
	}
	return nil
}

// openJournal chooses where to keep what is done.
func (f *evalFlags) openJournal(cmd *cobra.Command, m *mpt.Model, tasks []*eval.Task) error {
	if f.opt.Journal = f.resume; f.resume != "" || f.fresh {
		return nil
	}
	id, err := eval.Identity(m, tasks, f.opt)
	if err != nil {
		return err
	}
	name := filepath.Join(filepath.Dir(f.samples), ".mpt-eval-"+id[:16]+".jsonl")
	file, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE, 0o666)
	if err != nil {
		console.Note(cmd.ErrOrStderr(), "eval: nothing is kept to go on with: %v: --resume names another file", err)
		return nil
	}
	info, err := file.Stat()
	if err == nil && info.Size() > 0 {
		console.Note(cmd.ErrOrStderr(), "eval: goes on with %s", name)
	}
	f.opt.Journal = name
	return errors.Join(err, file.Close())
}

// output prints the results and writes the samples.
func (f *evalFlags) output(cmd *cobra.Command, m *mpt.Model, res *eval.Results, info eval.ModelInfo) error {
	config := f.config()
	if res.Format != "" {
		config["chat_format"] = res.Format
		console.Note(cmd.ErrOrStderr(), "eval: prompts are put into the chat format %s", res.Format)
	}
	rep := res.Report(info, f.engineInfo(m), config)
	if f.samples != "" {
		if err := fileio.Write(f.samples, func(w io.Writer) error { return res.WriteSamples(w) }); err != nil {
			return fmt.Errorf("eval: %s: %w", f.samples, err)
		}
		rep.Samples = filepath.ToSlash(f.samples)
	}
	if err := f.print(cmd, res, rep); err != nil || f.compare == "" {
		return err
	}
	if slices.Contains(eval.PublishedModels(), f.compare) {
		return f.printPublished(cmd, res)
	}
	base, err := readEval(cmd, f.compare, eval.ReadReport)
	if err != nil {
		return fmt.Errorf("eval: %w", err)
	}
	again, err := rep.Again()
	if err != nil {
		return err
	}
	return f.printComparison(cmd, base, again)
}

// config returns the options that decide about results.
func (f *evalFlags) config() map[string]any {
	c := map[string]any{}
	set := func(name string, v any, given bool) {
		if given {
			c[name] = v
		}
	}
	set("num_fewshot", f.opt.Shots, f.opt.Shots != nil)
	set("limit", f.opt.Limit, f.opt.Limit > 0)
	set("samples", f.opt.Samples, f.opt.Samples != nil)
	set("context", f.opt.Context, f.opt.Context > 0)
	set("seed", f.seed, f.seed >= 0)
	set("apply_chat_template", true, f.opt.Chat.Apply)
	set("fewshot_as_multiturn", true, f.opt.Chat.Multiturn)
	set("system_instruction", f.opt.Chat.System, f.opt.Chat.System != "")
	for name, typ := range f.model.Cache.Names() {
		c[name] = typ
	}
	return c
}

func (f *evalFlags) engineInfo(m *mpt.Model) eval.EngineInfo {
	numerics := "default"
	if f.model.Exact {
		numerics = "exact"
	}
	return eval.EngineInfo{Version: version.String(), Numerics: numerics, ISA: m.Tier(), Threads: m.Threads()}
}

// progressLine tells how far an evaluation is.
func progressLine(p eval.Progress) string {
	line := fmt.Sprintf("%s: row %d of %d (%d of %d in all)", p.Run, p.Done, p.Rows, p.AllDone, p.AllRows)
	if p.Decided > 0 {
		line += fmt.Sprintf(", %s right", strconv.FormatFloat(float64(p.Right)/float64(p.Decided), 'f', 4, 64))
	}
	if p.Asked > 0 && p.Seconds > 0 {
		rate := float64(p.Asked) / p.Seconds
		left := float64(p.AllRows-p.AllDone) / rate
		line += fmt.Sprintf(", %.1f rows/s, about %s left", rate, console.Duration(left))
	}
	return line
}
