package eval

import (
	"bytes"
	"cmp"
	"fmt"
	"io/fs"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"
)

// LoadOptions say how task files are read.
type LoadOptions struct {
	DataDir string  // where data is that is not beside the file of its task
	Seed    *uint64 // of the choice of examples; nil: the task's

	files fs.FS  // where files are; nil: those of the system
	only  string // the label of the task that is wanted; "": all
}

// Task is something to measure: rows of a file and what to do with them.
type Task struct {
	Label string
	Rules string // "foundry" or "lm-eval"
	Path  string // of the file that it is from
	Shots []int  // numbers of examples, a run for each

	foundry *foundryTask
	lm      *lmTask
	group   string // of lm-eval, that it is part of
}

// sortedKeys returns the keys of a map, sorted.
func sortedKeys[K cmp.Ordered, V any](m map[K]V) []K { return slices.Sorted(maps.Keys(m)) }

// Load reads the tasks of a file: llm-foundry's YAML with icl_tasks, lm-evaluation-harness'
// YAML of a task or a group, or rows in JSON lines, whose type is told by their keys.
func Load(path string, opt LoadOptions) ([]*Task, error) {
	if ext := strings.ToLower(filepath.Ext(path)); ext == ".jsonl" || ext == ".json" {
		return loadPlain(path, opt)
	}
	b, err := opt.read(path)
	if err != nil {
		return nil, err
	}
	top, err := topLevel(path, b)
	if err != nil {
		return nil, err
	}
	switch {
	case top["icl_tasks"] != nil:
		if name, ok := top["icl_tasks"].(string); ok {
			return nil, fmt.Errorf("%s: icl_tasks names another file: give %s instead", path, name)
		}
		return loadFoundry(path, b, opt)
	case top["task"] != nil || top["group"] != nil || top["dataset_path"] != nil || top["include"] != nil:
		return loadLM(path, opt)
	case top["eval_gauntlet"] != nil:
		return nil, fmt.Errorf("%s: this describes a gauntlet, not tasks: give it with --gauntlet", path)
	}
	return nil, fmt.Errorf("%s: neither tasks of llm-foundry (icl_tasks) nor of lm-evaluation-harness (task)", path)
}

// maxYAML bounds a file of tasks.
const maxYAML = 4 << 20

// topLevel reads the keys of a YAML file.
func topLevel(path string, b []byte) (map[string]any, error) {
	if len(b) > maxYAML {
		return nil, fmt.Errorf("%s: %d bytes: at most %d are supported", path, len(b), maxYAML)
	}
	if err := noFunctions(path, b); err != nil {
		return nil, err
	}
	top := map[string]any{}
	if err := yaml.Unmarshal(b, &top); err != nil {
		return nil, yamlError(path, err)
	}
	return top, nil
}

// noFunctions refuses values that are Python functions.
func noFunctions(path string, b []byte) error {
	for i, line := range bytes.Split(b, []byte("\n")) {
		code, _, _ := bytes.Cut(line, []byte(" #"))
		if at := bytes.Index(code, []byte("!function")); at >= 0 {
			return fmt.Errorf("%s:%d: %s is a function in Python, which is not run: write a template or prepare the data before",
				path, i+1, bytes.TrimSpace(code[at:]))
		}
	}
	return nil
}

// guesses tell the type of rows by their keys, the first that fits.
var guesses = []struct {
	kind string
	keys []string
}{
	{multipleChoice, []string{"query", "choices", "gold"}},
	{schema, []string{"context_options", "continuation", "gold"}},
	{generationTask, []string{"context", "answer"}},
	{languageModeling, []string{"context", "continuation"}},
}

// loadPlain reads a file of rows as a task of llm-foundry without examples.
func loadPlain(path string, opt LoadOptions) ([]*Task, error) {
	d, err := opt.readRows(path)
	if err != nil {
		return nil, err
	}
	for _, g := range guesses {
		if slices.ContainsFunc(g.keys, func(k string) bool { _, ok := d.rows[0].fields[k]; return !ok }) {
			continue
		}
		label := strings.TrimSuffix(filepath.Base(path), filepath.Ext(path))
		y := foundryYAML{Label: label, DatasetURI: filepath.Base(path), NumFewshot: []int{0}, Type: g.kind}
		t, err := newFoundryTask(y, filepath.Dir(path), opt)
		if err != nil {
			return nil, err
		}
		return []*Task{{Label: label, Rules: "foundry", Path: path, Shots: y.NumFewshot, foundry: t}}, nil
	}
	return nil, d.rows[0].fail("the keys %s are those of no type of task: name the type in a YAML file",
		strings.Join(d.rows[0].keys, ", "))
}

// Type returns the type of the task, as its rules name it.
func (t *Task) Type() string {
	if t.foundry != nil {
		return t.foundry.Type
	}
	return t.lm.OutputType
}

// Rows returns the number of rows.
func (t *Task) Rows() int {
	if t.foundry != nil {
		return len(t.foundry.data.rows)
	}
	return len(t.lm.rows)
}

// Warnings tells of settings that do something else than they seem to.
func (t *Task) Warnings() []string {
	if t.foundry != nil {
		return t.foundry.warnings()
	}
	return t.lm.warnings()
}
