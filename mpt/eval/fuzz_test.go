package eval

import (
	"strings"
	"testing"
	"testing/fstest"

	"mptgo/internal/check"
)

const (
	fuzzFoundry = "icl_tasks:\n- label: x\n  dataset_uri: rows.jsonl\n  num_fewshot: [0]\n  icl_task_type: multiple_choice\n"
	fuzzLM      = "task: x\ndataset_path: json\ndataset_kwargs: {data_files: {test: rows.jsonl}}\ntest_split: test\noutput_type: multiple_choice\n" +
		"doc_to_text: \"{{query}}\"\ndoc_to_choice: \"{{choices}}\"\ndoc_to_target: gold\n"
	fuzzRow = `{"query": "q", "choices": ["a", "b"], "gold": 1}` + "\n"
)

// loadText loads a file of tasks and one of rows that are in memory.
func loadText(yaml, rows string) ([]*Task, error) {
	return Load("tasks.yaml", LoadOptions{files: fstest.MapFS{"tasks.yaml": {Data: []byte(yaml)}, "rows.jsonl": {Data: []byte(rows)}}})
}

// Task files come from strangers: reading one costs no more than it may.
func FuzzLoad(f *testing.F) {
	f.Add(fuzzFoundry, fuzzRow)
	f.Add(fuzzLM, fuzzRow)
	f.Add(bomb(), fuzzRow)
	f.Fuzz(func(t *testing.T, yaml, rows string) {
		if strings.Contains(yaml, "group") {
			t.Skip() // whose tasks are looked for in a folder
		}
		check.Bounded(t, len(yaml)+len(rows), func() {
			if tasks, err := loadText(yaml, rows); err == nil && len(tasks) == 0 {
				t.Error("neither tasks nor an error")
			}
		})
	})
}

// bomb is a small YAML file whose aliases stand for gigabytes.
func bomb() string {
	var b strings.Builder
	b.WriteString("a0: &a0 [x, x, x, x, x, x, x, x, x]\n")
	for i := 1; i < 10; i++ {
		d := string(rune('0' + i))
		p := string(rune('0' + i - 1))
		b.WriteString("a" + d + ": &a" + d + " [" + strings.TrimSuffix(strings.Repeat("*a"+p+", ", 9), ", ") + "]\n")
	}
	return b.String() + "icl_tasks: *a9\n"
}

func TestBomb(t *testing.T) {
	check.Bounded(t, len(bomb()), func() {
		if _, err := loadText(bomb(), fuzzRow); err == nil {
			t.Error("a bomb of aliases is read")
		} else {
			t.Log(err)
		}
	})
}
