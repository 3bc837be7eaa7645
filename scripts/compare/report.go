package main

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"
)

// report collects speeds and prints their medians and ratios.
type report struct {
	engines, models []string
	w               workload
	rounds          int
	began           time.Time
	load            string // of the machine, before
	speeds          map[string][]speed
}

func newReport(engines []engine, models []string, w workload, rounds int) *report {
	r := &report{models: models, w: w, rounds: rounds, began: time.Now(), load: load(), speeds: map[string][]speed{}}
	for _, e := range engines {
		r.engines = append(r.engines, e.name)
	}
	return r
}

func (r *report) add(engine, model string, s speed) {
	r.speeds[engine+model] = append(r.speeds[engine+model], s)
}

// row is the median of one test of one engine, with the extremes.
func (r *report) row(engine, model string, of func(speed) float64) (median, low, high float64) {
	var v []float64
	for _, s := range r.speeds[engine+model] {
		v = append(v, of(s))
	}
	slices.Sort(v)
	n := len(v)
	return (v[(n-1)/2] + v[n/2]) / 2, v[0], v[n-1]
}

func (r *report) print(w io.Writer) {
	fmt.Fprintf(w, "| model | test | engine | tokens/s, median | lowest to highest | mptgo is |\n|---|---|---|---|---|---|\n")
	tests := []struct {
		name string
		of   func(speed) float64
	}{
		{fmt.Sprintf("pp%d", r.w.prompt), func(s speed) float64 { return s.pp }},
		{r.w.generation(), func(s speed) float64 { return s.tg }},
	}
	for _, model := range r.models {
		for _, t := range tests {
			ours, _, _ := r.row(r.engines[0], model, t.of)
			for _, e := range r.engines {
				median, low, high := r.row(e, model, t.of)
				fmt.Fprintf(w, "| %s | %s | %s | %.2f | %.2f to %.2f | %.2fx |\n",
					filepath.Base(model), t.name, e, median, low, high, ours/median)
			}
		}
	}
}

// generation names the test of generation as mpt bench does.
func (w workload) generation() string {
	name := fmt.Sprintf("tg%d", w.generate)
	if w.deep {
		name += fmt.Sprintf(" @ %d", w.prompt)
	}
	return name
}

// write makes a report with what is needed to judge and repeat it.
func (r *report) write(dir string) error {
	name := fmt.Sprintf("%s-compare-t%d.md", r.began.Format("2006-01-02-1504"), r.w.threads)
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return err
	}
	f, err := os.Create(filepath.Join(dir, name))
	if err != nil {
		return err
	}
	defer f.Close()
	fmt.Fprintf(f, "# Comparison of %s\n\n", r.began.UTC().Format(time.RFC3339))
	fmt.Fprintf(f, "- CPU: %s, %d processors\n- commit: %s\n- load before, after: %s; %s\n",
		cpu(), runtime.NumCPU(), commit(), r.load, load())
	fmt.Fprintf(f, "- %d rounds, engines in turn, %d threads: `%s`\n\n",
		r.rounds, r.w.threads, strings.Join(append([]string{"go run ./scripts/compare"}, os.Args[1:]...), " "))
	r.print(f)
	return f.Close()
}

func load() string {
	b, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return "unknown"
	}
	return strings.Join(strings.Fields(string(b))[:3], " ")
}

func cpu() string {
	f, err := os.Open("/proc/cpuinfo")
	if err != nil {
		return runtime.GOARCH
	}
	defer f.Close()
	for s := bufio.NewScanner(f); s.Scan(); {
		if name, ok := strings.CutPrefix(s.Text(), "model name"); ok {
			return strings.TrimLeft(name, "\t :")
		}
	}
	return runtime.GOARCH
}

func commit() string {
	b, err := exec.Command("git", "describe", "--always", "--dirty").Output()
	if err != nil {
		return "unknown"
	}
	return strings.TrimSpace(string(b))
}
