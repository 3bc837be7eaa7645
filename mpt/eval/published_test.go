package eval

import "testing"

// A figure is found by its rules, task, shots and metric, and by nothing else.
func TestPublished(t *testing.T) {
	run := func(rules, name, metric string, partial bool) *Outcome {
		return &Outcome{Name: name, Rules: rules, Partial: partial, Metrics: []Metric{{Name: metric, Value: .78, StdErr: ptr(.01)}}}
	}
	r := &Results{Runs: []*Outcome{
		run("foundry", "piqa/0-shot", "accuracy", false), run("foundry", "piqa/5-shot", "accuracy", false),
		run("lm-eval", "piqa/0-shot", "acc", false), run("foundry", "arc_easy/0-shot", "accuracy", true),
	}, Groups: []Total{{Name: "mmlu/5-shot", Metric: Metric{Name: "accuracy", Value: .3}}}}
	list, err := r.Published("mpt-7b")
	if err != nil || len(list) != 2 || list[0].Task != "piqa" || list[1].Task != "mmlu" || list[1].Z != nil {
		t.Fatalf("%v, %v", list, err)
	}
	const want = "piqa/0-shot accuracy: 0.7800 here, published 0.7992, z -1.9 (llm-foundry pull requests 307 and 291)"
	if got := list[0].String(); got != want {
		t.Errorf("%s, want %s", got, want)
	}
	if list, err = r.Published("mpt-30b"); err != nil || len(list) != 0 {
		t.Errorf("%v, %v", list, err)
	}
	if _, err = r.Published("mpt-1b"); err == nil {
		t.Error("scores of mpt-1b are known")
	}
}
