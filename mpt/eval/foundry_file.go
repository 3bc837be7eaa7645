package eval

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"

	"mptgo/internal/pyregexp"
)

// The task types of llm-foundry.
const (
	languageModeling = "language_modeling"
	multipleChoice   = "multiple_choice"
	schema           = "schema"
	generationTask   = "generation_task_with_answers"
)

// foundryFile is a file of tasks as llm-foundry reads it.
type foundryFile struct {
	MaxSeqLen int           `yaml:"max_seq_len"`
	Tasks     []foundryYAML `yaml:"icl_tasks"`
}

// foundryYAML is an entry of icl_tasks. A nil has a default.
type foundryYAML struct {
	Label                 string         `yaml:"label"`
	DatasetURI            string         `yaml:"dataset_uri"`
	NumFewshot            []int          `yaml:"num_fewshot"`
	Type                  string         `yaml:"icl_task_type"`
	PromptString          string         `yaml:"prompt_string"`
	ExampleDelimiter      *string        `yaml:"example_delimiter"`
	ContinuationDelimiter *string        `yaml:"continuation_delimiter"`
	Prelimiter            *string        `yaml:"prelimiter"`
	QuestionPrelimiter    *string        `yaml:"question_prelimiter"`
	Seed                  *uint64        `yaml:"fewshot_random_seed"`
	StripDataset          *bool          `yaml:"strip_dataset"`
	MaxSeqLen             int            `yaml:"max_seq_len"`
	CoTDelimiter          string         `yaml:"cot_delimiter"`
	EarlyStopping         []string       `yaml:"early_stopping_criteria"`
	DoNormalization       *bool          `yaml:"do_normalization"`
	HasCategories         bool           `yaml:"has_categories"`
	BatchSize             int            `yaml:"batch_size"` // of no meaning here
	MetricNames           []string       `yaml:"metric_names"`
	GenerationKwargs      map[string]any `yaml:"generation_kwargs"`
}

// foundryTask is a task with its rows.
type foundryTask struct {
	foundryYAML
	data *dataset

	exampleDelimiter, continuationDelimiter, prelimiter string
	seed                                                uint64
	strip, normalize, calibration                       bool
	stops                                               *pyregexp.Regexp // of EarlyStopping, joined; nil: none
}

func or[T any](v *T, absent T) T {
	if v == nil {
		return absent
	}
	return *v
}

// loadFoundry reads a file of tasks.
func loadFoundry(path string, b []byte, opt LoadOptions) ([]*Task, error) {
	var f foundryFile
	if err := yaml.UnmarshalWithOptions(b, &f, yaml.Strict()); err != nil {
		return nil, yamlError(path, err)
	}
	if len(f.Tasks) == 0 {
		return nil, fmt.Errorf("%s: icl_tasks is empty", path)
	}
	var tasks []*Task
	for i := range f.Tasks {
		y := f.Tasks[i]
		if opt.only != "" && y.Label != opt.only {
			continue
		}
		if y.MaxSeqLen == 0 {
			y.MaxSeqLen = f.MaxSeqLen
		}
		t, err := newFoundryTask(y, filepath.Dir(path), opt)
		if err != nil {
			return nil, fmt.Errorf("%s: task %d (%s): %w", path, i+1, y.Label, err)
		}
		if slices.ContainsFunc(tasks, func(u *Task) bool { return u.Label == y.Label }) {
			return nil, fmt.Errorf("%s: task %d: the label %s is there twice", path, i+1, y.Label)
		}
		tasks = append(tasks, &Task{Label: y.Label, Rules: "foundry", Path: path, Shots: y.NumFewshot, foundry: t})
	}
	return tasks, nil
}

// names reports whether a file has a task with the label that is wanted.
func (o *LoadOptions) names(path string) bool {
	b, err := o.read(path)
	if err != nil {
		return false
	}
	var f struct {
		Task  any `yaml:"task"`
		Tasks []struct {
			Label string `yaml:"label"`
		} `yaml:"icl_tasks"`
	}
	if yaml.Unmarshal(b, &f) != nil {
		return false
	}
	for _, t := range f.Tasks {
		if t.Label == o.only {
			return true
		}
	}
	return f.Task == o.only
}

// yamlError makes one line of an error of the parser, which shows the source.
func yamlError(path string, err error) error {
	text, _, _ := strings.Cut(yaml.FormatError(err, false, false), "\n")
	return fmt.Errorf("%s: %s", path, text)
}

// newFoundryTask checks an entry and reads its rows.
func newFoundryTask(y foundryYAML, dir string, opt LoadOptions) (*foundryTask, error) {
	t := &foundryTask{
		foundryYAML: y, exampleDelimiter: or(y.ExampleDelimiter, "\n"), continuationDelimiter: or(y.ContinuationDelimiter, " "),
		prelimiter: or(y.Prelimiter, or(y.QuestionPrelimiter, "")), seed: or(y.Seed, 1234),
		strip: or(y.StripDataset, true), normalize: or(y.DoNormalization, true),
	}
	if opt.Seed != nil {
		t.seed = *opt.Seed
	}
	if err := t.check(); err != nil {
		return nil, err
	}
	path, err := opt.findData(y.DatasetURI, dir)
	if err != nil {
		return nil, err
	}
	if t.data, err = opt.readRows(path); err != nil {
		return nil, err
	}
	if t.strip {
		t.stripRows()
	}
	for _, r := range t.data.rows {
		if err := t.checkRow(r); err != nil {
			return nil, err
		}
	}
	return t, nil
}

func (t *foundryTask) check() error {
	switch {
	case t.Label == "":
		return errors.New("label is missing")
	case len(t.NumFewshot) == 0:
		return errors.New("num_fewshot is missing: give a list such as [0]")
	case slices.ContainsFunc(t.NumFewshot, func(n int) bool { return n < 0 }):
		return errors.New("num_fewshot has a negative number")
	case t.Prelimiter != nil && t.QuestionPrelimiter != nil:
		return errors.New("prelimiter and question_prelimiter are two names of one key: give one of them")
	case !slices.Contains([]string{languageModeling, multipleChoice, schema, generationTask}, t.Type):
		return fmt.Errorf("icl_task_type %q is not supported: want %s, %s, %s or %s",
			t.Type, languageModeling, multipleChoice, schema, generationTask)
	case t.MaxSeqLen < 0:
		return fmt.Errorf("max_seq_len %d is negative", t.MaxSeqLen)
	}
	for name, v := range t.GenerationKwargs {
		if err := greedyOnly(name, v); err != nil {
			return fmt.Errorf("generation_kwargs: %w", err)
		}
	}
	if len(t.EarlyStopping) > 0 {
		re, err := pyregexp.Compile(strings.Join(t.EarlyStopping, "|"))
		if err != nil {
			return fmt.Errorf("early_stopping_criteria are one regular expression, joined by \"|\", and this one cannot be read: %w", err)
		}
		t.stops = re
	}
	return t.checkMetrics()
}

// greedyOnly refuses settings of a generation that is not greedy.
func greedyOnly(name string, v any) error {
	text := fmt.Sprint(v)
	switch {
	case name == "do_sample" && text == "false", name == "temperature" &&
		(text == "0" || text == "0.0"), name == "num_beams" && text == "1",
		name == "use_cache", name == "pad_token_id", name == "eos_token_id":
		return nil
	}
	return fmt.Errorf("%s: %v is not supported: generations are greedy", name, v)
}

// foundryMetrics are the names of metrics that are understood; true are those of calibration.
var foundryMetrics = map[string]bool{
	"InContextLearningLMAccuracy": false, "InContextLearningMultipleChoiceAccuracy": false,
	"InContextLearningGenerationExactMatchAccuracy": false, "InContextLearningQAAccuracy": false,
	"InContextLearningMCExpectedCalibrationError": true, "InContextLearningLMExpectedCalibrationError": true,
	"InContextLearningExpectedCalibrationError": true,
}

func (t *foundryTask) checkMetrics() error {
	for _, name := range t.MetricNames {
		calibration, ok := foundryMetrics[name]
		if !ok {
			return fmt.Errorf("metric_names: %s is not supported: known are %s",
				name, strings.Join(sortedKeys(foundryMetrics), ", "))
		}
		t.calibration = t.calibration || calibration
	}
	if t.calibration && t.Type == generationTask {
		return errors.New("metric_names: a generation has no calibration error")
	}
	return nil
}

// findData returns the file that a task names: relative to the folder of the task's file,
// then to the data folder.
func (o *LoadOptions) findData(name, dir string) (string, error) {
	switch {
	case name == "":
		return "", errors.New("dataset_uri is missing")
	case strings.Contains(name, "${"):
		return "", fmt.Errorf("%s: names that are put together by OmegaConf are not supported: write the path out", name)
	case strings.Contains(name, "://"):
		return "", fmt.Errorf("%s: nothing is downloaded: save the data as a JSON lines file and name that", name)
	case filepath.IsAbs(name):
		return name, nil
	}
	beside := filepath.Join(dir, filepath.FromSlash(name))
	if err := o.stat(beside); err == nil || o.DataDir == "" {
		if err != nil {
			return "", fmt.Errorf("%w: names are relative to the file of the task; --data-dir names another folder", err)
		}
		return beside, nil
	}
	in := filepath.Join(o.DataDir, filepath.FromSlash(name))
	if err := o.stat(in); err != nil {
		return "", fmt.Errorf("%s is neither in %s nor in %s", name, dir, o.DataDir)
	}
	return in, nil
}

// stripRows removes white space around the texts of rows, but not in lists.
func (t *foundryTask) stripRows() {
	for _, r := range t.data.rows {
		for k, v := range r.fields {
			if s, ok := v.(string); ok {
				r.fields[k] = strip(s)
			}
		}
	}
}

// checkRow refuses a row that the task's type cannot use.
func (t *foundryTask) checkRow(r *row) error {
	if t.HasCategories {
		if _, err := r.str("category"); err != nil {
			return err
		}
	}
	switch t.Type {
	case languageModeling:
		return firstError(r.texts("context"), r.filled("continuation"))
	case multipleChoice:
		return firstError(r.texts("query"), r.oneOf("choices", "gold", true))
	case schema:
		return firstError(r.filled("continuation"), r.oneOf("context_options", "gold", false))
	}
	var err error
	if _, there := r.fields["aliases"]; there { // without it the answer is the only label
		_, err = r.strs("aliases")
	}
	if _, cot := r.fields["chain_of_thought"]; cot {
		err = firstError(err, r.texts("chain_of_thought"))
	}
	return firstError(r.texts("context"), r.texts("answer"), err)
}

func firstError(list ...error) error {
	for _, err := range list {
		if err != nil {
			return err
		}
	}
	return nil
}

func (r *row) texts(key string) error { _, err := r.str(key); return err }

func (r *row) filled(key string) error {
	s, err := r.str(key)
	if err == nil && s == "" {
		err = r.fail("%q is empty: there is nothing to score", key)
	}
	return err
}

// oneOf checks a list and the number of the right item.
func (r *row) oneOf(list, gold string, filled bool) error {
	items, err := r.strs(list)
	if err != nil {
		return err
	}
	if len(items) == 0 {
		return r.fail("%q is empty", list)
	}
	if i := slices.Index(items, ""); i >= 0 && filled {
		return r.fail("%q: item %d is empty: there is nothing to score", list, i)
	}
	n, err := r.integer(gold)
	if err == nil && (n < 0 || n >= len(items)) {
		err = r.fail("%q is %d: %q has items 0 to %d", gold, n, list, len(items)-1)
	}
	return err
}
