package cli

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"mptgo/cmd/internal/batch"
	"mptgo/cmd/internal/cli/cmdline"
	"mptgo/cmd/internal/cli/console"
	"mptgo/cmd/internal/cli/flags"
	"mptgo/cmd/internal/cli/interrupt"
	"mptgo/mpt"
)

const batchLong = `Answer a file of requests, one a line, in the form of OpenAI's batches:

  {"custom_id": "1", "method": "POST", "url": "/v1/chat/completions",
   "body": {"messages": [{"role": "user", "content": "Hello"}]}}

(in one line). The answers come in the order of the lines, each with its custom_id; lines
that could not be answered go to a file of errors. The same input, model and --created give
the same bytes, whatever --threads, --parallel, and however often the command was ended.

What is done is kept in OUT.jsonl.journal: after a crash, a kill or Ctrl-C the same command
goes on where it was. The exit status is 0 if all lines were answered, 3 if some were not,
1 if the work could not be done, 130 if it was interrupted. A shard that is done has 0; the
merge tells of lines that were not answered.

Examples:
  mpt batch questions.jsonl -o answers.jsonl -m 7b-chat.gguf
  mpt batch questions.jsonl --dry-run -m 7b-chat.gguf
  mpt batch questions.jsonl -o answers.jsonl --created 0 --shard 2/8    on one of 8 machines
  mpt batch merge answers.jsonl                                        when all are done

Where machines come and go, NATS JetStream spreads the lines: see mpt batch submit --help.`

// batchFlags are the flags of mpt batch.
type batchFlags struct {
	model    flags.Model
	sampling flags.Sampling
	format   flags.ChatFormat
	alias    string
	context  int
	cacheRAM int

	output, errors string
	parallel       int
	created        int64
	strict, any    bool
	order          string
	limit          int
	shard          string
	timeout        requestLimit
	dry, noSync    bool
	alone          bool
}

func newBatch() *cobra.Command {
	var f batchFlags
	cmd := &cobra.Command{
		Use:   "batch IN.jsonl -o OUT.jsonl [-m FILE]",
		Short: "Answer a file of requests",
		Long:  batchLong,
		Args:  cmdline.WantArgs(1),
		RunE: interrupt.Handled(func(cmd *cobra.Command, args []string) error {
			return orInterrupted(cmd, f.run(cmd, args))
		}),
	}
	fs := cmd.Flags()
	fs.VarP((*cmdline.FileName)(&f.output), "output", "o", "write the answers to `FILE`")
	fs.Var((*cmdline.FileName)(&f.errors), "errors",
		"write what was not answered to `FILE` (default: OUT.errors.jsonl)")
	f.addAnswers(cmd)
	f.addSpeed(fs)
	f.addLines(fs)
	f.order = "input"
	cmdline.AddChoice(cmd, &f.order, "order", "", "write the answers in this `ORDER`", "input", "done")
	fs.StringVar(&f.shard, "shard", "",
		"answer the part `I/N` of the lines, I from 0: mpt batch merge puts the parts together")
	fs.BoolVar(&f.dry, "dry-run", false, "count lines and tokens, estimate the time, answer nothing")
	fs.BoolVar(&f.noSync, "no-sync", false,
		"do not wait for the disk: a crash of the system, not of the command, may lose what is done")
	cmd.AddCommand(newBatchMerge(), newBatchSubmit(), newBatchWork(), newBatchCollect(), newQueueStatus(),
		newBatchCancel())
	return cmd
}

// addAnswers adds the flags that answers depend on.
func (f *batchFlags) addAnswers(cmd *cobra.Command) {
	fs := cmd.Flags()
	f.model.Add(cmd)
	fs.StringVarP(&f.alias, "alias", "a", "", "`NAMES` by which requests may call the model, separated by commas")
	fs.IntVarP(&f.context, "ctx-size", "c", 0,
		"room for `N` tokens in each sequence; 0: what the model was trained for")
	fs.BoolVar(&f.any, "any-model", false, "answer requests for any model with this one")
	fs.Var(&f.timeout, "request-timeout",
		"give each request at most this `LIMIT`: a time such as 90s, or tokens of an answer such as 500tok")
	f.format.Add(cmd)
	f.sampling.Add(fs)
	fs.Lookup("seed").Usage = "seed of requests that have none (default 0)"
}

// addSpeed adds flags that change no answer, and the one of processes that answer alone.
func (f *batchFlags) addSpeed(fs *pflag.FlagSet) {
	fs.IntVar(&f.parallel, "parallel", 0, "answer `N` lines at the same time (-np); 0: twice the CPUs, at least 4")
	fs.IntVar(&f.cacheRAM, "cache-ram", -1,
		"`N` MiB of memory for what prompts have in common; 0: none, -1: a quarter of what is left")
	fs.BoolVar(&f.alone, "alone", false, "")
	fs.MarkHidden("alone")
}

// addLines adds the flags that say which lines are answered.
func (f *batchFlags) addLines(fs *pflag.FlagSet) {
	fs.BoolVar(&f.strict, "strict", false, "answer nothing if a line has a flaw")
	fs.IntVar(&f.limit, "limit", 0, "read the first `N` lines that are not blank; 0: all")
	fs.Int64Var(&f.created, "created", -1,
		"the time in the answers, `N` seconds since 1970 (default: that of the first start)")
	fs.Lookup("created").DefValue = "0" // its usage says what there is without it
}

// requestLimit is the value of --request-timeout.
type requestLimit struct {
	time   time.Duration
	tokens int
}

func (l *requestLimit) Type() string { return "LIMIT" }

func (l *requestLimit) String() string {
	switch {
	case l.tokens > 0:
		return fmt.Sprintf("%dtok", l.tokens)
	case l.time > 0:
		return l.time.String()
	}
	return ""
}

// Set reads a time or a number of tokens.
func (l *requestLimit) Set(s string) error {
	if n, ok := strings.CutSuffix(s, "tok"); ok {
		tokens, err := strconv.Atoi(n)
		if err != nil || tokens < 1 {
			return fmt.Errorf("%q: want at least one token, such as 500tok", s)
		}
		*l = requestLimit{tokens: tokens}
		return nil
	}
	d, err := time.ParseDuration(s)
	if err != nil || d <= 0 {
		return fmt.Errorf("%q: want a time such as 90s, or tokens such as 500tok", s)
	}
	*l = requestLimit{time: d}
	return nil
}

// someFailed is the error of a command that has done its work, but not all of it well.
type someFailed struct{ error }

// leastBatch is the least size of a batch: a line may ask for so many answers at once, and
// whether it gets them must not depend on flags that are about speed.
const leastBatch = 16

// check refuses what makes no sense, before anything is opened.
func (f *batchFlags) check(cmd *cobra.Command) error {
	switch {
	case f.output == "" && !f.dry && !f.alone:
		return errors.New("batch: no output: name a file with -o FILE")
	case f.output == "-" || f.errors == "-":
		return errors.New("batch: standard output cannot be the output: name a file")
	}
	if err := f.checkNumbers(cmd); err != nil {
		return fmt.Errorf("batch: %w", err)
	}
	return nil
}

func (f *batchFlags) checkNumbers(cmd *cobra.Command) error {
	for _, x := range []struct {
		name         string
		value, least int
	}{
		{"parallel", f.parallel, 0}, {"limit", f.limit, 0}, {"cache-ram", f.cacheRAM, -1}, {"ctx-size", f.context, 0},
	} {
		if x.value < x.least {
			return fmt.Errorf("--%s %d: want at least %d", x.name, x.value, x.least)
		}
	}
	switch {
	case cmd.Flags().Changed("created") && f.created < 0:
		return fmt.Errorf("--created %d: want at least 0", f.created)
	case f.cacheRAM > mostMiB:
		return fmt.Errorf("--cache-ram %d: want at most %d", f.cacheRAM, mostMiB)
	case f.model.Batch < leastBatch:
		return fmt.Errorf("--batch-size %d: want at least %d", f.model.Batch, leastBatch)
	}
	return nil
}

// options returns what package batch is to do.
func (f *batchFlags) options(cmd *cobra.Command, input string, names []string) (opt batch.Options, err error) {
	opt = batch.Options{
		Input: input, Stdin: cmd.InOrStdin(), Output: f.output, Errors: f.errors,
		Models: names, Created: f.created, Strict: f.strict, Limit: f.limit, AsDone: f.order == "done",
		NoSync: f.noSync, Dry: f.dry, Alone: f.command(),
		Note: func(format string, args ...any) { console.Note(cmd.ErrOrStderr(), "batch: "+format, args...) },
	}
	if f.any {
		opt.Models = nil
	}
	if f.shard != "" {
		if opt.Shard, err = batch.ParseShard(f.shard); err != nil {
			return opt, fmt.Errorf("--shard: %w", err)
		}
	}
	return opt, nil
}

func (f *batchFlags) run(cmd *cobra.Command, args []string) (err error) {
	if err := f.check(cmd); err != nil {
		return err
	}
	if f.alone {
		return f.serveAlone(cmd)
	}
	m, err := f.model.Open()
	if err != nil {
		return err
	}
	defer m.Close()
	names, err := f.names(m)
	if err != nil {
		return err
	}
	opt, err := f.options(cmd, args[0], names)
	if err != nil {
		return fmt.Errorf("batch: %w", err)
	}
	opt.Parallel = f.lines()
	show := newBatchStatus(cmd)
	defer show.end()
	opt.Progress = show.progress
	j, err := batch.Open(cmd.Context(), opt)
	if err != nil {
		return f.failed(cmd, err)
	}
	defer func() { err = errors.Join(err, j.Close()) }()
	f.tellFlaws(cmd, j)
	if f.dry {
		return f.plan(cmd, m, j)
	}
	return f.answer(cmd, m, j, show)
}

// orInterrupted is the error of a command that a signal has ended, or err.
func orInterrupted(cmd *cobra.Command, err error) error {
	if err != nil && cmd.Context().Err() != nil {
		return interrupt.Error{Err: cmd.Context().Err()}
	}
	return err
}

// failed puts what is known of flawed lines before an error.
func (f *batchFlags) failed(cmd *cobra.Command, err error) error {
	if flaws, ok := errors.AsType[*batch.FlawsError](err); ok {
		for _, x := range flaws.First[1:] {
			console.Note(cmd.ErrOrStderr(), "batch: %s", x.Message)
		}
	}
	return fmt.Errorf("batch: %w", err)
}

// tellFlaws tells of lines that will not be answered.
func (f *batchFlags) tellFlaws(cmd *cobra.Command, j *batch.Job) {
	codes, first := j.Flaws()
	var list []string
	for code, n := range codes {
		list = append(list, fmt.Sprintf("%d %s", n, code))
	}
	if len(list) == 0 {
		return
	}
	slices.Sort(list)
	console.Note(cmd.ErrOrStderr(), "batch: lines that cannot be answered: %s; the first: %s",
		strings.Join(list, ", "), first[0].Message)
}

// answer answers what is left.
func (f *batchFlags) answer(cmd *cobra.Command, m *mpt.Model, j *batch.Job, show *batchStatus) error {
	id, err := f.identity(cmd.Context(), m)
	if err != nil {
		return fmt.Errorf("batch: %w", err)
	}
	w, e, err := f.worker(cmd, m)
	if err != nil {
		return err
	}
	defer e.Close()
	f.greet(cmd, e)
	show.begin(e)
	c, err := j.Run(cmd.Context(), id, w)
	show.end()
	if err != nil && cmd.Context().Err() != nil {
		console.Note(cmd.ErrOrStderr(), "batch: %d of %s are done and kept: the same command goes on with them",
			c.Done, console.Plural(c.Total, "line", "lines"))
	}
	if err != nil {
		return fmt.Errorf("batch: %w", err)
	}
	return batchResult(cmd, c, f.reasons())
}

// batchResult says what became of all lines; errs tells why some were not answered. Without
// it that is for others to tell.
func batchResult(cmd *cobra.Command, c batch.Counts, errs string) error {
	kept := ""
	if c.Kept > 0 {
		kept = fmt.Sprintf(", %d of an earlier start", c.Kept)
	}
	line := fmt.Sprintf("batch: %s: %d answered, %d not%s", console.Plural(c.Total, "line", "lines"), c.Done-c.Failed,
		c.Failed, kept)
	if c.Failed > 0 && errs != "" {
		return someFailed{fmt.Errorf("%s: the reasons are in %s", line, errs)}
	}
	console.Note(cmd.ErrOrStderr(), "%s", line)
	return nil
}

// reasons names the file that tells why lines were not answered. Of a shard it is the merge
// that writes it: whoever runs shards has nothing to repeat.
func (f *batchFlags) reasons() string {
	if f.shard != "" {
		return ""
	}
	return cmp.Or(f.errors, batch.ErrorsOf(f.output))
}

func newBatchMerge() *cobra.Command {
	var errs string
	var noSync bool
	cmd := &cobra.Command{
		Use:   "merge OUT.jsonl",
		Short: "Put together what shards have answered",
		Long: `Put together what the processes of mpt batch --shard I/N have answered. OUT.jsonl is the output
that they were given; beside it are their parts, OUT.jsonl.part-I-of-N. The result is what one
process would have written. The parts stay.`,
		Args: cmdline.WantArgs(1),
		RunE: interrupt.Handled(func(cmd *cobra.Command, args []string) error {
			c, err := batch.Merge(cmd.Context(), args[0], errs, noSync)
			if err != nil {
				return orInterrupted(cmd, fmt.Errorf("batch: merge: %w", err))
			}
			return batchResult(cmd, c, cmp.Or(errs, batch.ErrorsOf(args[0])))
		}),
	}
	cmd.Flags().Var((*cmdline.FileName)(&errs), "errors",
		"write what was not answered to `FILE` (default: OUT.errors.jsonl)")
	cmd.Flags().BoolVar(&noSync, "no-sync", false, "do not wait for the disk")
	return cmd
}

// command returns what starts this command again, to answer requests one by one; nil where no
// processes can be started.
func (f *batchFlags) command() func() *exec.Cmd {
	self, err := os.Executable()
	if err != nil {
		return nil
	}
	return func() *exec.Cmd {
		c := exec.Command(self, append(slices.Clone(os.Args[1:]), "--alone")...)
		c.Args[0] = os.Args[0]
		return c
	}
}
