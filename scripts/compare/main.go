// Command compare runs mpt bench and other engines in turn on the same model
// files and prints the ratios of their speeds.
//
//	go run ./scripts/compare -m model.gguf -llama-bench PATH -peer DIR -o bench/results
//
// PATH is any llama-bench of llama.cpp. DIR is a folder with a bench.mjs that
// takes MODEL PROMPT GENERATED THREADS FLASH-ATTENTION RUNS and prints a line
// {"pp": tokens/s, "tg": tokens/s} for each run. Both flags may be repeated.
//
// One round runs every engine once on every file; the speed of a machine with
// noisy neighbours drifts, and this way it drifts under all of them. Medians
// over the rounds are compared.
package main

import (
	"flag"
	"fmt"
	"os"
	"strings"
)

// list is a flag that may be repeated.
type list []string

func (l *list) String() string     { return strings.Join(*l, ",") }
func (l *list) Set(s string) error { *l = append(*l, s); return nil }

// workload is what every engine is asked to do.
type workload struct {
	prompt, generate, threads int
	deep                      bool   // generate after the prompt instead of from nothing
	isa                       string // of our kernels
}

func main() {
	var models, benches, peers list
	var w workload
	flag.Var(&models, "m", "model `file`; may be repeated")
	flag.Var(&benches, "llama-bench", "a llama-bench `program`; may be repeated")
	flag.Var(&peers, "peer", "a `folder` with bench.mjs; may be repeated")
	mpt := flag.String("mpt", "", "our `program`; built from this tree if empty")
	flag.IntVar(&w.prompt, "p", 512, "prompt `tokens`")
	flag.IntVar(&w.generate, "n", 64, "generated `tokens`")
	flag.IntVar(&w.threads, "t", 2, "threads")
	flag.BoolVar(&w.deep, "deep", false, "generate after the prompt, instead of from an empty context")
	flag.StringVar(&w.isa, "isa", "", "`kernels` of mpt; the best of the CPU if empty")
	rounds := flag.Int("r", 5, "rounds")
	out := flag.String("o", "", "`folder` for a report; nothing is written if empty")
	flag.Parse()

	engines, err := findEngines(*mpt, benches, peers)
	if err == nil && len(models) == 0 {
		err = fmt.Errorf("give a model with -m")
	}
	if err == nil {
		err = compare(engines, models, w, *rounds, *out)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "compare:", err)
		os.Exit(1)
	}
}

// compare runs all rounds and reports.
func compare(engines []engine, models []string, w workload, rounds int, out string) error {
	r := newReport(engines, models, w, rounds)
	for round := range rounds {
		for _, model := range models {
			for i := range engines {
				e := engines[(i+round)%len(engines)] // nobody always follows the same one
				s, err := e.run(model, w)
				if err != nil {
					return fmt.Errorf("%s: %s: %w", e.name, model, err)
				}
				fmt.Fprintf(os.Stderr, "round %d: %s: %s: pp %.2f tg %.2f\n", round+1, model, e.name, s.pp, s.tg)
				r.add(e.name, model, s)
			}
		}
	}
	r.print(os.Stdout)
	if out == "" {
		return nil
	}
	return r.write(out)
}
