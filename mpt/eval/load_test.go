package eval_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"mptgo/mpt/builtin"
	"mptgo/mpt/eval"
)

// folder writes files into a new folder; names and contents alternate.
func folder(t testing.TB, files ...string) string {
	t.Helper()
	dir := t.TempDir()
	for i := 0; i < len(files); i += 2 {
		if err := os.WriteFile(filepath.Join(dir, files[i]), []byte(files[i+1]), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// Rows that cannot be used are errors with the number of their line.
func TestBadRows(t *testing.T) {
	const good = `{"query": "q", "choices": ["a", "b"], "gold": 1}` + "\n"
	for _, c := range []struct {
		name, rows string
		line       int
		want       string
	}{
		{"empty", "", 1, "the file is empty"},
		{"bom", "\xef\xbb\xbf" + good, 1, "byte order mark"},
		{"crlf", good + strings.ReplaceAll(good, "\n", "\r\n"), 2, "CR LF"},
		{"blank", good + "\n" + good, 2, "an empty line"},
		{"blank at the end", good + "\n", 2, "an empty line"},
		{"cut", good + `{"query": "q", "choi`, 2, "not JSON: the line ends too early"},
		{"not json", good + good + "query\n", 3, "not JSON"},
		{"array", "[1]\n", 1, "not a JSON object"},
		{"two", `{"query": "q"} {"x": 1}` + "\n", 1, "more text follows"},
		{"twice", `{"query": "q", "query": "p"}` + "\n", 1, "is there twice"},
		{"utf8", good + "{\"query\": \"\xff\"}\n", 2, "not UTF-8"},
		{"no key", good + `{"query": "q", "gold": 0}` + "\n", 2, `"choices" is missing`},
		{"gold text", good + `{"query": "q", "choices": ["a"], "gold": "0"}` + "\n", 2, `"gold" is the text "0", not an integer`},
		{"gold half", good + `{"query": "q", "choices": ["a"], "gold": 0.5}` + "\n", 2, "not an integer"},
		{"gold null", good + `{"query": "q", "choices": ["a"], "gold": null}` + "\n", 2, "not an integer"},
		{"gold high", good + `{"query": "q", "choices": ["a"], "gold": 1}` + "\n", 2, `"gold" is 1`},
		{"gold low", good + `{"query": "q", "choices": ["a"], "gold": -1}` + "\n", 2, `"gold" is -1`},
		{"no choices", good + `{"query": "q", "choices": [], "gold": 0}` + "\n", 2, `"choices" is empty`},
		{"empty choice", good + `{"query": "q", "choices": ["a", ""], "gold": 0}` + "\n", 2, "item 1 is empty"},
		{"number", good + `{"query": 7, "choices": ["a"], "gold": 0}` + "\n", 2, `"query" is not a text`},
		{"choice number", good + `{"query": "q", "choices": ["a", 3], "gold": 0}` + "\n", 2, "item 1 is not a text"},
		{"huge number", `{"query": "q", "x": 1e999}` + "\n", 1, "too large"},
		{"deep", `{"query": ` + strings.Repeat("[", 200) + strings.Repeat("]", 200) + "}\n", 1, "nested deeper"},
		{"other keys", `{"text": "q"}` + "\n", 1, "those of no type of task"},
		{"lm empty", `{"context": "q", "continuation": " "}` + "\n", 1, `"continuation" is empty`},
		{"qa", `{"context": "q", "answer": "a", "aliases": "a"}` + "\n", 1, `"aliases" is not a list`},
	} {
		dir := folder(t, "rows.jsonl", c.rows)
		_, err := eval.Load(filepath.Join(dir, "rows.jsonl"), eval.LoadOptions{})
		row := (*eval.RowError)(nil)
		if !errors.As(err, &row) || row.Line != c.line || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want an error in line %d with %q", c.name, err, c.line, c.want)
		}
	}
}

const goodRow = `{"query": "q", "choices": ["a", "b"], "gold": 1}` + "\n"

// Task files that would mean something else than in the original are refused by name.
func TestBadTasks(t *testing.T) {
	foundry := func(rest string) string {
		return "icl_tasks:\n- label: x\n  dataset_uri: rows.jsonl\n  num_fewshot: [0]\n  icl_task_type: multiple_choice\n" + rest
	}
	lm := func(rest string) string {
		base := "task: x\ndataset_path: json\ndataset_kwargs: {data_files: {test: rows.jsonl}}\ntest_split: test\n" +
			"output_type: multiple_choice\ndoc_to_text: query\ndoc_to_choice: choices\ndoc_to_target: gold\n"
		for line := range strings.Lines(rest) {
			key, _, _ := strings.Cut(line, ":")
			for old := range strings.Lines(base) {
				if strings.HasPrefix(old, key+":") {
					base = strings.Replace(base, old, "", 1)
				}
			}
		}
		return base + rest
	}
	for _, c := range []struct{ yaml, want string }{
		{foundry("  shots: 3\n"), `unknown field "shots"`},
		{foundry("  prelimiter: a\n  question_prelimiter: b\n"), "two names of one key"},
		{foundry("  metric_names: [Loss]\n"), "Loss is not supported"},
		{foundry("  generation_kwargs: {temperature: 0.7}\n"), "generations are greedy"},
		{foundry("  early_stopping_criteria: [\"(\"]\n"), "early_stopping_criteria"},
		{strings.Replace(foundry(""), "rows.jsonl", "hf://x/y", 1), "nothing is downloaded"},
		{strings.Replace(foundry(""), "rows.jsonl", "none.jsonl", 1), "none.jsonl"},
		{strings.Replace(foundry(""), "multiple_choice", "code_evaluation", 1), `"code_evaluation" is not supported`},
		{strings.Replace(foundry(""), "[0]", "[-1]", 1), "negative"},
		{foundry("") + foundry("")[len("icl_tasks:\n"):], "there twice"},
		{"icl_tasks: tasks.yaml\n", "names another file"},
		{"model: x\n", "neither tasks of llm-foundry"},
		{"icl_tasks: [\n", "tasks.yaml: ["},
		{lm("doc_to_text: !function utils.f\n"), "a function in Python"},
		{lm("process_docs: x\n"), `unknown field "process_docs"`},
		{lm("dataset_path: hellaswag\n"), `dataset_path "hellaswag" is not supported`},
		{lm("dataset_kwargs: {data_files: {test: rows.csv}}\n"), "files .csv are not supported"},
		{lm("output_type: generate\n"), `output_type "generate" is not supported`},
		{lm("metric_list: [{metric: f1}]\n"), `metric "f1" is not supported`},
		{lm("metric_list: [{metric: acc, aggregation: median}]\n"), `aggregation "median" is not supported`},
		{lm("doc_to_text: \"{{nothing}}\"\n"), "is undefined"},
		{lm("doc_to_text: \"{{query\"\n"), "the template"},
		{lm("doc_to_target: \"{{gold + 5}}\"\n"), "doc_to_target is 6"},
		{lm("doc_to_target: query\n"), "neither a number nor one of the choices"},
		{lm("fewshot_config: {sampler: balanced}\n"), `sampler "balanced" is not supported`},
		{lm("num_fewshot: 1\nfewshot_split: dev\n"), `no file for the split "dev"`},
		{lm("include: tasks.yaml\n"), "include one another"},
		{lm("repeats: 4\n"), "repeats: 4"},
		{lm("output_type: generate_until\nfilter_list: [{name: x, filter: [{function: majority_vote}]}]\nmetric_list: [{metric: exact_match}]\n"), "majority_vote"},
		{lm("output_type: generate_until\ngeneration_kwargs: {do_sample: true}\nmetric_list: [{metric: exact_match}]\n"), "do_sample: true is not supported"},
	} {
		dir := folder(t, "tasks.yaml", c.yaml, "rows.jsonl", goodRow, "rows.csv", "x")
		_, err := eval.Load(filepath.Join(dir, "tasks.yaml"), eval.LoadOptions{})
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q: %v, want an error with %q", c.yaml, err, c.want)
		}
	}
}

// Rows that leave no room are errors when they become tokens.
func TestRowsThatDoNotFit(t *testing.T) {
	m, err := builtin.Open()
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	for _, c := range []struct {
		rows string
		opt  eval.Options
		want string
	}{
		{goodRow + `{"query": "q", "choices": ["a", "one two three four five six"], "gold": 1}` + "\n", eval.Options{Context: 4},
			"rows.jsonl:2: 6 scored tokens leave no room"},
		{`{"context": "q", "answer": "one two three four five six", "aliases": []}` + "\n", eval.Options{Context: 6}, "rows.jsonl:1: answers of up to"},
		{goodRow, eval.Options{Samples: []int{3}}, "there is no row 3"},
		{goodRow, eval.Options{Chat: eval.Chat{Apply: true}}, "not part of llm-foundry's rules"},
	} {
		dir := folder(t, "rows.jsonl", c.rows)
		tasks, err := eval.Load(filepath.Join(dir, "rows.jsonl"), eval.LoadOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if _, err = eval.Plan(m, tasks, c.opt); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q: %v, want an error with %q", c.rows, err, c.want)
		}
	}
}
