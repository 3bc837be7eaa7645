package finetune

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"strings"
	"time"

	"mptgo/cmd/internal/cli/interrupt"
	"mptgo/internal/filelock"
	"mptgo/mpt"
	"mptgo/mpt/tune"
	"mptgo/mpt/tune/data"
	"mptgo/mpt/tune/report"
)

// run is a run of the command.
type run struct {
	*options
	ctx        context.Context
	out, err   io.Writer
	given      json.RawMessage
	model      *mpt.Model
	config     tune.Config
	rows       data.Rows
	held       data.Rows // to evaluate, or nil
	heldTokens int64
	trainer    *tune.Trainer

	log                  *report.Log
	speed                speed
	losses               rise
	saved                time.Time
	savedAt              int // step of the last checkpoint
	evalSteps, saveSteps int
	worse                int // evaluations since the best
	evaluated            int // step of the last evaluation

	locked   *filelock.Lock // of the folder, or nil
	failed   bool           // the last checkpoint could not be written
	unplaced *tune.Snapshot // the best adapter, which could not be written yet, or nil
}

// do does what was asked for with a trainer that is ready.
func (r *run) do() (err error) {
	t := r.trainer
	if r.dumpGrads != "" {
		return r.gradients()
	}
	if r.evalSteps, err = r.every("eval-every", r.evalEvery, t.Steps(), t.StepsPerEpoch()); err != nil {
		return err
	}
	if r.saveSteps, err = r.every("save-every", r.saveEvery, t.Steps(), t.StepsPerEpoch()); err != nil {
		return err
	}
	if err := r.head(); err != nil || r.dryRun {
		return err
	}
	if err := r.openFolder(); err != nil {
		return err
	}
	defer r.log.Close()
	r.saved, r.savedAt = time.Now(), t.Done()
	r.remember()
	due := t.Done() == 0 && r.evalFirst || t.Done() > 0 && t.Done() < t.Steps() && t.Done()%r.evalSteps == 0
	if r.held != nil && due && r.evaluated != t.Done() {
		if err := r.evaluate(); err != nil {
			return r.stopped(err)
		}
	}
	for t.Done() < t.Steps() && !r.tired() {
		if err := r.step(); err != nil {
			return r.stopped(err)
		}
	}
	return r.finish()
}

// remember takes from the history the last losses, when was evaluated last, and how often since the best: a
// run that goes on says what one says that was not interrupted, and ends where that does.
func (r *run) remember() {
	r.evaluated = -1
	best := math.Inf(1)
	for _, e := range r.trainer.History() {
		if e.Loss != nil && *e.Loss > 0 { // it is 0 of steps without targets
			r.losses.add(*e.Loss)
		}
		if e.EvalLoss == nil {
			continue
		}
		r.evaluated = e.Step
		if r.worse++; *e.EvalLoss < best {
			r.worse, best = 0, *e.EvalLoss
		}
	}
}

// openLog opens the figures in the folder, which a run that goes on cuts back to its step.
func (r *run) openLog() (err error) {
	step := -1
	if r.resume != "" {
		step = r.trainer.Done()
	}
	r.log, err = report.Open(r.options.out, step, report.Options{TensorBoard: r.tensorboard, Title: "mpt finetune: " + r.modelName()})
	return err
}

// logged tells that figures could not be written: training is worth more than they are.
func (r *run) logged(err error) {
	if err != nil {
		r.note("the figures could not be written, and training goes on: %v", err)
	}
}

// head tells what is going to happen.
func (r *run) head() error {
	t := r.trainer
	e := t.Estimate()
	r.note("%s: %s trained values, %d steps, memory %s (weights %s, adapter and optimiser %s, %d tokens at a time %s, the program itself %s)",
		r.modelName(), count(e.Parameters), t.Steps(), size(e.Total()), size(e.Weights), size(e.Adapter), e.Tokens, size(e.Workspace+e.Buffers), size(e.Program))
	if t.Done() > 0 {
		r.note("going on behind step %d", t.Done())
	}
	if t.Done() == t.Steps() {
		return nil
	}
	pace, err := t.Trial(r.ctx)
	if err != nil {
		return err
	}
	r.note("expected time: about %s, by a trial of %.3g tokens/s", duration(r.expected(pace)), 1/max(1e-9, pace.Step.Seconds()))
	return nil
}

// expected returns how long the steps to come take, and the evaluations. Checkpoints take too little to
// be counted.
func (r *run) expected(p tune.Pace) time.Duration {
	all := float64(r.trainer.TokensLeft()) * float64(p.Step)
	if r.held != nil {
		evaluations := (r.trainer.Steps()-r.trainer.Done())/r.evalSteps + 1
		all += float64(r.heldTokens) * float64(evaluations) * float64(p.Evaluate)
	}
	return time.Duration(all)
}

// gradients writes those of the first step.
func (r *run) gradients() error {
	if _, err := r.trainer.Gradients(r.ctx); err != nil {
		return err
	}
	return r.trainer.WriteGradients(r.dumpGrads)
}

// step does a step and what is due after it.
func (r *run) step() error {
	begun := time.Now()
	res, err := r.trainer.Step(r.ctx)
	if err != nil {
		return err
	}
	r.speed.add(time.Since(begun), res.Tokens, res.Targets)
	r.trainer.Log(tune.Entry{Step: res.Step, Epoch: res.Epoch, Loss: &res.Loss, GradNorm: &res.Norm, LR: &res.LR})
	r.logged(r.log.Train(report.Train{Step: res.Step, Epoch: res.Epoch, Loss: res.Loss, GradNorm: res.Norm, LearningRate: res.LR,
		Tokens: res.Tokens, Targets: res.Targets, TokensPerSecond: r.speed.tokens()}))
	r.report(res)
	if r.held != nil && r.due(res.Step, r.evalSteps) {
		if err := r.evaluate(); err != nil {
			return err
		}
	}
	if res.Step < r.trainer.Steps() && (r.due(res.Step, r.saveSteps) || time.Since(r.saved) > r.saveTime) {
		r.trySave(", and training goes on")
	}
	return nil // the last checkpoint belongs to the end
}

// due reports whether something is to be done after a step.
func (r *run) due(step, every int) bool { return step%every == 0 || step == r.trainer.Steps() }

// report prints a step.
func (r *run) report(res tune.Result) {
	if res.Skipped {
		r.note("step %d has no targets: nothing was learned", res.Step)
		return
	}
	if r.losses.add(res.Loss) {
		r.note("the loss has been above %.3g times that of the first steps (%.4f) for %d steps: lower --lr, or raise --warmup",
			riseFactor, r.losses.first, riseSteps)
	}
	if res.Step%r.logEvery != 0 && res.Step != r.trainer.Steps() {
		return
	}
	left := r.speed.left(r.trainer.Steps() - res.Step)
	if r.output == "json" {
		r.line(map[string]any{"step": res.Step, "epoch": res.Epoch, "loss": res.Loss, "grad_norm": res.Norm, "learning_rate": res.LR,
			"tokens": res.Tokens, "targets": res.Targets, "tokens_per_second": r.speed.tokens(), "seconds_left": left.Seconds()})
		return
	}
	fmt.Fprintf(r.out, "step %d/%d · epoch %.2f · loss %.4f (mean %d: %.3f) · norm %.3g · lr %.2g · %.1f tokens/s (targets %.1f) · %s · %s left\n",
		res.Step, r.trainer.Steps(), res.Epoch, res.Loss, len(r.losses.losses), r.losses.mean(), res.Norm, res.LR, r.speed.tokens(), r.speed.targets(),
		size(r.trainer.Estimate().Total()), duration(left))
}

// line prints a line of JSON.
func (r *run) line(v any) {
	b, err := json.Marshal(v)
	if err != nil {
		b = fmt.Appendf(nil, "{\"error\":%q}", err)
	}
	fmt.Fprintf(r.out, "%s\n", b)
}

// evaluate evaluates, keeps the adapter if it is the best so far, and writes samples.
func (r *run) evaluate() error {
	t := r.trainer
	loss, targets, err := t.Evaluate(r.ctx, r.held)
	if err != nil {
		return err
	}
	r.evaluated = t.Done()
	best := t.IsBest(loss)
	if loss-loss == 0 { // JSON has no other numbers
		t.Log(tune.Entry{Step: t.Done(), Epoch: t.Epoch(), EvalLoss: &loss})
	}
	r.logged(r.log.Eval(report.Eval{Step: t.Done(), Epoch: t.Epoch(), Loss: loss, Best: best}))
	r.logged(r.log.Charts())
	if r.output == "json" {
		r.line(map[string]any{"step": t.Done(), "epoch": t.Epoch(), "eval_loss": loss, "eval_perplexity": math.Exp(loss), "targets": targets, "best": best})
	} else {
		mark := ""
		if best {
			mark = " · the best so far"
		}
		fmt.Fprintf(r.out, "evaluation behind step %d: loss %.4f, perplexity %.4g of %d targets%s\n", t.Done(), loss, math.Exp(loss), targets, mark)
	}
	if r.worse++; best {
		r.worse = 0
		r.keepBest()
	}
	if err := r.sample(); err != nil {
		if r.ctx.Err() != nil {
			return err
		}
		r.note("there is no sample, and training goes on: %v", err)
	}
	return nil
}

// keepBest writes the best adapter so far. If that fails it is kept in memory for the next time.
func (r *run) keepBest() {
	r.unplaced = nil
	if err := r.trainer.PlaceAdapter(r.options.out, r.base()); err != nil {
		r.note("the best adapter could not be written, and training goes on; it is tried again with the next checkpoint: %v", err)
		r.unplaced = r.trainer.Snapshot(r.base())
	}
}

// placeBest writes the best adapter if that could not be done when it was made.
func (r *run) placeBest() error {
	if r.unplaced == nil {
		return nil
	}
	if err := r.unplaced.Place(r.options.out); err != nil {
		return err
	}
	r.unplaced = nil
	r.note("the best adapter is written now")
	return nil
}

// tired reports whether evaluations have stopped getting better.
func (r *run) tired() bool {
	if r.patience == 0 || r.worse < r.patience {
		return false
	}
	r.note("%d evaluations were not better than the best: training ends (--patience)", r.worse)
	return true
}

// save writes a checkpoint. One knows of the best adapter, so that has to be in the folder before.
func (r *run) save() error {
	r.saved = time.Now()
	if err := r.placeBest(); err != nil {
		return err
	}
	name, err := r.trainer.Save(r.options.out, r.base(), r.given, r.keep)
	if name != "" {
		r.savedAt = r.trainer.Done()
	}
	return err
}

// trySave writes a checkpoint that is due. That it fails ends nothing; what then happens is told.
func (r *run) trySave(then string) {
	failed := r.failed
	err := r.save()
	switch r.failed = err != nil && r.savedAt != r.trainer.Done(); {
	case r.failed && r.savedAt > 0:
		r.note("the checkpoint could not be written%s; the last one is of step %d: %v", then, r.savedAt, err)
	case r.failed:
		r.note("the checkpoint could not be written%s; there is none yet: %v", then, err)
	case err != nil:
		r.note("%v", err)
	case failed:
		r.note("checkpoints can be written again: this one is of step %d", r.savedAt)
	}
}

// stopped ends a run before its end, after an interruption or an error, with a checkpoint.
func (r *run) stopped(err error) error {
	if r.trainer.Done() > r.savedAt && r.trainer.Done() > 0 {
		if e := r.save(); e != nil && r.savedAt != r.trainer.Done() {
			e = fmt.Errorf("the checkpoint of step %d could not be written: %w", r.trainer.Done(), e)
			if errors.Is(err, context.Canceled) {
				r.note("%v", e) // of an interruption nothing else is told
			} else {
				err = errors.Join(err, e)
			}
		}
	}
	if steps, _ := tune.Checkpoints(r.options.out); len(steps) > 0 {
		r.note("go on behind step %d with: mpt finetune --resume %s", steps[len(steps)-1], quoted(r.options.out))
	}
	if errors.Is(err, context.Canceled) {
		return interrupt.Error{Err: err}
	}
	return err
}

// finish writes the adapter.
func (r *run) finish() error {
	if r.held != nil && r.evaluated != r.trainer.Done() {
		if err := r.evaluate(); err != nil {
			return r.stopped(err)
		}
	}
	if r.savedAt != r.trainer.Done() {
		r.trySave("")
	}
	r.logged(r.log.Charts())
	if err := errors.Join(r.placeBest(), r.writeResults()); err != nil {
		if r.savedAt == r.trainer.Done() {
			return fmt.Errorf("finetune: the adapter could not be written; nothing that was learned is lost: when that is mended, mpt finetune --resume %s writes it: %w",
				quoted(r.options.out), err)
		}
		return fmt.Errorf("finetune: neither the last checkpoint nor the adapter could be written: %w", err)
	}
	return r.goodbye()
}

// goodbye says where the adapter is.
func (r *run) goodbye() error {
	if r.output == "json" {
		r.line(map[string]any{"done": true, "step": r.trainer.Done(), "adapter": r.options.out})
		return nil
	}
	model := ""
	if r.options.model != "" {
		model = " -m " + quoted(r.options.model)
	}
	fmt.Fprintf(r.out, "the adapter is in %s: try mpt run%s --lora %s -p \"...\"\n", r.options.out, model, quoted(r.options.out))
	return nil
}

// quoted returns a name as a shell takes it.
func quoted(s string) string {
	if s != "" && !strings.ContainsAny(s, " \t\n\"'\\$`&|;<>()*?[]{}~#!") {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}
