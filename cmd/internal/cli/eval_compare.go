package cli

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"mptgo/cmd/internal/cli/console"
	"mptgo/cmd/internal/cli/fileio"
	"mptgo/mpt/eval"
)

// compareFiles compares two results.
func (f *evalFlags) compareFiles(cmd *cobra.Command, a, b string) error {
	x, err := readEval(cmd, a, eval.ReadReport)
	if err != nil {
		return fmt.Errorf("eval: %w", err)
	}
	y, err := readEval(cmd, b, eval.ReadReport)
	if err != nil {
		return fmt.Errorf("eval: %w", err)
	}
	return f.printComparison(cmd, x, y)
}

// readEval reads a file, which may be a pipe, as long as the command is not to end.
func readEval[T any](cmd *cobra.Command, name string, read func(string) (T, error)) (T, error) {
	return fileio.UnlessDone(cmd.Context(), func() (T, error) { return read(name) })
}

func (f *evalFlags) printComparison(cmd *cobra.Command, a, b *eval.Report) error {
	c, err := eval.Compare(a, b)
	if err != nil {
		return err
	}
	if !c.Paired {
		console.Note(cmd.ErrOrStderr(), "eval: only totals are compared: %s", c.Why)
	}
	for _, name := range c.Only {
		console.Note(cmd.ErrOrStderr(), "eval: %s is in one of the results only", name)
	}
	switch f.form {
	case "json":
		return console.PrintJSON(cmd, c)
	case "csv":
		return fmt.Errorf("eval: a comparison is printed as table, md or json")
	}
	return writeComparison(console.VisibleWriter{W: cmd.OutOrStdout()}, c, f.form == "md")
}

// comparisonHead names the columns.
var comparisonHead = []string{"run", "n", "metric", "A", "B", "B - A", "lost", "gained", "p", "loglik B - A",
	"mean |diff|", "max |diff|"}

// comparisonRow is a line of the table.
func comparisonRow(d eval.RunDifference) []string {
	count := func(v *int) string {
		if v == nil {
			return ""
		}
		return fmt.Sprint(*v)
	}
	between := func(v, err *float64) string {
		switch {
		case v == nil:
			return ""
		case err == nil:
			return fmt.Sprintf("%+.4f", *v)
		}
		return fmt.Sprintf("%+.4f ± %.4f", *v, *err)
	}
	return []string{d.Name, fmt.Sprint(d.N), d.Metric, fixed(&d.A), fixed(&d.B), between(&d.Delta, d.StdErr),
		count(d.Lost), count(d.Gained),
		fixed(d.P), between(d.Shift, d.ShiftErr), fixed(d.MeanDiff), fixed(d.MaxDiff)}
}

func writeComparison(out io.Writer, c *eval.Comparison, md bool) error {
	name := func(m eval.ModelInfo) string { return fmt.Sprintf("%s (%s)", m.Path, m.Type) }
	if _, err := fmt.Fprintf(out, "A: %s\nB: %s\n\n", name(c.A), name(c.B)); err != nil {
		return err
	}
	if md {
		fmt.Fprintf(out, "| %s |\n|%s\n", strings.Join(comparisonHead, " | "),
			strings.Repeat("---|", len(comparisonHead)))
		for _, d := range c.Runs {
			if _, err := fmt.Fprintf(out, "| %s |\n", strings.Join(comparisonRow(d), " | ")); err != nil {
				return err
			}
		}
		return nil
	}
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, strings.Join(comparisonHead, "\t"))
	for _, d := range c.Runs {
		fmt.Fprintln(w, strings.Join(comparisonRow(d), "\t"))
	}
	return w.Flush()
}

// printPublished tells what was published for a model beside the results, on standard
// error where the output is for programs.
func (f *evalFlags) printPublished(cmd *cobra.Command, res *eval.Results) error {
	list, err := res.Published(f.compare)
	if err != nil {
		return err
	}
	if len(list) == 0 {
		console.Note(cmd.ErrOrStderr(),
			"eval: nothing was published for %s under the names, shots and rules of these runs", f.compare)
	}
	out := cmd.OutOrStdout()
	if f.form != "table" {
		out = cmd.ErrOrStderr()
	}
	for _, a := range list {
		if _, err := fmt.Fprintln(out, a); err != nil {
			return err
		}
	}
	return nil
}
