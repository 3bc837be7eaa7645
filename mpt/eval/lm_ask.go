package eval

import (
	"fmt"
	"slices"
	"strings"

	"mptgo/mpt/chat"
)

// run returns the task with so many examples.
func (t *lmTask) run(shots int, talk lmChat) (*run, error) {
	fewshot, err := t.fewshot(shots)
	if err != nil {
		return nil, err
	}
	r := &run{
		Name: fmt.Sprintf("%s/%d-shot", t.Task, shots), task: t.Task, rules: "lm-eval", shots: shots, rows: t.rows,
		files: map[string]string{}, fewshot: fewshot, judge: t.judge, metrics: t.metrics, random: t.guessing(),
	}
	for path, d := range t.splits {
		r.files[path] = d.sha
	}
	y := t.lmYAML
	y.NumFewshot, y.Metadata.Shots = nil, nil
	r.extra = fmt.Sprintf("%v %d %q %v %q", y.settings(), t.seed, talk.system, talk.multiturn, formatName(talk.format))
	r.ask = func(e *encoder, i int) (*question, error) { return t.ask(e, r, i, talk) }
	return r, nil
}

func formatName(f *chat.Format) string {
	if f == nil {
		return ""
	}
	return f.Name
}

// settings are what decides about results, beside the rows.
func (y *lmYAML) settings() []any {
	var kwargs, filters, metrics []string
	for _, k := range sortedKeys(y.GenerationKwargs) {
		kwargs = append(kwargs, fmt.Sprintf("%s=%v", k, y.GenerationKwargs[k]))
	}
	for _, f := range y.FilterList {
		for _, s := range f.Filter {
			filters = append(filters,
				fmt.Sprint(f.Name, s.Function, or(s.Pattern, ""), s.GroupSelect, or(s.Fallback, "")))
		}
	}
	for _, m := range y.MetricList {
		metrics = append(metrics,
			fmt.Sprint(m.Metric, m.IgnoreCase, m.IgnorePunctuation, m.IgnoreNumbers, m.RegexesToIgnore))
	}
	return []any{y.OutputType, y.DocToText, y.DocToTarget, y.DocToChoice, or(y.TargetDelimiter, " "),
		or(y.FewshotDelimiter, "\n\n"),
		y.Description, y.FewshotSplit, y.FewshotConfig, kwargs, filters, metrics, y.Metadata.MaxLength}
}

// guessing returns the accuracy of who guesses.
func (t *lmTask) guessing() *float64 {
	if t.OutputType != lmChoice {
		return nil
	}
	n := 0
	for _, r := range t.rows {
		d, err := t.doc(r)
		if err != nil || n != 0 && len(d.choices) != n {
			return nil
		}
		n = len(d.choices)
	}
	return ptr(1 / float64(n))
}

// message is a part of a prompt: one of a conversation, or a text with what separates it
// from the next.
type message struct {
	chat.Message
	delimiter string
}

// turn is a question, and its answer if there is one.
func (t *lmTask) turn(q, answer, delimiter string) []message {
	if answer == "" {
		return []message{{chat.Message{Role: chat.User, Content: q}, ""}}
	}
	return []message{{chat.Message{Role: chat.User, Content: q}, t.targetDelimiter},
		{chat.Message{Role: chat.Assistant, Content: answer}, delimiter}}
}

// before returns what stands before the question of row i.
func (t *lmTask) before(r *run, i int, talk lmChat) (list []message, err error) {
	system := talk.system
	if t.description != nil {
		v, _, err := t.description.of(r.rows[i])
		if err != nil {
			return nil, err
		}
		s, ok := v.(string)
		if !ok {
			return nil, r.rows[i].fail("description is %s, not a text", describe(v))
		}
		system = delimited(system, s, t.fewshotDelimiter)
	}
	if system != "" {
		list = append(list, message{chat.Message{Role: chat.System, Content: system}, ""})
	}
	for _, j := range r.fewshot[i] {
		d, err := t.doc(t.pool[j])
		if err != nil {
			return nil, err
		}
		list = append(list, t.turn(d.text, d.target, t.fewshotDelimiter)...)
	}
	return list, nil
}

// delimited joins two texts, by the delimiter unless there is white space already.
func delimited(a, b, delimiter string) string {
	if a == "" || b == "" || rstrip(a) != a || strings.TrimLeftFunc(b, isSpace) != b {
		return a + b
	}
	return a + delimiter + b
}

// prompt writes messages as a text.
func (c lmChat) prompt(list []message) (string, error) {
	var b strings.Builder
	if c.format == nil {
		for _, m := range list {
			b.WriteString(m.Content + m.delimiter)
		}
		return b.String(), nil
	}
	pieces, err := c.format.Render(c.turns(list), true)
	if err != nil {
		return "", err
	}
	for _, p := range pieces {
		b.WriteString(p.Text)
	}
	return b.String(), nil
}

// turns returns messages as those of a conversation: all as they are, or those of the user
// and the model as one of the user.
func (c lmChat) turns(list []message) (turns []chat.Message) {
	if list[0].Role == chat.System {
		turns, list = append(turns, list[0].Message), list[1:]
	}
	if c.multiturn {
		for _, m := range list {
			turns = append(turns, m.Message)
		}
		return turns
	}
	text := ""
	for i, m := range list {
		text += m.Content
		if i < len(list)-1 {
			text += m.delimiter
		}
	}
	return append(turns, chat.Message{Role: chat.User, Content: text})
}

// ask returns row i as a question.
func (t *lmTask) ask(e *encoder, r *run, i int, talk lmChat) (*question, error) {
	x := r.rows[i]
	q := &question{row: x, sample: &Sample{Run: r.Name, I: i, Fewshot: append([]int{}, r.fewshot[i]...)}}
	d, err := t.doc(x)
	if err != nil {
		return nil, err
	}
	if t.OutputType == lmRolling {
		return q, t.askRolling(e, q, d.target)
	}
	list, err := t.before(r, i, talk)
	if err != nil {
		return nil, err
	}
	questions, answers := []string{d.text}, []string{d.target}
	switch {
	case t.contexts:
		questions = d.choices
	case t.OutputType == lmChoice:
		answers = d.choices
	}
	delimiter := t.targetDelimiter
	if t.OutputType == lmLoglikelihood || talk.format != nil {
		delimiter = ""
	}
	var prompts []string
	for _, text := range questions {
		p, err := talk.prompt(append(list[:len(list):len(list)], t.turn(text, "", "")...))
		if err != nil {
			return nil, x.fail("%w", err)
		}
		prompts = append(prompts, p)
	}
	if t.OutputType == lmGenerate {
		return q, t.askGeneration(e, q, prompts[0])
	}
	for k := range max(len(prompts), len(answers)) {
		if err := t.askPair(e, q, prompts[min(k, len(prompts)-1)], delimiter+answers[min(k, len(answers)-1)]); err != nil {
			return nil, err
		}
	}
	return q, t.askAlone(e, q, d, delimiter)
}

// askAlone asks for the choices after nothing, if a metric wants that.
func (t *lmTask) askAlone(e *encoder, q *question, d lmDoc, delimiter string) error {
	if !t.wants("acc_mutual_info") {
		return nil
	}
	n := len(q.sample.ContextTokens)
	for _, c := range d.choices {
		if err := t.askPair(e, q, "", delimiter+c); err != nil {
			return err
		}
	}
	q.sample.ContextTokens, q.sample.IDsHash = q.sample.ContextTokens[:n], q.sample.IDsHash[:n]
	return nil
}

func (t *lmTask) wants(metric string) bool {
	return slices.ContainsFunc(t.MetricList, func(m lmMetric) bool { return m.Metric == metric })
}

// length returns how many tokens the model is given at the most.
func (t *lmTask) length(e *encoder) int {
	if t.Metadata.MaxLength > 0 && !e.chosen {
		return t.Metadata.MaxLength
	}
	return e.context
}

// prefix is the token that stands before a text without a context.
func (e *encoder) prefix() (int32, bool) {
	if id := e.tok.BOS(); id >= 0 {
		return id, true
	}
	id := e.tok.EOS()
	return id, id >= 0
}

// askPair asks how probable a continuation is.
func (t *lmTask) askPair(e *encoder, q *question, context, continuation string) error {
	var ctx, scored []int32
	if context == "" {
		id, ok := e.prefix()
		if !ok {
			return q.row.fail("the context is empty, and the vocabulary has no token that begins a text")
		}
		ctx, scored = []int32{id}, e.ids(continuation)
		if len(scored) > 0 && scored[0] == id {
			scored = scored[1:]
		}
	} else {
		bare := rstrip(context)
		whole := e.ids(context + continuation)
		if ctx = e.ids(bare); len(ctx) == 0 {
			return q.row.fail("the context is white space alone")
		}
		scored = whole[min(len(ctx), len(whole)):]
	}
	if len(scored) == 0 {
		return q.row.fail("the continuation %q has no tokens: there is nothing to score", continuation)
	}
	most := t.length(e)
	if len(scored) > most {
		return q.row.fail("the continuation has %d tokens, more than the %d that the model is given", len(scored), most)
	}
	ctx = ctx[max(len(ctx)+len(scored)-(most+1), 0):]
	q.add(&request{ctx: ctx, scored: scored})
	return nil
}

// askRolling asks how probable a text is, in windows.
func (t *lmTask) askRolling(e *encoder, q *question, text string) error {
	id, ok := e.prefix()
	if !ok {
		return q.row.fail("the vocabulary has no token that begins a text")
	}
	most := t.length(e)
	ids := slices.Concat([]int32{id}, e.ids(text)) // predicted are those from 1 on
	if len(ids) == 1 {
		return q.row.fail("the text has no tokens: there is nothing to score")
	}
	for from := 1; from < len(ids); {
		n := min(len(ids)-from, most)
		end := from + n
		first := max(end-most-1, 0)
		if from == 1 {
			first = 0
		}
		q.add(&request{ctx: ids[first:from], scored: ids[from:end]})
		from = end
	}
	q.sample.ContextTokens, q.sample.IDsHash = nil, nil
	q.sample.Words, q.sample.Bytes = ptr(countWords(text)), ptr(len(text))
	return nil
}

func (t *lmTask) askGeneration(e *encoder, q *question, prompt string) error {
	ids := e.ids(prompt)
	room := t.length(e) - t.most
	switch {
	case len(ids) == 0:
		return q.row.fail("the prompt has no tokens")
	case room < 1:
		return q.row.fail("max_gen_toks %d leaves no room for a prompt, of %d tokens in all", t.most, t.length(e))
	}
	g := e.generation(t.most, t.until)
	g.text.Reset()
	q.add(&request{ctx: ids[max(len(ids)-room, 0):], gen: g})
	q.sample.MaxNewTokens = ptr(t.most)
	return nil
}
