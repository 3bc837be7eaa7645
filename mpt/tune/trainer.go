package tune

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"

	"mptgo/ggml"
	"mptgo/ggml/train"
	"mptgo/mpt"
	"mptgo/mpt/tune/data"
)

// Trainer trains an adapter. It serves one caller at a time.
type Trainer struct {
	c       Config
	model   *mpt.Model
	rows    data.Rows
	modules []*module
	net     *network
	pool    *ggml.Pool
	order   order
	step    int // that comes next
	updates int // of the optimiser so far
	tokens  int // capacity of the workspace
	longest int
	total   int64 // tokens of all rows
	goals   int64 // of them, which are targets
	room    Estimate
	program int64 // of memory that the process has without the trainer
	history []Entry
	best    best
	disk    disk
	digest  string // of the rows, once it was needed
	held    string // of those to evaluate
}

// New returns a trainer of an adapter for m on the given rows, of which some rows to evaluate may be
// longer, up to longest tokens; 0 means that none is. The error is a [*MemoryError] if they take more than
// [mpt.Model.MemoryLeft] tells. Close gives the trainer's memory back.
func New(m *mpt.Model, rows data.Rows, longest int, c Config) (*Trainer, error) {
	if err := c.check(); err != nil {
		return nil, err
	}
	if rows.Len() == 0 {
		return nil, errors.New("tune: there are no rows to train on")
	}
	if c.Plan == nil {
		c.Batch = min(c.Batch, rows.Len())
	}
	t := &Trainer{c: c, model: m, rows: rows, order: order{rows: rows.Len()}, disk: systemDisk{}}
	t.order.c = &t.c
	if err := c.Schedule.check(t.order.steps()); err != nil {
		return nil, err
	}
	if err := t.scan(longest); err != nil {
		return nil, err
	}
	if err := t.build(); err != nil {
		t.Close()
		return nil, err
	}
	return t, nil
}

// scan looks at all rows.
func (t *Trainer) scan(longest int) error {
	t.longest = max(longest, 1)
	vocab := int32(t.model.Config().Vocab)
	for i := range t.rows.Len() {
		r, err := t.rows.Row(i)
		if err != nil {
			return err
		}
		if len(r.Tokens) != len(r.Labels) {
			return fmt.Errorf("tune: row %d has %d tokens and %d labels", i, len(r.Tokens), len(r.Labels))
		}
		for k, id := range r.Tokens {
			if label := r.Labels[k]; id < 0 || id >= vocab || label != noTarget && (label < 0 || label >= vocab) {
				return fmt.Errorf("tune: row %d: token %d is %d with label %d: the model has %d tokens", i, k, id, label, vocab)
			}
		}
		t.goals += int64(targetsOf(r.Labels))
		t.total += int64(len(r.Tokens))
		t.longest = max(t.longest, len(r.Tokens))
	}
	if t.goals == 0 {
		return errors.New("tune: no row has a target to train on")
	}
	return t.checkPositions()
}

// checkPositions refuses rows that are longer than positions were learned for.
func (t *Trainer) checkPositions() error {
	if p := t.model.Parameters().Positions; p != nil && t.longest > p.Rows {
		return fmt.Errorf("tune: a row of %d tokens for a model with learned positions for %d: choose a shorter length (-c)", t.longest, p.Rows)
	}
	return nil
}

// build makes what a trainer works with.
func (t *Trainer) build() (err error) {
	t.program = programBytes()
	if err := t.prepare(); err != nil {
		return err
	}
	for _, m := range t.modules {
		m.start(t.c.Seed)
	}
	if t.room, err = t.fit(); err != nil {
		return err
	}
	t.tokens = t.room.Tokens
	if t.net.w, err = t.net.allocate(t.tokens, t.room.Kept); err != nil {
		return fmt.Errorf("tune: memory for a micro-batch of %d tokens: %w", t.tokens, err)
	}
	return t.begin()
}

// begin sets the adapter to the one to begin with.
func (t *Trainer) begin() error {
	if t.c.Init != "" {
		return t.loadAdapter(t.c.Init)
	}
	t.pack()
	return t.net.e.Err()
}

// prepare makes what does not depend on the rows but for the longest. Memory for values is taken when they
// are written to.
func (t *Trainer) prepare() (err error) {
	if t.modules, err = newModules(t.model, &t.c.LoRA); err != nil {
		return err
	}
	t.pool = ggml.NewPool(t.c.Threads)
	e, err := train.New(t.pool, cmp.Or(t.c.tier, t.model.Tier()), t.c.Exact)
	if err != nil {
		return err
	}
	dropout := train.Dropout{Seed: t.c.Seed, Rate: float32(t.c.LoRA.Dropout)}
	t.net = newNetwork(e, t.model, t.modules, dropout, t.longest)
	for _, m := range t.modules {
		for half, p := range m.values() {
			m.m[half] = make([]float32, len(p))
			if t.c.Optimizer.moments() > 1 {
				m.v[half] = make([]float32, len(p))
			}
		}
	}
	return nil
}

// Close gives the trainer's memory back.
func (t *Trainer) Close() error {
	if t.pool != nil {
		t.pool.Close()
	}
	if t.net == nil {
		return nil
	}
	return t.net.w.free()
}

// pack has the network see the values of the adapter.
func (t *Trainer) pack() {
	var changes []*train.LowRank
	for _, m := range t.modules {
		changes = append(changes, m.change)
	}
	t.net.e.Pack(changes)
}

// Steps returns how many steps the run has, Done how many of them are done.
func (t *Trainer) Steps() int { return t.order.steps() }
func (t *Trainer) Done() int  { return t.step }

// Estimate returns what the trainer takes of memory and how it uses it.
func (t *Trainer) Estimate() Estimate { return t.room }

// Result is what a step did.
type Result struct {
	Step    int     // number, from 1 on
	Epoch   float64 // epochs done
	Loss    float64 // mean over the targets, before the update
	Norm    float64 // of the gradients, before clipping
	LR      float64
	Tokens  int
	Targets int
	Skipped bool // no row had a target: nothing was changed
}

// example is one row on its way into a micro-batch.
type example struct {
	data.Row
	number uint32 // of the row in the run
}

// Step does the next step. If ctx ends meanwhile nothing is changed, and the step can be done again. A
// loss or gradient that is no finite number ends with a [*DivergedError], and nothing is changed either.
func (t *Trainer) Step(ctx context.Context) (Result, error) {
	r, err := t.gradients(ctx)
	if err != nil {
		return r, err
	}
	factor := t.c.Schedule.Factor(t.step, t.Steps())
	r.LR = t.c.Optimizer.LR * factor
	if r.Targets > 0 {
		t.update(r.Norm, factor)
	} else {
		r.Skipped = true
	}
	t.step++
	r.Step, r.Epoch = t.step, t.order.epochs(t.step)
	return r, t.net.e.Err()
}

// Gradients computes loss and gradients of the next step, but does not do it.
func (t *Trainer) Gradients(ctx context.Context) (Result, error) { return t.gradients(ctx) }

// IsBest takes the loss of an evaluation, and reports whether none was lower. One that is no finite number
// never is the best.
func (t *Trainer) IsBest(loss float64) bool {
	if loss-loss != 0 || t.best.Loss != nil && !(loss < *t.best.Loss) {
		return false
	}
	t.best = best{&loss, t.step}
	return true
}

// Epoch returns how many epochs are done, StepsPerEpoch how many steps each has.
func (t *Trainer) Epoch() float64 { return t.order.epochs(t.step) }
func (t *Trainer) StepsPerEpoch() int {
	if t.c.Plan != nil {
		return t.Steps()
	}
	return t.order.perEpoch()
}

// gradients computes loss and gradients of the next step.
func (t *Trainer) gradients(ctx context.Context) (r Result, err error) {
	examples, err := t.examples(&r)
	if err != nil || r.Targets == 0 {
		return r, err
	}
	for _, m := range t.modules {
		for _, g := range m.grads() {
			clear(g)
		}
	}
	total := 0.0
	for _, b := range t.micros(examples) {
		if err := ctx.Err(); err != nil {
			return r, err
		}
		losses, err := t.net.run(b, 1/float64(r.Targets))
		if err != nil {
			return r, fmt.Errorf("tune: %w", err)
		}
		for _, l := range losses {
			total += l
		}
	}
	r.Loss, r.Norm = total/float64(r.Targets), t.norm()
	if bad := r.Loss + r.Norm; bad-bad != 0 {
		return r, t.diverged(r)
	}
	return r, nil
}

// examples returns the rows of the next step that have targets, and counts.
func (t *Trainer) examples(r *Result) (all []example, err error) {
	first := uint32(t.step * t.c.Batch)
	if t.c.Plan != nil {
		first = 0
		for k := range t.step {
			first += uint32(len(t.order.step(k)))
		}
	}
	for k, i := range t.order.step(t.step) {
		row, err := t.rows.Row(i)
		if err != nil {
			return nil, err
		}
		r.Tokens += len(row.Tokens)
		if n := targetsOf(row.Labels); n > 0 {
			r.Targets += n
			all = append(all, example{row, first + uint32(k)})
		}
	}
	return all, nil
}

// micros cuts examples into micro-batches of as many as fit.
func (t *Trainer) micros(all []example) (list []micro) {
	var b micro
	for _, x := range all {
		if len(b.tokens) > 0 && (t.c.Unpacked || len(b.tokens)+len(x.Tokens) > t.tokens) {
			list, b = append(list, b), micro{}
		}
		b.examples = append(b.examples, train.Example{From: len(b.tokens), N: len(x.Tokens)})
		b.numbers = append(b.numbers, x.number)
		b.tokens, b.labels = append(b.tokens, x.Tokens...), append(b.labels, x.Labels...)
	}
	if len(b.tokens) > 0 {
		list = append(list, b)
	}
	return list
}

// norm returns that of all gradients: the root of the sum of squares, in float64, in the order of the
// modules.
func (t *Trainer) norm() float64 {
	total := 0.0
	for _, m := range t.modules {
		for _, g := range m.grads() {
			for _, v := range g {
				total += float64(float64(v) * float64(v))
			}
		}
	}
	return math.Sqrt(total)
}

// update applies the gradients.
func (t *Trainer) update(norm, factor float64) {
	clip := float32(1)
	if c := t.c.MaxGradNorm; c > 0 {
		clip = float32(min(1, c/(norm+1e-6)))
	}
	t.updates++
	t.pool.Run(2*len(t.modules), func(task, _ int) {
		m, half := t.modules[task/2], task%2
		t.c.Optimizer.update(m.values()[half], m.grads()[half], m.m[half], m.v[half], clip, factor, t.updates)
	})
	t.pack()
}

// DivergedError says that a loss or a gradient is no finite number.
type DivergedError struct {
	Step   int
	Rows   []int // of the step
	Loss   float64
	Module string // the first whose gradient is no number, or ""
}

func (e *DivergedError) Error() string {
	at := "the loss"
	if e.Module != "" {
		at = "the gradient of " + e.Module
	}
	return fmt.Sprintf("tune: step %d: %s is not a finite number (loss %v, rows %v): the step was not applied; lower --lr, or raise --warmup", e.Step, at, e.Loss, e.Rows)
}

func (t *Trainer) diverged(r Result) error {
	err := &DivergedError{Step: t.step + 1, Rows: t.order.step(t.step), Loss: r.Loss}
	for _, m := range t.modules {
		for _, g := range m.grads() {
			for _, v := range g {
				if v-v != 0 {
					err.Module = cmp.Or(err.Module, m.name)
				}
			}
		}
	}
	return err
}

// Evaluate returns the mean loss over all targets of rows, and how many these are.
func (t *Trainer) Evaluate(ctx context.Context, rows data.Rows) (loss float64, targets int, err error) {
	var some []example // that are computed together
	total, tokens := 0.0, 0
	for i := range rows.Len() {
		row, err := rows.Row(i)
		if err != nil {
			return 0, 0, err
		}
		n := targetsOf(row.Labels)
		if n == 0 {
			continue
		}
		if len(row.Tokens) > t.longest {
			return 0, 0, fmt.Errorf("tune: a row of %d tokens to evaluate, more than %d", len(row.Tokens), t.longest)
		}
		if tokens+len(row.Tokens) > t.tokens {
			if err := t.addLosses(ctx, &total, some); err != nil {
				return 0, 0, err
			}
			some, tokens = some[:0], 0
		}
		some, tokens = append(some, example{row, 0}), tokens+len(row.Tokens)
		targets += n
	}
	if targets == 0 {
		return 0, 0, errors.New("tune: no row to evaluate has a target")
	}
	err = t.addLosses(ctx, &total, some)
	return total / float64(targets), targets, err
}

// addLosses adds the losses of examples to total, in their order.
func (t *Trainer) addLosses(ctx context.Context, total *float64, all []example) error {
	for _, b := range t.micros(all) {
		if err := ctx.Err(); err != nil {
			return err
		}
		losses, err := t.net.run(b, 0)
		if err != nil {
			return fmt.Errorf("tune: %w", err)
		}
		for _, l := range losses {
			*total += l
		}
	}
	return nil
}
