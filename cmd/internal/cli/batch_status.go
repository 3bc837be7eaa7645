package cli

import (
	"fmt"
	"io"
	"math"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"mptgo/cmd/internal/batch/queue"
	"mptgo/cmd/internal/cli/console"
	"mptgo/cmd/internal/cli/interrupt"
)

func newQueueStatus() *cobra.Command {
	var q queueFlags
	cmd := &cobra.Command{
		Use:   "status [NAME] [--nats URL]",
		Short: "Tell how far a batch is that was submitted",
		Long: `Tell how far a batch is that was submitted: lines that are done, wait and failed, how fast it goes,
the workers that were seen within a minute, and whether two of them disagree. Without a name it
lists the batches on the server.`,
		Args: cobra.MaximumNArgs(1),
		RunE: interrupt.Handled(func(cmd *cobra.Command, args []string) error {
			return orInterrupted(cmd, q.status(cmd, args))
		}),
	}
	q.add(cmd)
	return cmd
}

func (f *queueFlags) status(cmd *cobra.Command, args []string) error {
	q, err := f.connect(cmd)
	if err != nil {
		return fmt.Errorf("batch: %w", err)
	}
	defer q.Close()
	if len(args) == 0 {
		return f.list(cmd, q)
	}
	s, err := q.Status(cmd.Context(), args[0])
	if err != nil {
		return fmt.Errorf("batch: %w", err)
	}
	var text strings.Builder
	writeStatus(&text, s)
	if _, err := io.WriteString(cmd.OutOrStdout(), text.String()); err != nil {
		return err
	}
	if n := len(s.Divergences); n > 0 {
		return fmt.Errorf("batch: divergence: two machines disagree about %s", console.Plural(n, "line", "lines"))
	}
	return nil
}

// list prints the batches on the server.
func (f *queueFlags) list(cmd *cobra.Command, q *queue.Queue) error {
	names, err := q.Batches(cmd.Context())
	if err != nil {
		return fmt.Errorf("batch: %w", err)
	}
	for _, name := range names {
		r, err := q.Load(cmd.Context(), name)
		if err != nil {
			return fmt.Errorf("batch: %w", err)
		}
		if _, err := fmt.Fprintf(cmd.OutOrStdout(), "%-24s %-10s %s\n", name, r.State, console.Plural(r.Header.Lines, "line", "lines")); err != nil {
			return err
		}
	}
	return nil
}

// writeStatus prints how far a batch is.
func writeStatus(w io.Writer, s *queue.Status) {
	row := func(name, format string, args ...any) {
		fmt.Fprintf(w, "%-12s %s\n", name, console.Visible(fmt.Sprintf(format, args...)))
	}
	row("batch", "%s", s.Name)
	row("state", "%s", s.State)
	row("lines", "%d, of them %d that cannot be answered", s.Header.Lines, s.Header.Lines-s.Requests)
	row("submitted", "%d of %d", s.Submitted, s.Requests)
	row("done", "%d, of them %d for the file of errors", s.Done, s.Failed)
	row("waiting", "%d", s.Waiting)
	row("under way", "%d, of all batches with this model and these options", s.InFlight)
	if left := s.Requests - s.Done; s.Rate > 0 && left > 0 {
		row("rate", "%.1f lines/s of late, about %s left", s.Rate, console.Duration(math.Ceil(float64(left)/s.Rate)))
	}
	row("model", "%.16s, numerics %d, fingerprint %s", s.Header.Model, s.Header.Numerics, s.Fingerprint)
	for _, x := range s.Workers {
		row("worker", "%s: %d of %d lines under way, %d answered, mpt %s",
			x.Name, x.Busy, x.Parallel, x.Answered, x.Version)
	}
	if len(s.Workers) == 0 {
		row("worker", "none was seen within a minute")
	}
	names := make([]string, 0, len(s.By))
	for name := range s.By {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		row("results of", "%s: %d", name, s.By[name])
	}
	for _, d := range s.Divergences {
		row("divergence", "%v", d)
	}
}
