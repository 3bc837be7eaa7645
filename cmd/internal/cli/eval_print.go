package cli

import (
	"encoding/csv"
	"fmt"
	"io"
	"strconv"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"mptgo/cmd/internal/cli/console"
	"mptgo/mpt"
	"mptgo/mpt/eval"
)

// print prints the results in the form that is wanted.
func (f *evalFlags) print(cmd *cobra.Command, res *eval.Results, rep *eval.Report) error {
	switch f.form {
	case "json":
		return console.PrintJSON(cmd, rep)
	case "csv":
		return printRows(cmd.OutOrStdout(), res)
	case "md":
		_, err := io.WriteString(console.VisibleWriter{W: cmd.OutOrStdout()}, markdown(res, f.model.Name()))
		return err
	}
	return printTable(console.VisibleWriter{W: cmd.OutOrStdout()}, res)
}

// fixed returns a figure with four digits, or "" if there is none.
func fixed(v *float64) string {
	if v == nil {
		return ""
	}
	return strconv.FormatFloat(*v, 'f', 4, 64)
}

// withError returns a figure and its standard error.
func withError(m eval.Metric) string {
	if m.StdErr == nil {
		return fixed(&m.Value)
	}
	return fixed(&m.Value) + " ± " + fixed(m.StdErr)
}

// random returns the accuracy of guessing, where it has a meaning.
func random(o *eval.Outcome, m eval.Metric) string {
	if strings.HasPrefix(m.Name, "acc") {
		return fixed(o.Random)
	}
	return ""
}

func printTable(out io.Writer, res *eval.Results) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "run\tn\tmetric\tvalue\trandom")
	for _, o := range res.Runs {
		for _, m := range o.Metrics {
			if m.Extra {
				continue
			}
			n := strconv.Itoa(len(o.Samples))
			if o.Partial {
				n += fmt.Sprintf(" of %d", o.Rows)
			}
			fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", o.Name, n, m.Key(), withError(m), random(o, m))
		}
	}
	for _, t := range res.Groups {
		fmt.Fprintf(w, "%s\t%d\t%s\t%s\t\n", t.Name, t.Rows, t.Metric.Key(), withError(t.Metric))
	}
	for _, s := range res.Gauntlet {
		fmt.Fprintf(w, "%s\t\tgauntlet\t%s\t\n", s.Name, fixed(&s.Value))
	}
	return w.Flush()
}

// printRows prints a line for every figure.
func printRows(out io.Writer, res *eval.Results) error {
	w := csv.NewWriter(out)
	w.Write([]string{"run", "rules", "n", "metric", "value", "stderr"})
	exact := func(v float64) string { return strconv.FormatFloat(v, 'g', -1, 64) }
	for _, o := range res.Runs {
		for _, m := range o.Metrics {
			stderr := ""
			if m.StdErr != nil {
				stderr = exact(*m.StdErr)
			}
			w.Write([]string{o.Name, o.Rules, strconv.Itoa(len(o.Samples)), m.Key(), exact(m.Value), stderr})
		}
	}
	for _, s := range res.Gauntlet {
		w.Write([]string{s.Name, "gauntlet", "", "score", exact(s.Value), ""})
	}
	w.Flush()
	return w.Error()
}

// markdown returns the tables that the two harnesses print.
func markdown(res *eval.Results, model string) string {
	var foundry, lm, scores strings.Builder
	for _, o := range res.Runs {
		for _, m := range o.Metrics {
			switch {
			case m.Extra:
			case o.Rules == "foundry":
				_, category, _ := strings.Cut(strings.TrimPrefix(o.Name, o.Task+"/"), "/")
				fmt.Fprintf(&foundry, "|  | %s | %s | %s | %d | %s |\n", o.Task, category, fixed(&m.Value), o.Shots, model)
			default:
				filter, sign, stderr := m.Filter, "", "N/A"
				if filter == "" {
					filter = "none"
				}
				if m.StdErr != nil {
					sign, stderr = "±", fixed(m.StdErr)
				}
				fmt.Fprintf(&lm, "|%s|%s|%s|%d|%s|%s|%s|%s|%s|\n", o.Task, "Yaml", filter, o.Shots, m.Name,
					arrow(m.Name), fixed(&m.Value), sign, stderr)
			}
		}
	}
	for _, s := range res.Gauntlet {
		fmt.Fprintf(&scores, "| %s | %s |\n", s.Name, fixed(&s.Value))
	}
	var b strings.Builder
	for _, t := range []struct{ head, rows string }{
		{"| Category | Benchmark | Subtask | Accuracy | Number few shot | Model |\n|:--|:--|:--|--:|:--|:--|\n", foundry.String()},
		{"|Tasks|Version|Filter|n-shot|Metric||Value||Stderr|\n|---|---|---|--:|---|---|--:|---|--:|\n", lm.String()},
		{"| Gauntlet | Score |\n|:--|--:|\n", scores.String()},
	} {
		if t.rows == "" {
			continue
		}
		if b.Len() > 0 {
			b.WriteByte('\n')
		}
		b.WriteString(t.head + t.rows)
	}
	return b.String()
}

// arrow tells which way a metric is better, as lm-evaluation-harness does.
func arrow(metric string) string {
	if strings.Contains(metric, "perplexity") || strings.Contains(metric, "bits") {
		return "↓"
	}
	return "↑"
}

// printTasks lists tasks.
func (f *evalFlags) printTasks(cmd *cobra.Command, tasks []*eval.Task) error {
	w := tabwriter.NewWriter(console.VisibleWriter{W: cmd.OutOrStdout()}, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "task\trules\ttype\trows\tshots\tfile")
	for _, t := range tasks {
		fmt.Fprintf(w, "%s\t%s\t%s\t%d\t%v\t%s\n", t.Label, t.Rules, t.Type(), t.Rows(), t.Shots, t.Path)
	}
	return w.Flush()
}

// printPlan tells what would be evaluated.
func (f *evalFlags) printPlan(cmd *cobra.Command, m *mpt.Model, tasks []*eval.Task) error {
	res, err := eval.Plan(m, tasks, f.opt)
	if err != nil {
		return err
	}
	w := tabwriter.NewWriter(console.VisibleWriter{W: cmd.OutOrStdout()}, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "run\trows\ttokens\twithout sharing\tlongest")
	var rows, tokens, all int
	for _, o := range res.Runs {
		fmt.Fprintf(w, "%s\t%d\t%d\t%d\t%d\n", o.Name, o.Rows, o.Tokens, o.Tokens+o.Reused, o.Longest)
		rows, tokens, all = rows+o.Rows, tokens+o.Tokens, all+o.Tokens+o.Reused
	}
	fmt.Fprintf(w, "all\t%d\t%d\t%d\t\n", rows, tokens, all)
	return w.Flush()
}
