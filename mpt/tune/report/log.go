// Package report keeps the figures of a training run in files that people and other programs read:
// metrics.jsonl and metrics.csv, charts of the loss as SVG and PNG, and events for TensorBoard.
//
// A [Log] appends to them, and everything that it has taken is in the files when a method returns. A run
// that goes on from an earlier step cuts the files back to it, so that no step is there twice. If a disk
// is full the methods fail, and what could not be written follows with the next call.
//
// Start with [Open] and [Log.Sample]. This package is not stable yet: names may change from one minor
// version to the next.
package report

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"slices"
)

// Train is what is known of a step.
type Train struct {
	Step            int     // from 1
	Epoch           float64 // epochs done behind this step
	Loss            float64 // mean over the targets of the step, in nats
	GradNorm        float64 // before clipping
	LearningRate    float64
	Tokens, Targets int     // of this step
	TokensPerSecond float64 // 0: not known
}

// Eval is an evaluation after a step; 0 is before the first.
type Eval struct {
	Step  int
	Epoch float64
	Loss  float64 // mean over the held-out targets, in nats
	Best  bool    // the lowest so far
}

// Sample is a text that the model wrote after a step.
type Sample struct {
	Step         int
	Prompt, Text string
}

// Options say which files there are besides the log.
type Options struct {
	TensorBoard string // the folder for TensorBoard's events; "": none
	Title       string // of the charts
}

// Log keeps the files of a run. It serves one goroutine.
type Log struct {
	dir     string
	options Options
	lines   *tail // metrics.jsonl
	table   *tail // metrics.csv
	events  *tail // of TensorBoard, or nil
	entries []entry
}

const (
	linesFile = "metrics.jsonl"
	tableFile = "metrics.csv"
)

// Open returns the log of a run whose folder exists. The run goes on behind a step: later ones in
// the files are removed. Of a new run, step -1, all are.
func Open(dir string, step int, options Options) (*Log, error) {
	l := &Log{dir: dir, options: options}
	kept, err := l.readLines(step)
	if err == nil {
		l.lines, err = openTail(filepath.Join(dir, linesFile), kept)
	}
	if err == nil {
		l.table, err = openTail(filepath.Join(dir, tableFile), tableOf(l.entries))
	}
	if err == nil && options.TensorBoard != "" {
		l.events, err = openEvents(options.TensorBoard, step)
	}
	if err != nil {
		return nil, errors.Join(err, l.Close())
	}
	return l, nil
}

// readLines fills in the entries up to a step, and returns their lines. What follows a line that is not
// whole is what a killed process left.
func (l *Log) readLines(step int) (kept []byte, err error) {
	path := filepath.Join(l.dir, linesFile)
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	for n := 1; len(text) > 0; n++ {
		line, rest, whole := bytes.Cut(text, []byte("\n"))
		if !whole {
			break
		}
		text = rest
		var e entry
		if err := json.Unmarshal(line, &e); err != nil || e.Step == nil {
			return nil, fmt.Errorf("%s:%d: not a line of this log: move the file away to begin another", path, n)
		}
		if *e.Step > step {
			continue
		}
		l.entries = append(l.entries, e)
		kept = append(append(kept, line...), '\n')
	}
	return kept, nil
}

// Train logs a step.
func (l *Log) Train(t Train) error {
	return l.add(entry{
		Step: &t.Step, Epoch: figure(t.Epoch), Loss: figure(t.Loss), GradNorm: figure(t.GradNorm), LearningRate: figure(t.LearningRate),
		Tokens: t.Tokens, Targets: t.Targets, TokensPerSecond: t.TokensPerSecond,
	})
}

// Eval logs an evaluation.
func (l *Log) Eval(e Eval) error {
	if l.holds(e.Step, "") {
		return nil
	}
	return l.add(entry{
		Step: &e.Step, Epoch: figure(e.Epoch), EvalLoss: figure(e.Loss), EvalPerplexity: figure(math.Exp(e.Loss)), Best: e.Best,
	})
}

// holds reports whether the evaluation of a step, or a sample of it, is in the files already: a run that was
// killed before its next checkpoint does both again.
func (l *Log) holds(step int, prompt string) bool {
	return slices.ContainsFunc(l.entries, func(e entry) bool {
		same := e.EvalLoss != nil && prompt == "" || e.Prompt != nil && *e.Prompt == prompt
		return same && *e.Step == step
	})
}

// Sample logs a text.
func (l *Log) Sample(s Sample) error {
	if l.holds(s.Step, s.Prompt) {
		return nil
	}
	return l.add(entry{Step: &s.Step, Prompt: &s.Prompt, Text: &s.Text})
}

func (l *Log) add(e entry) error {
	line, err := json.Marshal(e)
	if err != nil {
		return err
	}
	l.entries = append(l.entries, e)
	err = l.lines.write(append(line, '\n'))
	if row := e.row(); row != "" {
		err = errors.Join(err, l.table.write([]byte(row)))
	}
	if l.events != nil {
		err = errors.Join(err, l.events.write(e.events(seconds())))
	}
	return err
}

// Close closes the files.
func (l *Log) Close() error {
	var err error
	for _, t := range []*tail{l.lines, l.table, l.events} {
		if t != nil {
			err = errors.Join(err, t.close())
		}
	}
	return err
}
