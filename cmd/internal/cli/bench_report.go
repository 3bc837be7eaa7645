package cli

import (
	"cmp"
	"encoding/csv"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"text/tabwriter"
	"time"

	"mptgo/bench"
	"mptgo/cmd/internal/cli/console"
	"mptgo/ggml"
)

// benchReport is what mpt bench prints.
type benchReport struct {
	rows   []benchRow
	limits rooflines // empty if they were not asked for
}

// newBenchReport compares results with the limits of their threads, if those are
// known.
func newBenchReport(results []bench.Result, limits rooflines) *benchReport {
	b := &benchReport{limits: limits}
	for _, r := range results {
		row := benchRow{Result: r}
		if l, ok := limits[rooflineKey{r.Threads, r.Kernels}]; ok {
			row.benchLimits = &benchLimits{
				Loops: l.Loops, Bandwidth: l.Bandwidth, Peak: l.MACs,
				BandwidthShare: r.BytesPerSecond / l.Bandwidth, PeakShare: r.MACsPerSecond / l.MACs,
			}
		}
		b.rows = append(b.rows, row)
	}
	return b
}

// benchRow is a result, in JSON an object.
type benchRow struct {
	bench.Result
	*benchLimits
}

// benchLimits are the limits of the machine for the threads of a row, and what
// share of them it reached: 0 where the other limit is the one that counts.
type benchLimits struct {
	Loops          string  `json:"roofline"`
	Bandwidth      float64 `json:"read_bandwidth"` // bytes per second
	Peak           float64 `json:"int8_peak"`      // multiplications per second
	BandwidthShare float64 `json:"bandwidth_share,omitempty"`
	PeakShare      float64 `json:"int8_share,omitempty"`
}

// markdown prints tables for people.
func (b *benchReport) markdown(w io.Writer) error {
	if err := b.speeds(w); err != nil {
		return err
	}
	if err := b.loads(w); err != nil {
		return err
	}
	if len(b.limits) > 0 {
		fmt.Fprintln(w)
	}
	for _, r := range slices.SortedFunc(maps.Values(b.limits), func(x, y ggml.Roofline) int {
		return cmp.Or(cmp.Compare(x.Threads, y.Threads), cmp.Compare(x.Kernels, y.Kernels))
	}) {
		fmt.Fprintf(w, "This machine's limits with %s, for %s kernels measured with %s: %s GB/s read from memory, "+
			"%s G int8 multiplications/s.\n",
			console.Plural(r.Threads, "thread", "threads"), r.Kernels, r.Loops, giga(r.Bandwidth), giga(r.MACs))
		if r.Exceeded {
			fmt.Fprintf(w, "%s kernels multiply prompts and batches of 32 and more rows with tiles, which %s is no limit of: "+
				"there \"of int8\" says how they compare with kernels without tiles at best, and may be above 100 %%.\n", r.Kernels, r.Loops)
		}
	}
	for _, r := range b.rows {
		if err := printProfile(w, r.Result); err != nil {
			return err
		}
	}
	return nil
}

// speeds prints the table of all tests but loads.
func (b *benchReport) speeds(w io.Writer) error {
	several := slices.ContainsFunc(b.rows, func(r benchRow) bool { return r.Sequences > 1 })
	head := []string{"model", "size", "type", "kernels", "threads", "test", "tokens/s"}
	if several {
		head = append(head, "of each")
	}
	head = append(head, "spread")
	if len(b.limits) > 0 {
		head = append(head, "GB/s", "of memory", "GMAC/s", "of int8")
	}
	t := newTable(w, head...)
	for _, r := range b.rows {
		if r.Load != nil {
			continue
		}
		cells := append(modelCells(r.Result), r.Test, fmt.Sprintf("%.2f", r.Median))
		if several {
			cells = append(cells, fmt.Sprintf("%.2f", r.Median/float64(r.Sequences)))
		}
		cells = append(cells, fmt.Sprintf("%.2f to %.2f", r.Min, r.Max))
		if l := r.benchLimits; l != nil {
			cells = append(cells, giga(r.BytesPerSecond), percent(l.BandwidthShare), giga(r.MACsPerSecond), percent(l.PeakShare))
		}
		t.row(cells...)
	}
	return t.flush()
}

// loads prints the table of the loads, if there are any.
func (b *benchReport) loads(w io.Writer) error {
	t := newTable(w, "model", "size", "type", "kernels", "threads", "to the first token", "without computing")
	for _, r := range b.rows {
		if r.Load != nil {
			t.row(append(modelCells(r.Result), milliseconds(r.Load.Seconds), milliseconds(r.Load.Overhead))...)
		}
	}
	if t.rows == 0 {
		return nil
	}
	fmt.Fprintln(w)
	return t.flush()
}

// printProfile prints what the operations of a run took, if it was profiled.
func printProfile(w io.Writer, r bench.Result) error {
	if r.Profile == nil {
		return nil
	}
	fmt.Fprintf(w, "\n%s, %s, %s:\n\n", r.Model, console.Plural(r.Threads, "thread", "threads"), r.Test)
	t := newTable(w, "operation", "runs", "time", "share", "GB/s", "GMAC/s")
	for _, o := range r.Profile {
		t.row(o.Name, strconv.Itoa(o.Runs), milliseconds(o.Seconds), percent(o.Share), giga(o.BytesPerSecond), giga(o.MACsPerSecond))
	}
	return t.flush()
}

func modelCells(r bench.Result) []string {
	return []string{r.Model, console.ByteSize(r.Size), r.Type, r.Kernels, strconv.Itoa(r.Threads)}
}

// benchColumns are the columns in CSV. Limits and times of loads are empty where
// there are none.
var benchColumns = []struct {
	name string
	cell func(r benchRow) any
}{
	{"model", func(r benchRow) any { return r.Model }},
	{"size", func(r benchRow) any { return r.Size }},
	{"type", func(r benchRow) any { return r.Type }},
	{"kernels", func(r benchRow) any { return r.Kernels }},
	{"threads", func(r benchRow) any { return r.Threads }},
	{"test", func(r benchRow) any { return r.Test }},
	{"n_prompt", func(r benchRow) any { return r.Prompt }},
	{"n_gen", func(r benchRow) any { return r.Generate }},
	{"depth", func(r benchRow) any { return r.Depth }},
	{"sequences", func(r benchRow) any { return r.Sequences }},
	{"tokens_per_second", func(r benchRow) any { return r.TokensPerSecond }},
	{"stddev", func(r benchRow) any { return r.StdDev }},
	{"median", func(r benchRow) any { return r.Median }},
	{"min", func(r benchRow) any { return r.Min }},
	{"max", func(r benchRow) any { return r.Max }},
	{"bytes_per_second", func(r benchRow) any { return known(r.BytesPerSecond) }},
	{"macs_per_second", func(r benchRow) any { return known(r.MACsPerSecond) }},
	{"load_seconds", func(r benchRow) any { return r.load().Seconds }},
	{"load_overhead", func(r benchRow) any { return r.load().Overhead }},
	{"read_bandwidth", func(r benchRow) any { return known(r.limits().Bandwidth) }},
	{"int8_peak", func(r benchRow) any { return known(r.limits().Peak) }},
	{"bandwidth_share", func(r benchRow) any { return known(r.limits().BandwidthShare) }},
	{"int8_share", func(r benchRow) any { return known(r.limits().PeakShare) }},
}

// csv prints all rows with the names of the columns above them.
func (b *benchReport) csv(w io.Writer) error {
	out := csv.NewWriter(w)
	var cells []string
	for _, c := range benchColumns {
		cells = append(cells, c.name)
	}
	out.Write(cells)
	for _, r := range b.rows {
		for i, c := range benchColumns {
			cells[i] = fmt.Sprint(c.cell(r))
		}
		out.Write(cells)
	}
	out.Flush()
	return out.Error()
}

// load returns the times of a load, as they are printed in CSV.
func (r benchRow) load() (l struct{ Seconds, Overhead any }) {
	l.Seconds, l.Overhead = "", ""
	if r.Load != nil {
		l.Seconds, l.Overhead = r.Load.Seconds, r.Load.Overhead
	}
	return l
}

// limits returns the limits of a row, zeros if they are not known.
func (r benchRow) limits() benchLimits {
	if r.benchLimits == nil {
		return benchLimits{}
	}
	return *r.benchLimits
}

// known returns v or, if it is 0, an empty text.
func known(v float64) any {
	if v == 0 {
		return ""
	}
	return v
}

// giga returns v in units of 10^9, empty if it is 0.
func giga(v float64) string {
	if v == 0 {
		return ""
	}
	return fmt.Sprintf("%.2f", v/1e9)
}

// percent returns v, 1 being the whole, empty if it is 0.
func percent(v float64) string {
	if v == 0 {
		return ""
	}
	return fmt.Sprintf("%.1f %%", 100*v)
}

func milliseconds(seconds float64) string {
	return fmt.Sprintf("%.2f ms", seconds*float64(time.Second/time.Millisecond))
}

// table is a table in markdown.
type table struct {
	w    *tabwriter.Writer
	rows int
}

// newTable begins a table; nothing is printed before flush.
func newTable(w io.Writer, head ...string) *table {
	t := &table{w: tabwriter.NewWriter(w, 0, 0, 1, ' ', 0), rows: -2}
	rule := make([]string, len(head))
	for i := range rule {
		rule[i] = "---"
	}
	t.row(head...)
	t.row(rule...)
	return t
}

func (t *table) row(cells ...string) {
	for _, c := range cells {
		fmt.Fprintf(t.w, "| %s\t", c)
	}
	fmt.Fprint(t.w, "|\n")
	t.rows++
}

func (t *table) flush() error { return t.w.Flush() }
