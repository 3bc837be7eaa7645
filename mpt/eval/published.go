package eval

import (
	"fmt"
	"math"
	"slices"
	"strings"
)

// Published is a score that was published for a model.
type Published struct {
	Model  string // "mpt-7b" or "mpt-30b"
	Task   string // as the public task files call it
	Rules  string // "foundry" or "lm-eval"
	Shots  int
	Metric string
	Values []float64 // more than one where sources differ
	Source string
}

// The sources of published scores.
const (
	leaderboard7  = "Open LLM Leaderboard v1, huggingface.co/mosaicml/mpt-7b/discussions/86"
	leaderboard30 = "Open LLM Leaderboard v1, huggingface.co/mosaicml/mpt-30b/blob/refs%2Fpr%2F18/README.md"
	foundry307    = "llm-foundry pull requests 307 and 291"
	foundry824    = "llm-foundry pull request 824"
)

// published are scores of single tasks.
var published = []Published{
	{"mpt-7b", "arc_challenge", "lm-eval", 25, "acc_norm", []float64{.4770}, leaderboard7},
	{"mpt-7b", "hellaswag", "lm-eval", 10, "acc_norm", []float64{.7757}, leaderboard7},
	{"mpt-7b", "winogrande", "lm-eval", 5, "acc", []float64{.7214}, leaderboard7},
	{"mpt-7b", "gsm8k", "lm-eval", 5, "exact_match", []float64{.0402}, leaderboard7},
	{"mpt-30b", "arc_challenge", "lm-eval", 25, "acc_norm", []float64{.5597}, leaderboard30},
	{"mpt-30b", "hellaswag", "lm-eval", 10, "acc_norm", []float64{.8242}, leaderboard30},
	{"mpt-7b", "lambada_openai", "foundry", 0, "accuracy", []float64{.6862, .7033}, foundry307},
	{"mpt-7b", "piqa", "foundry", 0, "accuracy", []float64{.7992}, foundry307},
	{"mpt-7b", "hellaswag", "foundry", 0, "accuracy", []float64{.7622}, foundry307},
	{"mpt-7b", "arc_easy", "foundry", 0, "accuracy", []float64{.6734}, foundry307},
	{"mpt-7b", "arc_challenge", "foundry", 0, "accuracy", []float64{.3916}, foundry307},
	{"mpt-7b", "jeopardy", "foundry", 0, "accuracy", []float64{.2737}, foundry307},
	{"mpt-7b", "squad", "foundry", 3, "accuracy", []float64{.5540}, foundry824},
	{"mpt-7b", "svamp", "foundry", 5, "accuracy", []float64{.3167}, foundry824},
	{"mpt-7b", "bigbench_operators", "foundry", 3, "accuracy", []float64{.3286}, foundry824},
	{"mpt-7b", "mmlu", "foundry", 5, "accuracy", []float64{.2836}, foundry824},
}

// PublishedModels returns the names of the models with published scores.
func PublishedModels() (names []string) {
	for _, p := range published {
		if !slices.Contains(names, p.Model) {
			names = append(names, p.Model)
		}
	}
	return names
}

// Against is a figure beside what was published.
type Against struct {
	Published
	Value  float64
	StdErr *float64
	Z      []float64 // how many standard errors it is above each value
}

// Published returns the figures of the results that there are published ones of.
func (r *Results) Published(model string) (list []Against, err error) {
	if !slices.Contains(PublishedModels(), model) {
		return nil, fmt.Errorf("eval: no scores of %q are known: of %s there are",
			model, strings.Join(PublishedModels(), " and "))
	}
	figures := map[string]Metric{}
	for _, o := range r.Runs {
		for _, m := range o.Metrics {
			if !o.Partial {
				figures[o.Rules+o.Name+m.Name] = m
			}
		}
	}
	for _, t := range r.Groups {
		figures["foundry"+t.Name+t.Metric.Name] = t.Metric
	}
	for _, p := range published {
		m, ok := figures[fmt.Sprintf("%s%s/%d-shot%s", p.Rules, p.Task, p.Shots, p.Metric)]
		if !ok || p.Model != model {
			continue
		}
		a := Against{Published: p, Value: m.Value, StdErr: m.StdErr}
		for _, v := range p.Values {
			if m.StdErr != nil && *m.StdErr > 0 {
				a.Z = append(a.Z, (m.Value-v) / *m.StdErr)
			}
		}
		list = append(list, a)
	}
	return list, nil
}

// String is the figure for people.
func (a Against) String() string {
	var values, z []string
	for _, v := range a.Values {
		values = append(values, fmt.Sprintf("%.4f", v))
	}
	for _, v := range a.Z {
		z = append(z, fmt.Sprintf("%+.1f", math.Round(v*10)/10))
	}
	text := fmt.Sprintf("%s/%d-shot %s: %.4f here, published %s", a.Task, a.Shots, a.Metric, a.Value,
		strings.Join(values, " and "))
	if len(z) > 0 {
		text += ", z " + strings.Join(z, " and ")
	}
	return text + " (" + a.Source + ")"
}
