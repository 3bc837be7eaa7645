package cli

import (
	"fmt"
	"io"
	"slices"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"mptgo/bench"
	"mptgo/mpt"
)

const benchLong = `Measure how fast a model reads a prompt (pp512: 512 tokens evaluated together)
and writes an answer (tg64: 64 tokens one after the other), in tokens per second.

Examples:
  mpt bench -m 7b.gguf
  mpt bench -m 7b.gguf -p 128,512,2048 -n 0 -r 3 -o json`

func newBench() *cobra.Command {
	var (
		flags modelFlags
		opt   bench.Options
		out   formatFlag
	)
	cmd := &cobra.Command{
		Use:   "bench [-m FILE]",
		Short: "Measure the speed of a model",
		Long:  benchLong,
		Args:  cobra.NoArgs,
		RunE: interruptible(func(cmd *cobra.Command, _ []string) error {
			if opt.Repetitions < 1 {
				return fmt.Errorf("bench: --repetitions %d: must be at least 1", opt.Repetitions)
			}
			opt.Prompts = withoutZeros(opt.Prompts)
			opt.Generations = withoutZeros(opt.Generations)
			m, err := flags.open()
			if err != nil {
				return err
			}
			defer m.Close()
			p := newStatus(cmd.ErrOrStderr())
			opt.Progress = func(test string, repetition int) { p.show("%s: %s", test, round(repetition, opt.Repetitions)) }
			results, err := bench.Run(cmd.Context(), m, opt)
			p.clear()
			if err != nil {
				return err
			}
			if out.json() {
				return printJSON(cmd, results)
			}
			return printBench(cmd.OutOrStdout(), flags.name(), m, results)
		}),
	}
	fs := cmd.Flags()
	fs.IntSliceVarP(&opt.Prompts, "n-prompt", "p", []int{512}, "read prompts of `N` tokens; a list separated by commas, 0: none")
	fs.IntSliceVarP(&opt.Generations, "n-gen", "n", []int{64}, "write `N` tokens; a list separated by commas, 0: none")
	fs.IntVarP(&opt.Repetitions, "repetitions", "r", 5, "measure everything `N` times, after a first time that does not count")
	out.add(cmd, "md")
	flags.add(cmd)
	return cmd
}

// withoutZeros returns the elements of list that are not zero.
func withoutZeros(list []int) []int {
	return slices.DeleteFunc(slices.Clone(list), func(n int) bool { return n == 0 })
}

// round names a repetition; -1 is the one that does not count.
func round(repetition, of int) string {
	if repetition < 0 {
		return "warming up"
	}
	return fmt.Sprintf("%d of %d", repetition+1, of)
}

// printBench prints results as a table in markdown.
func printBench(w io.Writer, name string, m *mpt.Model, results []bench.Result) error {
	t := tabwriter.NewWriter(w, 0, 0, 1, ' ', 0)
	row := func(cells ...any) {
		for _, c := range cells {
			fmt.Fprintf(t, "| %v\t", c)
		}
		fmt.Fprint(t, "|\n")
	}
	row("model", "size", "kernels", "threads", "test", "tokens/s")
	row("---", "---", "---", "---", "---", "---")
	for _, r := range results {
		row(name, byteSize(m.File().Size()), m.Tier(), m.Threads(), r.Test, fmt.Sprintf("%.2f ± %.2f", r.TokensPerSecond, r.StdDev))
	}
	return t.Flush()
}
