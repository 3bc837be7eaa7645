package cli

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"mptgo/cmd/internal/batch"
	"mptgo/cmd/internal/batch/queue"
	"mptgo/cmd/internal/cli/cmdline"
	"mptgo/cmd/internal/cli/console"
	"mptgo/cmd/internal/cli/interrupt"
)

// queueFlags are the flags of commands that talk to NATS.
type queueFlags struct {
	url             string
	creds, ca       cmdline.FileName
	cert, key       cmdline.FileName
	replicas, ahead int
	ackWait, check  time.Duration
}

// defaultNATS is where a server listens if nobody has said otherwise.
const defaultNATS = "nats://127.0.0.1:4222"

func (f *queueFlags) add(cmd *cobra.Command) {
	fs := cmd.Flags()
	fs.StringVar(&f.url, "nats", "",
		"the NATS server's `URL`; several with commas between (default: $NATS_URL, or "+defaultNATS+")")
	fs.Var(&f.creds, "creds", "credentials of NATS, a `FILE`")
	fs.Var(&f.ca, "tls-ca", "trust certificates that are signed by one of `FILE`")
	fs.Var(&f.cert, "tls-cert", "show the server the certificate of `FILE`")
	fs.Var(&f.key, "tls-key", "its key, a `FILE`")
}

// addStreams adds the flags of commands that fill the queue.
func (f *queueFlags) addStreams(cmd *cobra.Command) {
	fs := cmd.Flags()
	fs.IntVar(&f.ahead, "ahead", 20000, "have at most `N` requests wait on the server; 0: no limit")
	fs.IntVar(&f.replicas, "replicas", 1, "keep `N` copies of everything, on as many servers of a cluster: 1, 3 or 5")
}

// connect connects to the server.
func (f *queueFlags) connect(cmd *cobra.Command) (*queue.Queue, error) {
	switch {
	case f.ahead < 0:
		return nil, fmt.Errorf("--ahead %d: want at least 0", f.ahead)
	case f.ackWait < 0 || f.ackWait > 0 && f.ackWait < time.Second || f.check < 0:
		return nil, errors.New("--ack-wait and --check: want a second at least")
	case f.replicas < 0 || f.replicas > 5 || f.replicas > 0 && f.replicas%2 == 0:
		return nil, fmt.Errorf("--replicas %d: want 1, 3 or 5", f.replicas)
	}
	return queue.Connect(queue.Options{
		URL: cmp.Or(f.url, os.Getenv("NATS_URL"), defaultNATS), Name: "mpt " + cmd.Name(), Replicas: f.replicas,
		Creds: string(f.creds), CA: string(f.ca), Cert: string(f.cert), Key: string(f.key),
		AckWait: f.ackWait, Check: f.check,
		Note: func(format string, args ...any) { console.Note(cmd.ErrOrStderr(), "batch: "+format, args...) },
	})
}

const submitLong = `Submit a file of requests to a NATS server with JetStream, for workers on any number of machines:

  mpt-batchd --store queue --listen 0.0.0.0:4222                 on one machine: the server
  mpt batch submit questions.jsonl --nats nats://HOST:4222 -m 7b-chat.gguf
  mpt batch work --nats nats://HOST:4222 -m 7b-chat.gguf         on every machine
  mpt batch collect NAME -o answers.jsonl --nats nats://HOST:4222

The name of the batch is printed alone on standard output. The answers are those that mpt batch
gives on one machine, byte by byte. The model is not sent: each worker has the file, and gets
requests only if its model and all flags that answers depend on are the same as here.

After a crash, a kill or Ctrl-C the same command goes on where it was.`

func newBatchSubmit() *cobra.Command {
	var f batchFlags
	var q queueFlags
	var name string
	cmd := &cobra.Command{
		Use:   "submit IN.jsonl [--nats URL] [-m FILE]",
		Short: "Submit requests for workers on many machines",
		Long:  submitLong,
		Args:  cmdline.WantArgs(1),
		RunE: interrupt.Handled(func(cmd *cobra.Command, args []string) error {
			return orInterrupted(cmd, f.submit(cmd, &q, name, args[0]))
		}),
	}
	q.add(cmd)
	cmd.Flags().StringVar(&name, "name", "",
		"call the batch `NAME` (default: a name that follows from the input and the flags)")
	q.addStreams(cmd)
	f.addAnswers(cmd)
	f.addLines(cmd.Flags())
	return cmd
}

// submit publishes the lines of an input.
func (f *batchFlags) submit(cmd *cobra.Command, qf *queueFlags, name, input string) error {
	if err := f.checkNumbers(cmd); err != nil {
		return fmt.Errorf("batch: %w", err)
	}
	if name != "" {
		if err := queue.CheckName(name); err != nil {
			return fmt.Errorf("batch: --name: %w", err)
		}
	}
	m, err := f.model.Open()
	if err != nil {
		return err
	}
	defer m.Close()
	f.dry = true // nothing is written here
	opt, err := f.options(cmd, input, modelNames(f.alias, f.model.Path, m))
	if err != nil {
		return fmt.Errorf("batch: %w", err)
	}
	j, err := batch.Open(cmd.Context(), opt)
	if err != nil {
		return f.failed(cmd, err)
	}
	defer j.Close()
	f.tellFlaws(cmd, j)
	id, err := f.identity(cmd.Context(), m)
	if err != nil {
		return fmt.Errorf("batch: %w", err)
	}
	q, err := qf.connect(cmd)
	if err != nil {
		return fmt.Errorf("batch: %w", err)
	}
	defer q.Close()
	show := console.NewStatus(cmd.ErrOrStderr())
	name, r, err := q.Submit(cmd.Context(), j, queue.SubmitOptions{
		Name: name, Models: opt.Models, Identity: id, Ahead: qf.ahead,
		Progress: func(n, all int) { show.Show("batch: %d of %s submitted", n, console.Plural(all, "line", "lines")) },
	})
	show.Clear()
	if err != nil {
		return fmt.Errorf("batch: %w", err)
	}
	console.Note(cmd.ErrOrStderr(), "batch: %s submitted; --created %d gives the same answers without a server",
		console.Plural(r.Requests, "line", "lines"), r.Header.Created)
	_, err = fmt.Fprintln(cmd.OutOrStdout(), name)
	return err
}

const collectLong = `Wait for the answers of a batch, and write what mpt batch would have written on one machine.
Lines that the server has lost are submitted again; results are looked at, line by line.

What is collected is kept in OUT.jsonl.journal: the same command goes on where it was. With
--verify 1% a second worker computes one line of a hundred again. If two machines disagree, here
or where both have answered a line by chance, nothing is written, and the lines and machines are
named; --distrust WORKER then has all that this one has answered computed by others. The exit
status is that of mpt batch.`

func newBatchCollect() *cobra.Command {
	var f batchFlags
	var q queueFlags
	var c collectFlags
	cmd := &cobra.Command{
		Use:   "collect NAME -o OUT.jsonl [--nats URL]",
		Short: "Write the answers of a batch that was submitted",
		Long:  collectLong,
		Args:  cmdline.WantArgs(1),
		RunE: interrupt.Handled(func(cmd *cobra.Command, args []string) error {
			return orInterrupted(cmd, f.collect(cmd, &q, &c, args[0]))
		}),
	}
	fs := cmd.Flags()
	fs.VarP((*cmdline.FileName)(&f.output), "output", "o", "write the answers to `FILE`")
	fs.Var((*cmdline.FileName)(&f.errors), "errors",
		"write what was not answered to `FILE` (default: OUT.errors.jsonl)")
	q.add(cmd)
	fs.Var(&c.input, "input", "the input, a `FILE` (default: that on the server)")
	fs.Var(&c.verify, "verify", "have a second worker compute a `SHARE` of the lines and compare, such as 1%")
	fs.StringArrayVar(&c.distrust, "distrust", nil, "have others compute what `WORKER` has answered; may be repeated")
	fs.DurationVar(&q.check, "check", 10*time.Second, "look for what is lost after this `TIME` without a new answer")
	fs.BoolVar(&f.noSync, "no-sync", false,
		"do not wait for the disk: a crash of the system, not of the command, may lose what is done")
	q.addStreams(cmd)
	return cmd
}

type collectFlags struct {
	input    cmdline.FileName
	verify   share
	distrust []string
}

// share is the value of --verify, from 0 to 1.
type share float64

func (s *share) Type() string   { return "SHARE" }
func (s *share) String() string { return "" }

func (s *share) Set(text string) error {
	number, percent := strings.CutSuffix(text, "%")
	v, err := strconv.ParseFloat(number, 64)
	if percent {
		v /= 100
	}
	if err != nil || !(v >= 0 && v <= 1) {
		return fmt.Errorf("%q: want a share such as 1%% or 0.01", text)
	}
	*s = share(v)
	return nil
}

// collect writes the outputs of a batch.
func (f *batchFlags) collect(cmd *cobra.Command, qf *queueFlags, c *collectFlags, name string) (err error) {
	switch {
	case f.output == "":
		return errors.New("batch: no output: name a file with -o FILE")
	case f.output == "-" || f.errors == "-":
		return errors.New("batch: standard output cannot be the output: name a file")
	}
	q, err := qf.connect(cmd)
	if err != nil {
		return fmt.Errorf("batch: %w", err)
	}
	defer q.Close()
	r, err := q.Load(cmd.Context(), name)
	if err != nil {
		return fmt.Errorf("batch: %w", err)
	}
	show := console.NewStatus(cmd.ErrOrStderr())
	defer show.Clear()
	limit, _ := strconv.Atoi(r.Header.Options["--limit"])
	opt := batch.Options{
		Input: string(c.input), Output: f.output, Errors: f.errors, Models: r.Models, Created: r.Header.Created, Limit: limit,
		Parallel: 1, NoSync: f.noSync, Anew: len(c.distrust) > 0,
		Note:     func(format string, args ...any) { console.Note(cmd.ErrOrStderr(), "batch: "+format, args...) },
		Progress: func(c batch.Counts) { show.Show("batch: %d of %s", c.Done, console.Plural(c.Total, "line", "lines")) },
	}
	if opt.Input == "" {
		in, err := q.Input(cmd.Context(), &r)
		if err != nil {
			return fmt.Errorf("batch: %w", err)
		}
		defer in.Close()
		opt.Input, opt.Stdin = "-", in
	}
	j, err := batch.Open(cmd.Context(), opt)
	if err != nil {
		return fmt.Errorf("batch: %w", err)
	}
	defer func() { err = errors.Join(err, j.Close()) }()
	n, err := q.Collect(cmd.Context(), j, r,
		queue.CollectOptions{Name: name, Verify: float64(c.verify), Distrust: c.distrust, Ahead: qf.ahead})
	show.Clear()
	if err != nil {
		return fmt.Errorf("batch: %w", err)
	}
	return batchResult(cmd, n, f.reasons())
}

func newBatchCancel() *cobra.Command {
	var q queueFlags
	remove := false
	cmd := &cobra.Command{
		Use:   "cancel NAME [--nats URL]",
		Short: "Drop what waits of a batch",
		Long: `Drop what waits of a batch that was submitted. What is answered stays on the server: mpt batch
collect writes it, and puts the other lines into the file of errors. With --remove nothing of the
batch stays, whether it is complete or not.`,
		Args: cmdline.WantArgs(1),
		RunE: interrupt.Handled(func(cmd *cobra.Command, args []string) error {
			c, err := q.connect(cmd)
			if err != nil {
				return fmt.Errorf("batch: %w", err)
			}
			defer c.Close()
			if err := c.Cancel(cmd.Context(), args[0], remove); err != nil {
				return orInterrupted(cmd, fmt.Errorf("batch: %w", err))
			}
			return nil
		}),
	}
	q.add(cmd)
	cmd.Flags().BoolVar(&remove, "remove", false, "remove the answers and the input, too")
	return cmd
}
