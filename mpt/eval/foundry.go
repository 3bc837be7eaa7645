package eval

import (
	"fmt"
	"slices"
	"strings"

	"mptgo/internal/pyrandom"
)

// foundryShots returns the examples of the first of n rows: k of the others, in the order
// in which CPython visits the set that llm-foundry keeps them in.
func foundryShots(first, n, k int, seed uint64) [][]int {
	r := pyrandom.New(seed)
	k = min(n-1, k)
	all := make([][]int, first)
	for i := range all {
		s := pyrandom.NewSet(r.Sample(n, k)...)
		if s.Has(i) {
			s.Remove(i)
			if s.Len() < n-1 {
				s.Add(other(r, s, n, i))
			}
		}
		all[i] = s.Items()
	}
	return all
}

// other draws a row that is neither i nor in the set.
func other(r *pyrandom.Random, s *pyrandom.Set, n, i int) int {
	for {
		if j := r.Below(n); j != i && !s.Has(j) {
			return j
		}
	}
}

// runs returns the task with so many examples, a run for each category.
func (t *foundryTask) runs(shots int) []*run {
	name := fmt.Sprintf("%s/%d-shot", t.Label, shots)
	if !t.HasCategories {
		return []*run{t.run(name, "", shots, t.data.rows)}
	}
	by := map[string][]*row{}
	for _, r := range t.data.rows {
		c := r.fields["category"].(string)
		by[c] = append(by[c], r)
	}
	var all []*run
	for _, c := range sortedKeys(by) {
		all = append(all, t.run(name+"/"+c, name, shots, by[c]))
	}
	return all
}

func (t *foundryTask) run(name, group string, shots int, rows []*row) *run {
	r := &run{
		Name: name, group: group, task: t.Label, rules: "foundry", shots: shots, rows: rows,
		files: map[string]string{t.data.path: t.data.sha}, extra: fmt.Sprintf("%+v", t.settings()),
		fewshot: foundryShots(len(rows), len(rows), shots, t.seed), judge: t.judge, metrics: t.metrics,
	}
	longest := 0
	r.ask = func(e *encoder, i int) (*question, error) {
		if longest == 0 && t.Type == generationTask {
			longest = t.longestAnswer(e)
		}
		return t.ask(e, r, i, longest)
	}
	r.random = t.guessing(rows)
	return r
}

// settings are what decides about results, beside the rows.
func (t *foundryTask) settings() []any {
	return []any{t.Type, t.PromptString, t.exampleDelimiter, t.continuationDelimiter, t.prelimiter, t.seed, t.strip,
		t.MaxSeqLen,
		t.CoTDelimiter, t.EarlyStopping, t.normalize, t.calibration}
}

// guessing returns the accuracy of who guesses.
func (t *foundryTask) guessing(rows []*row) *float64 {
	key := map[string]string{multipleChoice: "choices", schema: "context_options"}[t.Type]
	if key == "" {
		return ptr(0.0)
	}
	n := len(rows[0].fields[key].([]any))
	for _, r := range rows {
		if len(r.fields[key].([]any)) != n {
			return nil
		}
	}
	return ptr(1 / float64(n))
}

func texts(list []any) []string {
	all := make([]string, len(list))
	for i, v := range list {
		all[i] = v.(string)
	}
	return all
}

func (r *row) text1(key string) string   { s, _ := r.fields[key].(string); return s }
func (r *row) list(key string) []string  { l, _ := r.fields[key].([]any); return texts(l) }
func (r *row) number(key string) int     { n, _ := r.fields[key].(int64); return int(n) }
func (t *foundryTask) chain(r *row) bool { _, ok := r.fields["chain_of_thought"]; return ok }

// query returns what stands before the answer of a row.
func (t *foundryTask) query(r *row) string {
	if t.Type == multipleChoice {
		return r.text1("query")
	}
	return r.text1("context")
}

// answer returns the right answer of a row, as examples have it.
func (t *foundryTask) answer(r *row) string {
	switch t.Type {
	case multipleChoice:
		return r.list("choices")[r.number("gold")]
	case generationTask:
		if t.chain(r) {
			return r.text1("chain_of_thought") + t.CoTDelimiter + r.text1("answer")
		}
		return r.text1("answer")
	}
	return r.text1("continuation")
}

// prompt returns the text of the examples.
func (t *foundryTask) prompt(rows []*row, shots []int) string {
	text := t.PromptString
	for _, i := range shots {
		text += t.example(rows[i], text)
	}
	return text
}

// delimiter is what stands between text and the next example.
func (t *foundryTask) delimiter(text string) string {
	if text == "" {
		return ""
	}
	return t.exampleDelimiter
}

func (t *foundryTask) example(r *row, text string) string {
	if t.Type == schema { // the prelimiter before the delimiter: so does the original
		return t.prelimiter + t.delimiter(text) + r.list("context_options")[r.number("gold")] +
			t.continuationDelimiter + t.answer(r)
	}
	return t.delimiter(text) + t.prelimiter + t.query(r) + t.continuationDelimiter + t.answer(r)
}

// contexts returns what follows the examples: one text, of a schema one for each option.
func (t *foundryTask) contexts(r *row, text string) (all []string) {
	if t.Type != schema {
		c := t.delimiter(text) + t.prelimiter + t.query(r) + t.continuationDelimiter
		if t.strip {
			c = rstrip(c)
		}
		return []string{c}
	}
	for _, option := range r.list("context_options") {
		if text == "" {
			all = append(all, t.prelimiter+option)
			continue
		}
		all = append(all, t.prelimiter+t.exampleDelimiter+option+rstrip(t.continuationDelimiter))
	}
	return all
}

// ask returns row i as a question.
func (t *foundryTask) ask(e *encoder, r *run, i, longest int) (*question, error) {
	x := r.rows[i]
	q := &question{row: x, sample: &Sample{Run: r.Name, I: i, Fewshot: r.fewshot[i]}}
	text := t.prompt(r.rows, r.fewshot[i])
	head := e.head(text)
	if n := len(head); n > 1 && head[n-1] == e.tok.EOS() {
		head = head[:n-1]
	}
	most := t.MaxSeqLen
	if most == 0 {
		most = e.context
	}
	var contexts [][]int32
	for _, c := range t.contexts(x, text) {
		contexts = append(contexts, slices.Concat(head, e.ids(c)))
	}
	if t.Type == generationTask {
		return q, t.askGeneration(e, q, contexts[0], most, longest)
	}
	answers := []string{x.text1("continuation")}
	if t.Type == multipleChoice {
		answers = x.list("choices")
	}
	for k := range max(len(contexts), len(answers)) {
		ctx, answer := contexts[min(k, len(contexts)-1)], answers[min(k, len(answers)-1)]
		if err := t.askAnswer(e, q, ctx, answer, most); err != nil {
			return nil, err
		}
	}
	return q, nil
}

// askAnswer asks how probable an answer is.
func (t *foundryTask) askAnswer(e *encoder, q *question, ctx []int32, answer string, most int) error {
	if e.prefixSpace && !strings.HasPrefix(answer, " ") {
		answer = " " + answer
	}
	scored := e.ids(answer)
	if len(scored) == 0 {
		return q.row.fail("an answer has no tokens: there is nothing to score")
	}
	if extra := len(ctx) + len(scored) - most; extra > 0 {
		ctx = ctx[min(extra, len(ctx)):]
	}
	if len(ctx) == 0 {
		return q.row.fail("%d scored tokens leave no room for a context, of %d tokens in all", len(scored), most)
	}
	q.add(&request{ctx: ctx, scored: scored})
	return nil
}

// longestAnswer returns how many tokens a generation may take.
func (t *foundryTask) longestAnswer(e *encoder) (n int) {
	for _, r := range t.data.rows {
		for _, a := range append(r.list("aliases"), r.text1("answer")) {
			if t.chain(r) {
				a = r.text1("chain_of_thought") + t.CoTDelimiter + a
			}
			n = max(n, len(e.ids(a)))
		}
	}
	if t.CoTDelimiter != "" {
		n += 10
	}
	return max(n, 1)
}

func (t *foundryTask) askGeneration(e *encoder, q *question, ctx []int32, most, longest int) error {
	if most <= longest {
		return q.row.fail("answers of up to %d tokens leave no room for a prompt, of %d tokens in all", longest, most)
	}
	if len(ctx) == 0 {
		return q.row.fail("the prompt has no tokens")
	}
	ctx = ctx[max(len(ctx)-(most-longest), 0):]
	q.add(&request{ctx: ctx, gen: e.generation(longest, t.EarlyStopping)})
	q.sample.MaxNewTokens = ptr(longest)
	return nil
}
