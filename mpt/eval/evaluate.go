package eval

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"mptgo/mpt"
	"mptgo/mpt/chat"
	"mptgo/mpt/talk"
)

// Options are the choices of [Evaluate].
type Options struct {
	Shots    []int // numbers of examples, in the place of the tasks'; nil: theirs
	Limit    int   // how many rows of a run are asked; 0: all
	Samples  []int // the numbers of the rows that are asked; nil: all
	Context  int   // tokens that the model is given at the most; 0: what it was trained for
	Parallel int   // sequences that are open at the same time; 0: 64
	Batch    int   // tokens that are evaluated together; 0: [mpt.DefaultBatch]
	Chat     Chat  // lm-evaluation-harness' tasks only
	Gauntlet *Gauntlet

	// Journal, if set, is the name of a file that keeps what is done, and that is gone on
	// with if it is there. Identity is what tells models and settings of the engine apart.
	Journal, Identity string

	// Progress, if set, is told after every row.
	Progress func(Progress)
}

// Chat says how prompts are put into a chat format, as lm-evaluation-harness does.
type Chat struct {
	Apply     bool   // --apply_chat_template
	Format    string // a name of [chat.Formats]; "": the model's own
	Multiturn bool   // --fewshot_as_multiturn: examples are turns of their own
	System    string // --system_instruction
}

// Progress is how far an evaluation is.
type Progress struct {
	Run             string
	Rows, Done      int     // of the run
	AllRows         int     // of all runs
	AllDone, Asked  int     // Asked leaves out what a journal had
	Right, Decided  int     // of the run
	Tokens, AllToks int     // evaluated in this process, and to evaluate in all
	Seconds         float64 // since the beginning
}

// Outcome is a run that is done, or as far as it is done.
type Outcome struct {
	Name, Task, Rules string
	Group             string // the run of which this is a category, or the group of its task
	Shots, Rows       int
	Samples           []*Sample // in the order of the rows
	Metrics           []Metric
	Random            *float64 // the accuracy of guessing
	Tokens            int      // distinct ones of all prompts: those that are evaluated
	Reused            int      // of prompts that are not, since others begin with them
	Generated         int
	Longest           int // tokens of the longest sequence
	Seconds           float64
	Partial           bool // some rows are not asked yet
}

// Results are all that was found out.
type Results struct {
	Runs     []*Outcome
	Groups   []Total
	Gauntlet []Score
	Warnings []string
	Format   string            // the chat format that prompts were put into
	Files    map[string]string // SHA-256 by path
}

// Total is a figure of several runs.
type Total struct {
	Name   string
	Rows   int
	Metric Metric
}

// plan is what is going to be asked.
type plan struct {
	run       *run
	questions []*question
	outcome   *Outcome
	group     *Task // of lm-eval
}

// Plan tells what [Evaluate] would do, without evaluating anything: runs without samples.
func Plan(m *mpt.Model, tasks []*Task, opt Options) (*Results, error) {
	plans, res, err := prepare(m, tasks, opt)
	if err != nil {
		return nil, err
	}
	for _, p := range plans {
		p.outcome.Partial = true
		res.Runs = append(res.Runs, p.outcome)
	}
	return res, nil
}

// Evaluate asks the model all questions of the tasks. If ctx is done before it is, the
// results are those of the rows that are answered.
func Evaluate(ctx context.Context, m *mpt.Model, tasks []*Task, opt Options) (*Results, error) {
	plans, res, err := prepare(m, tasks, opt)
	if err != nil {
		return nil, err
	}
	var runs []*run
	for _, p := range plans {
		runs = append(runs, p.run)
	}
	j, err := openJournal(opt.Journal, identity(runs, opt))
	if err != nil {
		return nil, err
	}
	e := &evaluation{m: m, opt: opt, journal: j, start: time.Now()}
	for _, p := range plans {
		e.at.AllRows += len(p.questions)
		e.at.AllToks += p.outcome.Tokens
	}
	for _, p := range plans {
		if err = e.run(ctx, p); err != nil {
			break
		}
		res.Runs = append(res.Runs, p.outcome)
	}
	if errors.Is(err, context.Canceled) && len(res.Runs) < len(plans) {
		if p := plans[len(res.Runs)]; len(p.outcome.Samples) > 0 {
			res.Runs = append(res.Runs, p.outcome)
		}
	}
	if err = firstError(err, j.close()); err == nil || errors.Is(err, context.Canceled) {
		res.total(plans, opt.Gauntlet)
	}
	return res, err
}

// prepare turns the rows of all tasks into questions.
func prepare(m *mpt.Model, tasks []*Task, opt Options) (plans []*plan, res *Results, err error) {
	res = &Results{Files: map[string]string{}}
	lists, c, err := allRuns(m, tasks, opt)
	if err != nil {
		return nil, nil, err
	}
	res.Format = formatName(c.format)
	e := newEncoder(m, opt.Context)
	for i, t := range tasks {
		res.Warnings = append(res.Warnings, t.Warnings()...)
		for _, r := range lists[i] {
			p, err := newPlan(e, r, opt)
			if err != nil {
				return nil, nil, err
			}
			maps.Copy(res.Files, r.files)
			if p.group = t; t.group != "" {
				p.outcome.Group = t.group
			}
			plans = append(plans, p)
		}
	}
	return plans, res, nil
}

// allRuns returns the runs of each task, and the chat format of prompts.
func allRuns(m *mpt.Model, tasks []*Task, opt Options) (lists [][]*run, c lmChat, err error) {
	if c, err = opt.chat(m, tasks); err != nil {
		return nil, c, err
	}
	names := map[string]string{}
	for _, t := range tasks {
		runs, err := t.runs(opt.Shots, c)
		if err != nil {
			return nil, c, err
		}
		for _, r := range runs {
			if other, twice := names[r.Name]; twice {
				return nil, c, fmt.Errorf("eval: %s and %s both have a run %s", other, t.Path, r.Name)
			}
			names[r.Name] = t.Path
		}
		lists = append(lists, runs)
	}
	return lists, c, nil
}

// chat returns the chat format that prompts are put into.
func (o *Options) chat(m *mpt.Model, tasks []*Task) (c lmChat, err error) {
	c = lmChat{multiturn: o.Chat.Multiturn, system: o.Chat.System}
	if o.Chat == (Chat{}) {
		return c, nil
	}
	if i := slices.IndexFunc(tasks, func(t *Task) bool { return t.foundry != nil }); i >= 0 {
		return c, fmt.Errorf("eval: %s: chat templates and system prompts are not part of llm-foundry's rules, they are for tasks of "+
			"lm-evaluation-harness", tasks[i].Label)
	}
	if !o.Chat.Apply {
		if c.multiturn {
			return c, errors.New("eval: examples are turns of their own only where the chat template is applied")
		}
		return c, nil
	}
	if o.Chat.Format != "" {
		c.format, err = chat.Named(o.Chat.Format)
	} else {
		c.format, err = talk.Model(m).Detect()
	}
	if err == nil && strings.EqualFold(c.format.Name, "raw") {
		err = errors.New("eval: the model has no chat template: name a format, or leave --apply_chat_template out")
	}
	return c, err
}

// runs returns the runs of a task.
func (t *Task) runs(shots []int, c lmChat) (all []*run, err error) {
	if shots == nil || t.Type() == lmRolling {
		shots = t.Shots
	}
	for _, n := range shots {
		if n < 0 {
			return nil, fmt.Errorf("eval: %d examples", n)
		}
		if t.foundry != nil {
			all = append(all, t.foundry.runs(n)...)
			continue
		}
		r, err := t.lm.run(n, c)
		if err != nil {
			return nil, err
		}
		all = append(all, r)
	}
	return all, nil
}

// newPlan asks for the rows that are wanted.
func newPlan(e *encoder, r *run, opt Options) (*plan, error) {
	p := &plan{run: r}
	for _, i := range opt.rows(len(r.rows)) {
		if i < 0 || i >= len(r.rows) {
			return nil, fmt.Errorf("eval: %s has rows 0 to %d: there is no row %d", r.Name, len(r.rows)-1, i)
		}
		q, err := r.ask(e, i)
		if err != nil {
			return nil, err
		}
		p.questions = append(p.questions, q)
	}
	o := &Outcome{Name: r.Name, Task: r.task, Rules: r.rules, Group: r.group, Shots: r.shots, Rows: len(p.questions),
		Random: r.random}
	all, sum := requestsOf(p.questions), 0
	for _, x := range all {
		sum += x.inputs()
		n := len(x.ctx) + len(x.scored)
		if x.gen != nil {
			n += x.gen.most
		}
		o.Longest = max(o.Longest, n)
	}
	_, o.Tokens = grow(all)
	o.Reused = sum - o.Tokens
	p.outcome = o
	return p, nil
}

// rows returns the numbers of the rows that are asked, of n.
func (o *Options) rows(n int) []int {
	if o.Samples != nil {
		return slices.Compact(slices.Sorted(slices.Values(o.Samples)))
	}
	if o.Limit > 0 {
		n = min(n, o.Limit)
	}
	list := make([]int, n)
	for i := range list {
		list[i] = i
	}
	return list
}

func requestsOf(questions []*question) (all []*request) {
	for _, q := range questions {
		all = append(all, q.requests...)
	}
	return all
}

// evaluation is [Evaluate] at work.
type evaluation struct {
	m       *mpt.Model
	opt     Options
	journal *journal
	start   time.Time
	at      Progress
}

// run asks the questions of a plan that the journal has no answers to.
func (e *evaluation) run(ctx context.Context, p *plan) error {
	begun := time.Now()
	var open []*question
	e.at.Run, e.at.Rows, e.at.Done, e.at.Right, e.at.Decided = p.run.Name, len(p.questions), 0, 0, 0
	done := map[int]*Sample{}
	for _, q := range p.questions {
		s := e.journal.find(p.run.Name, q.sample.I)
		if s == nil {
			open = append(open, q)
			continue
		}
		q.sample = s
		done[s.I] = s
		e.count(s, false)
	}
	root, _ := grow(requestsOf(open))
	a := &asker{m: e.m, batch: e.opt.Batch, context: p.outcome.Longest}
	if a.batch == 0 {
		a.batch = mpt.DefaultBatch
	}
	var err error
	if a.parallel, err = e.parallel(p.outcome.Longest); err != nil {
		return err
	}
	before := e.at.Tokens
	a.answered = func(r *request) error {
		e.at.Tokens = before + a.evaluated
		if r.question.left > 0 {
			return nil
		}
		p.run.judge(r.question)
		s := r.question.sample
		done[s.I] = s
		e.count(s, true)
		return firstError(r.question.err, e.journal.add(s))
	}
	err = a.run(ctx, root)
	p.outcome.take(p, done, time.Since(begun).Seconds())
	return err
}

// parallel returns how many sequences may be open: no more than fit into memory.
func (e *evaluation) parallel(longest int) (int, error) {
	n := e.opt.Parallel
	if n < 1 {
		n = 64
	}
	mem, err := e.m.Memory()
	if err != nil {
		return 0, err
	}
	if one := e.m.CacheBytes(longest); mem.CacheLimit >= 0 && one > 0 {
		n = min(n, int((mem.CacheLimit-mem.Cache)/one))
	}
	return max(n, 1), nil
}

// count tells that a row is done.
func (e *evaluation) count(s *Sample, asked bool) {
	e.at.Done++
	e.at.AllDone++
	if asked {
		e.at.Asked++
	}
	if right, ok := s.right(); ok {
		e.at.Decided++
		if right {
			e.at.Right++
		}
	}
	e.at.Seconds = time.Since(e.start).Seconds()
	if e.opt.Progress != nil {
		e.opt.Progress(e.at)
	}
}

// take puts the samples in order and makes figures of them.
func (o *Outcome) take(p *plan, done map[int]*Sample, seconds float64) {
	o.Seconds, o.Partial = seconds, len(done) < len(p.questions)
	for _, i := range sortedKeys(done) {
		s := done[i]
		o.Samples = append(o.Samples, s)
		o.Generated += or(s.NewTokens, 0)
	}
	if len(o.Samples) > 0 {
		o.Metrics = p.run.metrics(o.Samples)
	}
}
