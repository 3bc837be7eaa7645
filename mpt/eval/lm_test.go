package eval

import (
	"math"
	"os"
	"path/filepath"
	"reflect"
	"testing"

	"mptgo/mpt/builtin"
	"mptgo/mpt/chat"
)

// lmOf reads a task of one file.
func lmOf(t testing.TB, yaml, rows string) *lmTask {
	t.Helper()
	dir := t.TempDir()
	yaml = "task: x\ndataset_path: json\ndataset_kwargs: {data_files: {test: rows.jsonl}}\ntest_split: test\n" + yaml
	for name, text := range map[string]string{"x.yaml": yaml, "rows.jsonl": rows} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	tasks, err := Load(filepath.Join(dir, "x.yaml"), LoadOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return tasks[0].lm
}

const threeRows = `{"q": "1+1?", "c": ["2", "3"], "g": 0}
{"q": "2+2?", "c": ["5", "4"], "g": 1}
{"q": "3+3?", "c": ["6", "9"], "g": 0}
`

// Prompts with and without a chat format, as lm-evaluation-harness composes them.
func TestPrompts(t *testing.T) {
	task := lmOf(t, "output_type: multiple_choice\ndoc_to_text: q\ndoc_to_choice: c\ndoc_to_target: g\ndescription: \"Sums {{g}}.\\n\\n\"\n"+
		"fewshot_split: test\nfewshot_config: {sampler: first_n}\nnum_fewshot: 2\n", threeRows)
	chatml, err := chat.Named("chatml")
	if err != nil {
		t.Fatal(err)
	}
	chatml = chatml.WithSystem("")
	const im, end = "<|im_start|>", "<|im_end|>\n"
	for _, c := range []struct {
		talk lmChat
		want string
	}{
		{lmChat{}, "Sums 0.\n\n2+2? 4\n\n3+3? 6\n\n1+1?"},
		{lmChat{system: "Be brief."}, "Be brief.\n\nSums 0.\n\n2+2? 4\n\n3+3? 6\n\n1+1?"},
		{lmChat{format: chatml}, im + "system\nSums 0.\n\n" + end + im + "user\n2+2? 4\n\n3+3? 6\n\n1+1?" + end + im + "assistant\n"},
		{lmChat{format: chatml, multiturn: true, system: "Be brief."}, im + "system\nBe brief.\n\nSums 0.\n\n" + end + im + "user\n2+2?" + end + im +
			"assistant\n4" + end + im + "user\n3+3?" + end + im + "assistant\n6" + end + im + "user\n1+1?" + end + im + "assistant\n"},
	} {
		r, err := task.run(2, c.talk)
		if err != nil {
			t.Fatal(err)
		}
		list, err := task.before(r, 0, c.talk)
		if err != nil {
			t.Fatal(err)
		}
		got, err := c.talk.prompt(append(list, task.turn("1+1?", "", "")...))
		if err != nil || got != c.want {
			t.Errorf("%q, %v, want %q", got, err, c.want)
		}
	}
}

// What tasks make of rows.
func TestFields(t *testing.T) {
	for _, c := range []struct {
		yaml, row string
		want      lmDoc
	}{
		{"output_type: multiple_choice\ndoc_to_text: \"Q: {{q}}\\n\"\ndoc_to_choice: \"{{[a, b]}}\"\ndoc_to_target: \"{{['x','y'].index(l)}}\"\n",
			`{"q": "why", "a": "it's", "b": "\"no\"", "l": "y"}`,
			lmDoc{text: "Q: why\n", target: `"no"`, targets: []string{`"no"`}, choices: []string{"it's", `"no"`}, gold: 1}},
		{"output_type: multiple_choice\ndoc_to_text: q\ndoc_to_choice: [A, B]\ndoc_to_target: l\n", `{"q": "why", "l": "B"}`,
			lmDoc{text: "why", target: "B", targets: []string{"B"}, choices: []string{"A", "B"}, gold: 1}},
		{"output_type: multiple_choice\ndoc_to_text: \"{{n}}\"\ndoc_to_choice: [A, B]\ndoc_to_target: q\n", `{"q": "end", "n": 1}`,
			lmDoc{text: "B", target: "end", choices: []string{"A", "B"}, gold: 1}},
		{"output_type: generate_until\ndoc_to_text: q\ndoc_to_target: \"{{l}}\"\nmetric_list: [{metric: exact_match}]\n", `{"q": "why", "l": ["a", "b"]}`,
			lmDoc{text: "why", target: "a", targets: []string{"a", "b"}}},
		{"output_type: generate_until\ndoc_to_text: q\ndoc_to_target: n\n", `{"q": "why", "n": 7}`, lmDoc{text: "why", target: "7", targets: []string{"7"}}},
	} {
		task := lmOf(t, c.yaml, c.row+"\n")
		got, err := task.doc(task.rows[0])
		if err != nil || !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s of %s: %+v, %v, want %+v", c.yaml, c.row, got, err, c.want)
		}
	}
}

// The filters of generated texts.
func TestFilters(t *testing.T) {
	task := lmOf(t, `output_type: generate_until
doc_to_text: q
doc_to_target: a
metric_list: [{metric: exact_match, ignore_case: true, regexes_to_ignore: [",", "\\$"]}]
filter_list:
- {name: strict, filter: [{function: regex, regex_pattern: "#### (\\-?[0-9\\.\\,]+)"}, {function: take_first}]}
- {name: last, filter: [{function: regex, group_select: -1, regex_pattern: "(-?[$0-9.,]{2,})|(-?[0-9]+)"}, {function: take_first}]}
`, `{"q": "x", "a": "1000"}`+"\n")
	for _, c := range []struct{ out, strict, last string }{
		{"so 5 and\n#### 1,000", "1,000", "1,000"}, {"it is $1,000 or 7", "[invalid]", "7"}, {"none", "[invalid]", "[invalid]"},
	} {
		for i, want := range []string{c.strict, c.last} {
			got, err := task.filters[i].steps[0](c.out)
			if err != nil || got != want {
				t.Errorf("%q: filter %s: %q, %v, want %q", c.out, task.filters[i].name, got, err, want)
			}
		}
	}
	if same, err := task.matches[0].same("$1,000", "1000"); err != nil || !same {
		t.Error("$1,000 is not 1000")
	}
}

// Windows cover every token once, none is longer than the model is given, and all but the
// first have as much before them as fits.
func TestWindows(t *testing.T) {
	m, err := builtin.Open()
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	const text = `{"t": "Once upon a time, there was a cat who had a hat and a bat and a very big house."}` + "\n"
	for _, most := range []int{1, 2, 5, 7, 100} {
		task := lmOf(t, "output_type: loglikelihood_rolling\ndoc_to_text: \"\"\ndoc_to_target: t\n", text)
		e := newEncoder(m, most)
		q := &question{row: task.rows[0], sample: &Sample{}}
		if err := task.askRolling(e, q, "Once upon a time, there was a cat who had a hat and a bat and a very big house."); err != nil {
			t.Fatal(err)
		}
		var got []int32
		for k, r := range q.requests {
			got = append(got, r.scored...)
			if r.inputs() > most || k > 0 && r.inputs() != most {
				t.Errorf("windows of %d: number %d has %d tokens", most, k, r.inputs())
			}
		}
		if want := e.ids("Once upon a time, there was a cat who had a hat and a bat and a very big house."); !reflect.DeepEqual(got, want) {
			t.Errorf("windows of %d: scored are %v, want %v", most, got, want)
		}
	}
}

func TestMcNemar(t *testing.T) {
	for _, c := range []struct {
		lost, gained int
		want         float64
	}{{0, 0, 1}, {1, 0, 1}, {5, 0, 0.0625}, {2, 8, 0.109375}, {3, 3, 1}, {0, 10, 0.001953125}} {
		if got := mcNemar(c.lost, c.gained); math.Abs(got-c.want) > 1e-12 {
			t.Errorf("%d lost, %d gained: p %v, want %v", c.lost, c.gained, got, c.want)
		}
	}
}

// What is too long is cut on the left; the last token of a continuation is not evaluated,
// so one more fits. A continuation that leaves nothing is refused.
func TestPairIsCut(t *testing.T) {
	m, err := builtin.Open()
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	task := lmOf(t, "output_type: loglikelihood\ndoc_to_text: q\ndoc_to_target: q\n", `{"q": "x"}`+"\n")
	const context, continuation = "Once upon a time there was", " a little dog"
	whole := newEncoder(m, 0).ids(context + continuation)
	scored := len(newEncoder(m, 0).ids(continuation))
	for most := 1; most < len(whole)+3; most++ {
		q := &question{row: task.rows[0], sample: &Sample{}}
		err := task.askPair(newEncoder(m, most), q, context, continuation)
		if most < scored {
			if err == nil {
				t.Errorf("%d tokens: a continuation of %d is taken", most, scored)
			}
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		if got, want := q.requests[0].ids(), whole[max(len(whole)-most-1, 0):]; !reflect.DeepEqual(got, want) {
			t.Errorf("%d tokens: %v, want %v", most, got, want)
		}
	}
}

// Examples of another split can be equal to the row; those of the same cannot.
func TestSplits(t *testing.T) {
	const base = "output_type: multiple_choice\ndoc_to_text: q\ndoc_to_choice: c\ndoc_to_target: g\nnum_fewshot: 2\n"
	for yaml, want := range map[string][2]bool{ // excludes, guessed
		"fewshot_split: test\n": {true, false}, "validation_split: test\nfewshot_split: test\n": {true, false}, "": {false, true},
		"training_split: test\n": {false, true},
	} {
		task := lmOf(t, base+yaml, threeRows)
		if task.excludes != want[0] || task.guessed != want[1] {
			t.Errorf("%q: excludes %v, guessed %v, want %v", yaml, task.excludes, task.guessed, want)
		}
		if warned := len(task.warnings()) > 0; warned != want[1] {
			t.Errorf("%q: warned: %v", yaml, warned)
		}
	}
}

// No more sequences are open than may be, apart from those that wait for their branches.
func TestParallel(t *testing.T) {
	m, err := builtin.Open()
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	var all []*request
	q := &question{sample: &Sample{}, row: &row{file: &dataset{}}}
	for i := range int32(40) {
		q.add(&request{ctx: []int32{300 + i, 5}, scored: []int32{7, 8}})
		q.add(&request{ctx: []int32{300 + i, 5}, scored: []int32{9, 8}})
	}
	all = q.requests
	root, _ := grow(all)
	a := &asker{m: m, batch: 512, parallel: 6, context: 8}
	most := 0
	a.answered = func(*request) error { most = max(most, a.open); return nil }
	if err := a.run(t.Context(), root); err != nil {
		t.Fatal(err)
	}
	if most == 0 || most > 2*a.parallel || a.open != 0 || q.left != 0 {
		t.Errorf("%d sequences were open, %d are, %d questions are not answered", most, a.open, q.left)
	}
}

// Equal choices: the first wins, by both rules.
func TestFirstOfEquals(t *testing.T) {
	task := lmOf(t, "output_type: multiple_choice\ndoc_to_text: q\ndoc_to_choice: c\ndoc_to_target: g\n", threeRows)
	foundry := &foundryTask{foundryYAML: foundryYAML{Type: multipleChoice}}
	for _, judge := range []func(*question){task.judge, foundry.judge} {
		q := &question{row: task.rows[0], sample: &Sample{}}
		q.row.fields["gold"] = int64(0)
		for range 2 {
			q.add(&request{ctx: []int32{1}, scored: []int32{2}})
			q.requests[len(q.requests)-1].score.loglik = -3
		}
		if judge(q); *q.sample.Pick != 0 {
			t.Errorf("choice %d of equals wins", *q.sample.Pick)
		}
	}
}

// A file without aliases has the answer as its only label, as gsm8k in llm-foundry.
func TestNoAliases(t *testing.T) {
	tasks, err := loadText("icl_tasks:\n- {label: x, dataset_uri: rows.jsonl, num_fewshot: [0], icl_task_type: generation_task_with_answers,\n"+
		"  cot_delimiter: 'is ', do_normalization: false, early_stopping_criteria: [\"\\n\\n\", 'Q:']}\n",
		`{"context": "1+1", "answer": "2", "chain_of_thought": "one and one"}`+"\n")
	if err != nil {
		t.Fatal(err)
	}
	f := tasks[0].foundry
	for text, want := range map[string]bool{" that is 2.\n\nis 3": true, " is 3 or is 2": true, "2 is 3": false, "is 12": false, "it is 2Q: is 4": true} {
		q := &question{row: f.data.rows[0], sample: &Sample{}}
		r := &request{ctx: []int32{1}, gen: &generation{}}
		r.gen.text.WriteString(text)
		q.add(r)
		if f.judge(q); (*q.sample.Result == 1) != want || len(q.sample.Labels) != 1 {
			t.Errorf("%q is %v, labels %q", text, *q.sample.Result, q.sample.Labels)
		}
	}
	if got, want := f.prompt(f.data.rows, []int{0}), "1+1 one and oneis 2"; got != want {
		t.Errorf("an example is %q, want %q", got, want)
	}
}
