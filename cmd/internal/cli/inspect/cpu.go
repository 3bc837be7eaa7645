package inspect

import (
	"bufio"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"mptgo/cmd/internal/cli/cmdline"
	"mptgo/cmd/internal/cli/console"
	"mptgo/cmd/internal/cli/flags"
	"mptgo/ggml"
)

// cpuReport is what mpt inspect --cpu prints.
type cpuReport struct {
	ggml.CPU
	Used string `json:"used"` // kernels
	Why  string `json:"why"`
}

// inspectCPU prints what matters of the CPU, and which kernels are used on it.
func inspectCPU(cmd *cobra.Command, isa *flags.ISA, out cmdline.Format) error {
	used, err := isa.Choose()
	if err != nil {
		return err
	}
	report := cpuReport{CPU: ggml.ThisCPU(), Used: used}
	report.Why = whyUsed(report.CPU, isa)
	if out.JSON() {
		return console.PrintJSON(cmd, report)
	}
	return report.print(cmd.OutOrStdout())
}

// whyUsed says why the kernels that are used are.
func whyUsed(c ggml.CPU, isa *flags.ISA) string {
	switch _, where := isa.Asked(); {
	case where == flags.ISAVariable:
		return "the environment variable " + where + " asks for them"
	case where != "":
		return where + " asks for them"
	case c.PureGo:
		return "this program was built without assembly (tag purego)"
	case len(c.Tiers) == 1:
		return "there is no assembly for " + c.Architecture
	}
	best := c.Tiers[0]
	for _, k := range c.Tiers {
		if k.Usable {
			best = k
		}
	}
	if best.Name == c.Tiers[len(c.Tiers)-1].Name {
		return "the fastest that there are"
	}
	return "the fastest that this CPU can run"
}

// print prints the report for people.
func (r *cpuReport) print(w io.Writer) error {
	out := bufio.NewWriter(w)
	name := r.Name
	if name == "" {
		name = "unknown CPU"
	}
	fmt.Fprintf(out, "%s (%s), ", name, r.Architecture)
	if r.Cores > 0 {
		fmt.Fprintf(out, "%s, ", console.Plural(r.Cores, "core", "cores"))
	}
	fmt.Fprintf(out, "%s for this process\n", console.Plural(r.Threads, "thread", "threads"))
	t := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	r.printCaches(t)
	fmt.Fprintf(t, "\nfeatures\n")
	for _, f := range r.Features {
		fmt.Fprintf(t, "  %s\t%s\n", f.Name, featureState(f))
	}
	t.Flush()
	fmt.Fprintf(t, "\nkernels\n")
	for _, k := range r.Tiers {
		fmt.Fprintf(t, "  %s\t%s\t%s\n", k.Name, yesNo(k.Usable), kernelsNote(k))
	}
	t.Flush()
	fmt.Fprintf(out, "\nused: %s: %s\n", r.Used, r.Why)
	return out.Flush()
}

// printCaches prints the caches whose sizes are known.
func (r *cpuReport) printCaches(w io.Writer) {
	var known []string
	for _, c := range []struct {
		name string
		size int
	}{{"L1 data", r.L1}, {"L2", r.L2}, {"L3", r.L3}} {
		if c.size > 0 {
			known = append(known, c.name+" "+console.ByteSize(int64(c.size)))
		}
	}
	if len(known) > 0 {
		fmt.Fprintf(w, "caches: %s\n", strings.Join(known, ", "))
	}
}

func featureState(f ggml.Feature) string {
	if f.Unsaved {
		return "no: the CPU has it, the operating system does not save its registers"
	}
	return yesNo(f.Usable)
}

// kernelsNote says what kernels need, or what keeps them from running.
func kernelsNote(k ggml.Tier) string {
	switch {
	case !k.Usable:
		return k.WhyNot()
	case len(k.Needs) == 0:
		return "needs nothing"
	}
	var needs []string
	for _, f := range k.Needs {
		needs = append(needs, f.Name)
	}
	return "needs " + strings.Join(needs, ", ")
}

func yesNo(yes bool) string {
	if yes {
		return "yes"
	}
	return "no"
}
