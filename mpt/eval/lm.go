package eval

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"mptgo/internal/pyrandom"
	"mptgo/mpt/chat"
)

// lmSeed is lm-evaluation-harness' default seed for the choice of examples.
const lmSeed = 1234

// lmTask is a task of lm-evaluation-harness with its rows.
type lmTask struct {
	lmYAML
	aggregate []lmMetric // of its group

	splits map[string]*dataset
	rows   []*row // that are evaluated
	pool   []*row // of which examples are drawn
	seed   uint64

	text, target, choice *field // choice is nil if there is none
	description          *field
	targetDelimiter      string
	fewshotDelimiter     string
	excludes             bool // a row is no example for itself
	guessed              bool // nothing says where examples are from
	contexts             bool // the choices are contexts: doc_to_text is a number
	filters              []filterChain
	matches              []matcher // of exact_match
	until                []string
	most                 int // tokens of a generation
	docs                 map[*row]lmDoc
}

func newLMTask(path string, y lmYAML, opt LoadOptions) (*lmTask, error) {
	t := &lmTask{lmYAML: y, seed: lmSeed, splits: map[string]*dataset{}, docs: map[*row]lmDoc{},
		targetDelimiter: or(y.TargetDelimiter, " "), fewshotDelimiter: or(y.FewshotDelimiter, "\n\n")}
	if opt.Seed != nil {
		t.seed = *opt.Seed
	}
	if err := t.check(); err != nil {
		return nil, err
	}
	if err := t.readData(filepath.Dir(path), opt); err != nil {
		return nil, err
	}
	if err := t.readFields(); err != nil {
		return nil, err
	}
	return t, t.checkRows()
}

// readData reads the rows of all splits that are used.
func (t *lmTask) readData(dir string, opt LoadOptions) (err error) {
	test := t.Test
	if test == "" {
		test = t.Validation
	}
	if test == "" {
		return fmt.Errorf("neither test_split nor validation_split says which rows are evaluated")
	}
	if t.rows, err = t.split(test, dir, opt); err != nil {
		return err
	}
	fewshot := t.FewshotSplit
	if t.FewshotConfig.Split != "" {
		fewshot = t.FewshotConfig.Split
	}
	t.excludes = fewshot == t.Test
	t.guessed = fewshot == ""
	for _, s := range []string{t.Training, t.Validation, t.Test} {
		if fewshot == "" {
			fewshot = s
		}
	}
	if slices.Max(t.shots()) == 0 && t.splitFiles(fewshot) == nil {
		return nil // nobody asks for examples
	}
	t.pool, err = t.split(fewshot, dir, opt)
	return err
}

// splitFiles returns the names of the files of a split.
func (t *lmTask) splitFiles(name string) (list []string) {
	switch v := t.DatasetArgs.DataFiles[name].(type) {
	case string:
		return []string{v}
	case []any:
		for _, x := range v {
			list = append(list, fmt.Sprint(x))
		}
	}
	return list
}

// split returns the rows of a split.
func (t *lmTask) split(name, dir string, opt LoadOptions) (rows []*row, err error) {
	files := t.splitFiles(name)
	if len(files) == 0 {
		return nil, fmt.Errorf("dataset_kwargs.data_files names no file for the split %q", name)
	}
	for _, f := range files {
		switch ext := strings.ToLower(filepath.Ext(f)); ext {
		case ".csv", ".parquet", ".arrow", ".gz", ".zst":
			return nil, fmt.Errorf("%s: files %s are not supported: save the data as JSON lines", f, ext)
		}
		path, err := opt.findData(f, dir)
		if err != nil {
			return nil, err
		}
		if t.splits[path] == nil {
			if t.splits[path], err = opt.readRows(path); err != nil {
				return nil, err
			}
		}
		rows = append(rows, t.splits[path].rows...)
	}
	return rows, nil
}

// readFields reads what the task makes of its rows.
func (t *lmTask) readFields() (err error) {
	columns := map[string]any{}
	for _, r := range t.rows {
		for k, v := range r.fields {
			columns[k] = v
		}
	}
	if t.DocToChoice != nil {
		if t.choice, err = newField(t.DocToChoice, columns); err != nil {
			return fmt.Errorf("doc_to_choice: %w", err)
		}
	}
	if t.target, err = newField(t.DocToTarget, columns); err != nil {
		return fmt.Errorf("doc_to_target: %w", err)
	}
	if t.Description != "" {
		if t.description, err = newField(t.Description, columns); err != nil {
			return fmt.Errorf("description: %w", err)
		}
	}
	if t.OutputType == lmRolling {
		return nil
	}
	if t.text, err = newField(t.DocToText, columns); err != nil {
		return fmt.Errorf("doc_to_text: %w", err)
	}
	v, err := t.value(t.text, t.rows[0], "doc_to_text")
	if _, number := v.(int64); number {
		t.contexts = t.OutputType == lmChoice
	}
	return err
}

// checkRows asks for all that is made of the rows once, so that a bad one is found before
// anything is evaluated.
func (t *lmTask) checkRows() error {
	for _, r := range t.rows {
		if _, err := t.doc(r); err != nil {
			return err
		}
	}
	if slices.Max(t.shots()) > 0 {
		for _, r := range t.pool {
			if _, err := t.doc(r); err != nil {
				return err
			}
		}
	}
	return nil
}

// lmDoc is what a task makes of a row.
type lmDoc struct {
	text    string   // the question
	target  string   // the answer, as examples have it
	targets []string // all that are right, of a generation
	choices []string
	gold    int // of choices
}

// doc reads a row, once.
func (t *lmTask) doc(r *row) (lmDoc, error) {
	if d, ok := t.docs[r]; ok {
		return d, nil
	}
	d, err := t.read(r)
	if err == nil {
		t.docs[r] = d
	}
	return d, err
}

func (t *lmTask) read(r *row) (d lmDoc, err error) {
	if t.choice != nil {
		if d.choices, err = t.choices(r); err != nil {
			return d, err
		}
	}
	target, err := t.value(t.target, r, "doc_to_target")
	if err != nil {
		return d, err
	}
	if t.text != nil {
		v, err := t.value(t.text, r, "doc_to_text")
		if err != nil {
			return d, err
		}
		n, number := v.(int64)
		switch {
		case number != t.contexts:
			return d, r.fail("doc_to_text is %s, in the first row it is something else", describe(v))
		case number:
			return t.contextDoc(r, d, int(n), target)
		}
		d.text = v.(string)
	}
	return t.answers(r, d, target)
}

// contextDoc is a row whose choices are contexts.
func (t *lmTask) contextDoc(r *row, d lmDoc, gold int, target any) (lmDoc, error) {
	if gold < 0 || gold >= len(d.choices) {
		return d, r.fail("doc_to_text is %d: there are choices 0 to %d", gold, len(d.choices)-1)
	}
	s, ok := target.(string)
	if !ok || s == "" && t.targetDelimiter == "" {
		return d, r.fail("doc_to_target is %s: want what follows the choices", describe(target))
	}
	d.gold, d.text, d.target = gold, d.choices[gold], s
	return d, nil
}

// answers takes the target of a row.
func (t *lmTask) answers(r *row, d lmDoc, target any) (lmDoc, error) {
	switch v := target.(type) {
	case int64:
		if d.choices == nil && t.OutputType == lmGenerate {
			d.target = fmt.Sprint(v)
			break
		}
		if v < 0 || int(v) >= len(d.choices) {
			return d, r.fail("doc_to_target is %d: there are choices 0 to %d", v, len(d.choices)-1)
		}
		d.gold, d.target = int(v), d.choices[v]
	case string:
		d.target = v
		if t.OutputType == lmChoice {
			if d.gold = slices.Index(d.choices, v); d.gold < 0 {
				return d, r.fail("doc_to_target is %q, which is neither a number nor one of the choices", v)
			}
		}
	case []any:
		if t.OutputType != lmGenerate || len(v) == 0 {
			return d, r.fail("doc_to_target is a list: several right answers are supported for %s only", lmGenerate)
		}
		for i, x := range v {
			s, ok := x.(string)
			if !ok {
				return d, r.fail("doc_to_target: item %d is %s, not a text", i, describe(x))
			}
			d.targets = append(d.targets, s)
		}
		d.target = d.targets[0]
		return d, nil
	}
	d.targets = []string{d.target}
	if d.target == "" && (t.OutputType == lmLoglikelihood || t.OutputType == lmRolling) {
		return d, r.fail("doc_to_target is empty: there is nothing to score")
	}
	if t.OutputType == lmChoice && slices.Contains(d.choices, "") {
		return d, r.fail("a choice is empty: there is nothing to score")
	}
	return d, nil
}

// fewshot returns the examples of each row.
func (t *lmTask) fewshot(k int) ([][]int, error) {
	all := make([][]int, len(t.rows))
	if k == 0 {
		return all, nil
	}
	want := k
	if t.excludes {
		want++
	}
	first := t.FewshotConfig.Sampler == "first_n"
	if want > len(t.pool) && !(first && k <= len(t.pool)) {
		return nil, fmt.Errorf("%s: %d examples of %d rows: there are too few", t.Task, k, len(t.pool))
	}
	r := pyrandom.New(t.seed)
	for i, x := range t.rows {
		var drawn []int
		if first {
			for j := range t.pool {
				drawn = append(drawn, j)
			}
		} else {
			drawn = r.Sample(len(t.pool), want)
		}
		if t.excludes {
			drawn = slices.DeleteFunc(drawn, func(j int) bool { return sameRow(t.pool[j], x) })
		}
		if len(drawn) < k {
			return nil, x.fail("only %d of %d examples are left: other rows are equal to this one", len(drawn), k)
		}
		all[i] = drawn[:k]
	}
	return all, nil
}

// sameRow reports whether two rows hold the same.
func sameRow(a, b *row) bool { return a == b || a.text == b.text || equalRows(a, b) }

func equalRows(a, b *row) bool {
	if len(a.fields) != len(b.fields) {
		return false
	}
	for k, v := range a.fields {
		if w, ok := b.fields[k]; !ok || fmt.Sprintf("%T%[1]q", v) != fmt.Sprintf("%T%[1]q", w) {
			return false
		}
	}
	return true
}

// warnings tells of settings that do something else than they seem to.
func (t *lmTask) warnings() (list []string) {
	if t.guessed && slices.Max(t.shots()) > 0 && !t.excludes {
		list = append(list,
			t.Task+": fewshot_split is not given: a row can be an example for itself, as in lm-evaluation-harness")
	}
	return list
}

// lmChat says how prompts are put into a chat format.
type lmChat struct {
	format    *chat.Format // nil: they are not
	multiturn bool
	system    string
}
