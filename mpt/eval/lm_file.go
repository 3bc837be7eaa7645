package eval

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"
)

// The output types of lm-evaluation-harness.
const (
	lmLoglikelihood = "loglikelihood"
	lmChoice        = "multiple_choice"
	lmRolling       = "loglikelihood_rolling"
	lmGenerate      = "generate_until"
)

// lmYAML is a task of lm-evaluation-harness. Keys that are not here are refused.
type lmYAML struct {
	Task         string `yaml:"task"`
	Alias        any    `yaml:"task_alias"`
	Tag          any    `yaml:"tag"`
	DatasetPath  string `yaml:"dataset_path"`
	DatasetName  any    `yaml:"dataset_name"`
	DatasetArgs  lmData `yaml:"dataset_kwargs"`
	Training     string `yaml:"training_split"`
	Validation   string `yaml:"validation_split"`
	Test         string `yaml:"test_split"`
	FewshotSplit string `yaml:"fewshot_split"`
	OutputType   string `yaml:"output_type"`

	DocToText   any `yaml:"doc_to_text"`
	DocToTarget any `yaml:"doc_to_target"`
	DocToChoice any `yaml:"doc_to_choice"`

	TargetDelimiter  *string        `yaml:"target_delimiter"`
	FewshotDelimiter *string        `yaml:"fewshot_delimiter"`
	Description      string         `yaml:"description"`
	NumFewshot       *int           `yaml:"num_fewshot"`
	FewshotConfig    lmFewshot      `yaml:"fewshot_config"`
	MetricList       []lmMetric     `yaml:"metric_list"`
	GenerationKwargs map[string]any `yaml:"generation_kwargs"`
	FilterList       []lmFilters    `yaml:"filter_list"`
	Repeats          *int           `yaml:"repeats"`
	Decontaminate    any            `yaml:"should_decontaminate"`
	DecontamQuery    any            `yaml:"doc_to_decontamination_query"`
	Metadata         lmMetadata     `yaml:"metadata"`
}

type lmData struct {
	DataFiles map[string]any `yaml:"data_files"`
}

type lmFewshot struct {
	Sampler string `yaml:"sampler"`
	Split   string `yaml:"split"`
}

type lmMetric struct {
	Metric            string   `yaml:"metric"`
	Aggregation       string   `yaml:"aggregation"`
	HigherIsBetter    any      `yaml:"higher_is_better"`
	IgnoreCase        bool     `yaml:"ignore_case"`
	IgnorePunctuation bool     `yaml:"ignore_punctuation"`
	IgnoreNumbers     bool     `yaml:"ignore_numbers"`
	RegexesToIgnore   []string `yaml:"regexes_to_ignore"`
	WeightBySize      *bool    `yaml:"weight_by_size"` // of groups
	FilterList        any      `yaml:"filter_list"`    // of groups
}

type lmFilters struct {
	Name   string     `yaml:"name"`
	Filter []lmFilter `yaml:"filter"`
}

type lmFilter struct {
	Function    string  `yaml:"function"`
	Pattern     *string `yaml:"regex_pattern"`
	GroupSelect int     `yaml:"group_select"`
	Fallback    *string `yaml:"fallback"`
}

// lmMetadata is for people; two keys are ours.
type lmMetadata struct {
	Version   any
	Shots     []int
	MaxLength int
}

// UnmarshalYAML leaves out what is not for us.
func (m *lmMetadata) UnmarshalYAML(b []byte) error {
	var all map[string]any
	if err := yaml.Unmarshal(b, &all); err != nil {
		return err
	}
	m.Version = all["version"]
	var ours struct {
		Shots     []int `yaml:"shots"`
		MaxLength int   `yaml:"max_length"`
	}
	if err := yaml.Unmarshal(b, &ours); err != nil {
		return err
	}
	m.Shots, m.MaxLength = ours.Shots, ours.MaxLength
	return nil
}

// lmGroup is a file of a group.
type lmGroup struct {
	Group     string     `yaml:"group"`
	Alias     any        `yaml:"group_alias"`
	Tasks     []string   `yaml:"task"`
	Aggregate []lmMetric `yaml:"aggregate_metric_list"`
	Metadata  lmMetadata `yaml:"metadata"`
}

// loadLM reads a task, or the tasks of a group.
func loadLM(path string, opt LoadOptions) ([]*Task, error) {
	top, err := opt.included(path, 0)
	if err != nil {
		return nil, err
	}
	if top["group"] != nil {
		return loadGroup(path, top, opt)
	}
	var y lmYAML
	if err := restrict(path, top, &y); err != nil {
		return nil, err
	}
	t, err := newLMTask(path, y, opt)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return []*Task{{Label: y.Task, Rules: "lm-eval", Path: path, Shots: t.shots(), lm: t}}, nil
}

// restrict decodes what was read into a type that has all the keys.
func restrict(path string, top map[string]any, v any) error {
	b, err := yaml.Marshal(top)
	if err == nil {
		err = yaml.UnmarshalWithOptions(b, v, yaml.Strict())
	}
	if err != nil {
		text, _, _ := strings.Cut(yaml.FormatError(err, false, false), "\n")
		if _, after, ok := strings.Cut(text, "] "); ok { // its place is that in what was put together
			text = after
		}
		return fmt.Errorf("%s: %s", path, text)
	}
	return nil
}

// maxIncludes bounds how files include others.
const maxIncludes = 16

// included reads a file with what it includes, which its own keys replace.
func (o *LoadOptions) included(path string, depth int) (map[string]any, error) {
	if depth > maxIncludes {
		return nil, fmt.Errorf("%s: more than %d files include one another", path, maxIncludes)
	}
	b, err := o.read(path)
	if err != nil {
		return nil, err
	}
	top, err := topLevel(path, b)
	if err != nil {
		return nil, err
	}
	if top["include"] == nil {
		return top, nil
	}
	name, ok := top["include"].(string)
	if !ok {
		return nil, fmt.Errorf("%s: include is not the name of a file", path)
	}
	delete(top, "include")
	if !filepath.IsAbs(name) {
		name = filepath.Join(filepath.Dir(path), filepath.FromSlash(name))
	}
	base, err := o.included(name, depth+1)
	if err != nil {
		return nil, err
	}
	maps.Copy(base, top)
	return base, nil
}

// loadGroup reads the tasks of a group, which are beside it.
func loadGroup(path string, top map[string]any, opt LoadOptions) ([]*Task, error) {
	var g lmGroup
	if err := restrict(path, top, &g); err != nil {
		return nil, err
	}
	var all []*Task
	for _, name := range g.Tasks {
		file, err := taskFile(filepath.Dir(path), name)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		tasks, err := loadLM(file, opt)
		if err != nil {
			return nil, err
		}
		for _, t := range tasks {
			t.group = g.Group
			t.lm.aggregate = g.Aggregate
		}
		all = append(all, tasks...)
	}
	if len(all) == 0 {
		return nil, fmt.Errorf("%s: the group %s has no tasks", path, g.Group)
	}
	return all, nil
}

// taskFile finds the file of a task by its name.
func taskFile(dir, name string) (string, error) {
	for _, ext := range []string{".yaml", ".yml"} {
		file := filepath.Join(dir, name+ext)
		if _, err := os.Stat(file); err == nil {
			return file, nil
		}
	}
	files, err := filepath.Glob(filepath.Join(dir, "*.y*ml"))
	if err != nil {
		return "", err
	}
	for _, file := range files {
		b, err := readFile(file)
		if err != nil {
			continue
		}
		var y struct {
			Task any `yaml:"task"`
		}
		if yaml.Unmarshal(b, &y) == nil && y.Task == name {
			return file, nil
		}
	}
	return "", fmt.Errorf("there is no task %s in %s", name, dir)
}

// check refuses what would be something else than in the original.
func (t *lmTask) check() error {
	switch {
	case t.Task == "":
		return errors.New("task is missing")
	case t.DatasetPath != "json":
		return fmt.Errorf("dataset_path %q is not supported: save the data as JSON lines, and write dataset_path: json and "+
			"dataset_kwargs: {data_files: {test: FILE}}", t.DatasetPath)
	case !slices.Contains([]string{lmLoglikelihood, lmChoice, lmRolling, lmGenerate}, t.OutputType):
		return fmt.Errorf("output_type %q is not supported: want %s, %s, %s or %s",
			t.OutputType, lmLoglikelihood, lmChoice, lmRolling, lmGenerate)
	case t.Repeats != nil && *t.Repeats != 1:
		return fmt.Errorf("repeats: %d is not supported", *t.Repeats)
	case t.FewshotConfig.Sampler != "" && t.FewshotConfig.Sampler != "default" && t.FewshotConfig.Sampler != "first_n":
		return fmt.Errorf("fewshot_config: sampler %q is not supported: want default or first_n",
			t.FewshotConfig.Sampler)
	case t.DocToTarget == nil:
		return errors.New("doc_to_target is missing")
	case t.DocToText == nil && t.OutputType != lmRolling:
		return errors.New("doc_to_text is missing")
	case t.OutputType == lmChoice && t.DocToChoice == nil:
		return errors.New("doc_to_choice is missing")
	case slices.ContainsFunc(t.shots(), func(n int) bool { return n < 0 || n > 0 && t.OutputType == lmRolling }):
		return fmt.Errorf("%d examples: a task of type %s", t.shots(), t.OutputType)
	}
	if err := t.checkMetrics(); err != nil {
		return err
	}
	return t.checkGeneration()
}

// shots returns the numbers of examples.
func (t *lmTask) shots() []int {
	if len(t.Metadata.Shots) > 0 {
		return t.Metadata.Shots
	}
	return []int{or(t.NumFewshot, 0)}
}

// lmMetrics are the metrics of each output type, the default ones first.
var lmMetrics = map[string][]string{
	lmLoglikelihood: {"perplexity", "acc"},
	lmChoice:        {"acc", "acc_norm", "acc_bytes", "acc_mutual_info"},
	lmRolling:       {"word_perplexity", "byte_perplexity", "bits_per_byte"},
	lmGenerate:      {"exact_match"},
}

func (t *lmTask) checkMetrics() error {
	known := lmMetrics[t.OutputType]
	if t.MetricList == nil {
		n := map[string]int{lmChoice: 2}[t.OutputType]
		if n == 0 {
			n = len(known)
		}
		for _, name := range known[:n] {
			t.MetricList = append(t.MetricList, lmMetric{Metric: name})
		}
	}
	for _, m := range t.MetricList {
		if !slices.Contains(known, m.Metric) {
			return fmt.Errorf("metric %q is not supported for %s: known are %s",
				m.Metric, t.OutputType, strings.Join(known, ", "))
		}
		want := "mean"
		if t.OutputType == lmRolling || m.Metric == "perplexity" {
			want = map[string]string{"perplexity": "perplexity", "bits_per_byte": "bits_per_byte"}[m.Metric]
			if want == "" {
				want = "weighted_perplexity"
			}
		}
		if m.Aggregation != "" && m.Aggregation != want {
			return fmt.Errorf("metric %s: aggregation %q is not supported: want %s", m.Metric, m.Aggregation, want)
		}
	}
	return nil
}
