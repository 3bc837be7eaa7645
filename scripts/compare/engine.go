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
type speed struct{ pp, tg float64 }

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
	out, err := output("", program, "bench", "-m", model, "-p", strconv.Itoa(w.prompt), "-n", strconv.Itoa(w.generate),
		"-t", strconv.Itoa(w.threads), "-r", "1", "-o", "json")
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

func runLlamaBench(program, model string, w workload) (speed, error) {
	out, err := output("", program, "-m", model, "-p", strconv.Itoa(w.prompt), "-n", strconv.Itoa(w.generate),
		"-t", strconv.Itoa(w.threads), "-r", "1", "-o", "json")
	if err != nil {
		return speed{}, err
	}
	var rows []struct {
		Generated int     `json:"n_gen"`
		Speed     float64 `json:"avg_ts"`
	}
	if err := json.Unmarshal(out, &rows); err != nil {
		return speed{}, err
	}
	var s speed
	for _, r := range rows {
		if r.Generated == 0 {
			s.pp = r.Speed
		} else {
			s.tg = r.Speed
		}
	}
	return s, nil
}

func runPeer(dir, model string, w workload) (speed, error) {
	path, err := filepath.Abs(model)
	if err != nil {
		return speed{}, err
	}
	// Two runs, since the first warms up; ours and llama-bench do so unasked.
	out, err := output(dir, "node", "bench.mjs", path, strconv.Itoa(w.prompt), strconv.Itoa(w.generate), strconv.Itoa(w.threads), "", "2")
	if err != nil {
		return speed{}, err
	}
	lines := bytes.Split(bytes.TrimSpace(out), []byte("\n"))
	var s struct{ PP, TG float64 }
	if err := json.Unmarshal(lines[len(lines)-1], &s); err != nil {
		return speed{}, err
	}
	return speed{s.PP, s.TG}, nil
}
