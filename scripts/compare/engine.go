package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
)

// engine is a program that can be measured.
type engine struct {
	name string
	run  func(model string, w workload) (speed, error)
}

// speed is in tokens per second.
type speed struct {
	pp, tg float64
	both   float64 // of a prompt and an answer behind it, where one run has both
}

// findEngines returns ours, first, and the others.
func findEngines(mpt string, benches, peers []string) ([]engine, error) {
	if mpt == "" {
		dir, err := os.MkdirTemp("", "compare")
		if err != nil {
			return nil, err
		}
		mpt = filepath.Join(dir, "mpt")
		if out, err := exec.Command("go", "build", "-o", mpt, "./cmd/mpt").CombinedOutput(); err != nil {
			return nil, fmt.Errorf("building mpt: %w\n%s", err, out)
		}
	}
	engines := []engine{{"mptgo", func(model string, w workload) (speed, error) { return runMpt(mpt, model, w) }}}
	for i, path := range benches {
		name := numbered("llama-bench", i, len(benches))
		engines = append(engines, engine{name, func(model string, w workload) (speed, error) { return runLlamaBench(path, model, w) }})
	}
	for i, dir := range peers {
		name := numbered("node-llama-cpp", i, len(peers))
		engines = append(engines, engine{name, func(model string, w workload) (speed, error) { return runPeer(dir, model, w) }})
	}
	return engines, nil
}

func numbered(name string, i, n int) string {
	if n == 1 {
		return name
	}
	return fmt.Sprintf("%s %d", name, i+1)
}

// output runs a program and returns what it wrote to stdout.
func output(dir, name string, args ...string) ([]byte, error) {
	cmd := exec.Command(name, args...)
	cmd.Dir = dir
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("%w\n%s", err, stderr.Bytes())
	}
	return out, nil
}

func runMpt(program, model string, w workload) (speed, error) {
	if !w.deep {
		return benchMpt(program, model, w, "-p", strconv.Itoa(w.prompt), "-n", strconv.Itoa(w.generate))
	}
	pp, err := benchMpt(program, model, w, "-p", strconv.Itoa(w.prompt), "-n", "0")
	if err != nil {
		return speed{}, err
	}
	tg, err := benchMpt(program, model, w, "-p", "0", "-n", strconv.Itoa(w.generate), "-d", strconv.Itoa(w.prompt))
	return speed{pp: pp.pp, tg: tg.tg}, err
}

func benchMpt(program, model string, w workload, tests ...string) (speed, error) {
	args := append([]string{"bench", "-m", model, "-t", strconv.Itoa(w.threads), "-r", "1", "-o", "json"}, tests...)
	if w.isa != "" {
		args = append(args, "--isa", w.isa)
	}
	out, err := output("", program, args...)
	if err != nil {
		return speed{}, err
	}
	var rows []struct {
		Test  string
		Speed float64 `json:"tokens_per_second"`
	}
	if err := json.Unmarshal(out, &rows); err != nil {
		return speed{}, err
	}
	var s speed
	for _, r := range rows {
		switch r.Test[:2] {
		case "pp":
			s.pp = r.Speed
		case "tg":
			s.tg = r.Speed
		}
	}
	return s, nil
}

// runLlamaBench generates after a prompt with -d, which llama-bench has since April 2025; of
// an older one that speed is the difference of a prompt with an answer and one without.
func runLlamaBench(program, model string, w workload) (speed, error) {
	prompt, generate := strconv.Itoa(w.prompt), strconv.Itoa(w.generate)
	if !w.deep {
		return llamaBench(program, model, w, "-p", prompt, "-n", generate)
	}
	pp, err := llamaBench(program, model, w, "-p", prompt, "-n", "0")
	if err != nil {
		return speed{}, err
	}
	tg, err := llamaBench(program, model, w, "-p", "0", "-n", generate, "-d", prompt)
	if err == nil {
		return speed{pp: pp.pp, tg: tg.tg}, nil
	}
	both, err := llamaBench(program, model, w, "-p", "0", "-n", "0", "-pg", prompt+","+generate)
	if err != nil {
		return speed{}, err
	}
	return speed{pp: pp.pp, tg: after(w, pp.pp, both.both)}, nil
}

// after returns the speed of generation behind a prompt, from that of reading it and that of
// both together. The difference of two long times needs many generated tokens to be exact.
func after(w workload, pp, both float64) float64 {
	p, n := float64(w.prompt), float64(w.generate)
	return n / ((p+n)/both - p/pp)
}

func llamaBench(program, model string, w workload, tests ...string) (speed, error) {
	args := append([]string{"-m", model, "-t", strconv.Itoa(w.threads), "-r", "1", "-o", "json"}, tests...)
	out, err := output("", program, args...)
	if err != nil {
		return speed{}, err
	}
	var rows []struct {
		Prompt    int     `json:"n_prompt"`
		Generated int     `json:"n_gen"`
		Speed     float64 `json:"avg_ts"`
	}
	if err := json.Unmarshal(out, &rows); err != nil {
		return speed{}, err
	}
	var s speed
	for _, r := range rows {
		switch {
		case r.Generated == 0:
			s.pp = r.Speed
		case r.Prompt == 0:
			s.tg = r.Speed
		default:
			s.both = r.Speed
		}
	}
	return s, nil
}

// runPeer asks for both at once: bench.mjs generates after the prompt, so what it
// says of generation is exact for deep workloads and a little low for others.
func runPeer(dir, model string, w workload) (speed, error) {
	path, err := filepath.Abs(model)
	if err != nil {
		return speed{}, err
	}
	// Two runs, since the first warms up; ours and llama-bench do so unasked.
	out, err := output(dir, "node", "bench.mjs", path, strconv.Itoa(w.prompt), strconv.Itoa(w.generate),
		strconv.Itoa(w.threads), "", "2")
	if err != nil {
		return speed{}, err
	}
	lines := bytes.Split(bytes.TrimSpace(out), []byte("\n"))
	var s struct{ PP, TG float64 }
	if err := json.Unmarshal(lines[len(lines)-1], &s); err != nil {
		return speed{}, err
	}
	return speed{pp: s.PP, tg: s.TG}, nil
}
