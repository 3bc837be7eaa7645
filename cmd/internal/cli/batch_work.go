package cli

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"time"

	"github.com/spf13/cobra"

	"mptgo/cmd/internal/batch"
	"mptgo/cmd/internal/batch/queue"
	"mptgo/cmd/internal/cli/cmdline"
	"mptgo/cmd/internal/cli/console"
	"mptgo/cmd/internal/cli/interrupt"
	"mptgo/cmd/internal/cli/version"
	"mptgo/mpt/serve"
)

const workLong = `Answer requests that mpt batch submit has put on a NATS server, until the command is ended. Any
number of machines may do that, and come and go: what one was at when it was killed goes to
another after a minute, and every line has one answer.

The model and all flags that answers depend on have to be those of mpt batch submit: requests for
others go to other workers, and a batch that this one cannot answer is named with the reason.

Ctrl-C or SIGTERM ends it when what is under way is answered, or after --grace: what is not
answered by then goes to others at once. A second signal ends it on the spot.`

// workFlags are the flags of mpt batch work beside those of mpt batch.
type workFlags struct {
	name        string
	grace, idle time.Duration
	metrics     string
}

func newBatchWork() *cobra.Command {
	var f batchFlags
	var q queueFlags
	var w workFlags
	cmd := &cobra.Command{
		Use:   "work [--nats URL] [-m FILE]",
		Short: "Answer requests that were submitted, on this machine",
		Long:  workLong,
		Args:  cmdline.NoArgs,
		RunE:  interrupt.Handled(func(cmd *cobra.Command, _ []string) error { return f.work(cmd, &q, &w) }),
	}
	fs := cmd.Flags()
	q.add(cmd)
	f.addAnswers(cmd)
	f.addSpeed(fs)
	fs.StringVar(&w.name, "name", "",
		"call this worker `NAME` (default: the machine's name and the number of the process)")
	fs.DurationVar(&q.ackWait, "ack-wait", time.Minute,
		"a request that the server has not heard of for this `TIME` goes to another worker")
	fs.DurationVar(&w.grace, "grace", 30*time.Second,
		"give what is under way at most this `TIME` when the command is to end")
	fs.DurationVar(&w.idle, "idle", 0, "end after this `TIME` without a request; 0: never")
	fs.StringVar(&w.metrics, "metrics", "", "serve counts for Prometheus at `ADDRESS`, such as :9464")
	return cmd
}

func (w *workFlags) check() error {
	if w.grace < 0 || w.idle < 0 {
		return errors.New("--grace and --idle cannot be negative")
	}
	if w.name == "" {
		host, _ := os.Hostname()
		w.name = queue.WorkerName(host, os.Getpid())
	}
	if len(w.name) > 128 {
		return errors.New("--name: it is longer than 128 bytes")
	}
	for _, c := range []byte(w.name) {
		if c <= ' ' || c > '~' {
			return fmt.Errorf("--name %q: want ASCII without spaces", w.name)
		}
	}
	return nil
}

// work answers requests until the command is to end.
func (f *batchFlags) work(cmd *cobra.Command, qf *queueFlags, w *workFlags) error {
	if f.alone {
		return f.serveAlone(cmd)
	}
	if err := errors.Join(f.checkNumbers(cmd), w.check()); err != nil {
		return fmt.Errorf("batch: %w", err)
	}
	q, err := qf.connect(cmd)
	if err != nil {
		return fmt.Errorf("batch: %w", err)
	}
	defer q.Close()
	m, err := f.model.Open()
	if err != nil {
		return err
	}
	defer m.Close()
	id, err := f.identity(cmd.Context(), m)
	if err != nil {
		return fmt.Errorf("batch: %w", err)
	}
	local, e, err := f.worker(cmd, m)
	if err != nil {
		return err
	}
	defer e.Close()
	lines := batch.NewLines(local, id.Model, f.command())
	defer lines.Close()
	metrics, err := w.serveMetrics(cmd, e)
	if err != nil {
		return fmt.Errorf("batch: %w", err)
	}
	f.greet(cmd, e)
	for _, text := range q.Strangers(cmd.Context(), id) {
		console.Note(cmd.ErrOrStderr(), "batch: %s", text)
	}
	c, err := q.Work(cmd.Context(), queue.WorkOptions{
		Identity: id, Answerer: lines, Parallel: f.lines(), Name: w.name, Version: version.String(), Grace: w.grace, Idle: w.idle,
		Metrics: metrics,
	})
	if err != nil {
		return fmt.Errorf("batch: %w", err)
	}
	console.Note(cmd.ErrOrStderr(), "batch: %s has answered %s, %d of them for the file of errors",
		w.name, console.Plural(int(c.Answered), "line", "lines"), c.Failed)
	if c.Diverged > 0 {
		return fmt.Errorf("batch: %s were answered differently by another worker: one of the two computes wrong",
			console.Plural(int(c.Diverged), "line", "lines"))
	}
	return nil
}

// serveMetrics serves counts for Prometheus, if somebody wants them.
func (w *workFlags) serveMetrics(cmd *cobra.Command, e *serve.Engine) (*queue.Metrics, error) {
	m := queue.NewMetrics()
	m.Tokens("prompt", func() float64 { return float64(e.Stats().PromptTokens) })
	m.Tokens("reused", func() float64 { return float64(e.Stats().CacheHits) })
	m.Tokens("generated", func() float64 { return float64(e.Stats().DecodeTokens) })
	if w.metrics == "" {
		return m, nil
	}
	l, err := net.Listen("tcp", w.metrics)
	if err != nil {
		return nil, fmt.Errorf("--metrics: %w", err)
	}
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", m.Handler())
	s := &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second}
	go s.Serve(l) // until the process ends
	console.Note(cmd.ErrOrStderr(), "batch: counts for Prometheus at http://%s/metrics", l.Addr())
	return m, nil
}
