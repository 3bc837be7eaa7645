package eval

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"

	"mptgo/mpt"
	"mptgo/sampling"
)

// asker evaluates the tree of a run, one batch after the other. Nodes whose parent is
// evaluated lie on a stack: the deepest go first, so that few sequences are open.
type asker struct {
	m        *mpt.Model
	batch    int // tokens that are evaluated together
	parallel int // sequences that are open at the most
	context  int // tokens of the longest
	answered func(*request) error

	stack     []*node
	open      int
	evaluated int
	grown     []*request // generations that take another token
}

// close gives back what is open, after an error.
func (a *asker) close(root *node) {
	for _, n := range append(slices.Clone(a.stack), root) {
		for ; n != nil; n = n.parent {
			if n.session != nil {
				n.session.Close()
				n.session = nil
			}
		}
	}
}

// run asks everything below root.
func (a *asker) run(ctx context.Context, root *node) error {
	defer a.close(root)
	root.waiting = len(root.children)
	a.push(root.children)
	for len(a.stack) > 0 {
		if err := a.step(ctx); err != nil {
			return err
		}
	}
	return nil
}

// push lays nodes on the stack, the first on top.
func (a *asker) push(list []*node) {
	for _, n := range slices.Backward(list) {
		a.stack = append(a.stack, n)
	}
}

// step evaluates one batch.
func (a *asker) step(ctx context.Context) error {
	picked, steps, err := a.pick()
	if err == nil {
		err = a.m.Run(ctx, steps)
	}
	for i, n := range picked {
		if i < len(steps) {
			err = firstError(err, steps[i].Err)
			n.done += steps[i].Done
			a.evaluated += steps[i].Done
		}
	}
	if err != nil {
		a.push(picked) // for close
		return err
	}
	return a.settle(picked)
}

// pick takes nodes from the stack for one batch. The last may be too long for it.
func (a *asker) pick() (picked []*node, steps []mpt.Step, err error) {
	for room := a.batch; room > 0 && len(a.stack) > 0; {
		n := a.stack[len(a.stack)-1]
		if n.session == nil && a.open >= a.parallel && !n.inherits() && len(picked) > 0 {
			break // what is open goes on first
		}
		a.stack = a.stack[:len(a.stack)-1]
		picked = append(picked, n)
		if err := a.begin(n); err != nil {
			return picked, steps, err
		}
		ids := n.tokens()[n.done:]
		ids = ids[:min(len(ids), room)]
		room -= len(ids)
		steps = append(steps, a.newStep(n, ids))
	}
	return picked, steps, nil
}

// inherits reports whether a node takes over its parent's session: nobody else needs it.
func (n *node) inherits() bool { return n.parent.session != nil && n.parent.waiting == 1 }

// begin gives a node a session that holds what comes before it.
func (a *asker) begin(n *node) (err error) {
	if n.session != nil {
		return nil
	}
	p := n.parent
	inherits := n.inherits()
	p.waiting--
	switch {
	case inherits:
		n.session, p.session = p.session, nil
		return nil
	case p.session != nil:
		n.session, err = p.session.Fork()
	default:
		n.session, err = a.m.NewSession(mpt.ContextSize(a.context))
	}
	if err == nil {
		a.open++
	}
	return err
}

// softmax is what is asked of a row of logits.
type softmax struct {
	top int32   // the largest, the first of equals
	lse float64 // ln(sum of exp(x))
}

// newStep evaluates the next tokens of a node.
func (a *asker) newStep(n *node, ids []int32) mpt.Step {
	s := mpt.Step{Session: n.session, IDs: ids, Logits: mpt.NoLogits}
	if len(n.reads) == 0 {
		return s
	}
	at := n.from + n.done
	s.Logits = mpt.AllLogits
	var block [mpt.ScoreBlock]softmax
	s.Score = func(i int, logits []float32) error {
		block[i%len(block)] = softmax{sampling.Best(nil, logits, 1)[0].ID, sampling.LogSum(logits)}
		return nil
	}
	s.Visit = func(i int, logits []float32) error { return a.read(n, at+i, logits, block[i%len(block)]) }
	return s
}

// read scores with the logits after token p.
func (a *asker) read(n *node, p int, logits []float32, x softmax) error {
	if math.IsNaN(x.lse) {
		return fmt.Errorf("eval: %w: the logits after token %d are not numbers", n.reads[0].question.fail(), p)
	}
	for _, r := range n.reads {
		if r.gen != nil {
			if r.gen.next(x.top) {
				a.grown = append(a.grown, r)
			}
			continue
		}
		r.read(r.at(p+1), logits, x)
	}
	return nil
}

// fail is the place of a question, for errors.
func (q *question) fail() error { return q.row.fail("row %d of %s", q.sample.I, q.sample.Run) }

// read takes the logits before the scored token id.
func (r *request) read(id int32, logits []float32, x softmax) {
	lp := float64(logits[id]) - x.lse
	r.score.loglik += lp
	r.score.greedy = r.score.greedy && id == x.top
	r.score.sumP += math.Exp(lp)
	r.score.minTop = min(r.score.minTop, math.Exp(float64(logits[x.top])-x.lse))
	r.n++
}

// settle puts what is not finished back and lets children follow what is.
func (a *asker) settle(picked []*node) error {
	for _, n := range slices.Backward(picked) {
		if n.done < n.size() {
			a.stack = append(a.stack, n)
			continue
		}
		if err := a.finish(n); err != nil {
			return err
		}
	}
	return nil
}

// finish is told that all tokens of a node are evaluated.
func (a *asker) finish(n *node) error {
	for _, r := range n.reads {
		switch {
		case r.gen == nil && r.n < len(r.scored):
		case r.gen != nil && slices.Contains(a.grown, r):
			n.children = append(n.children,
				&node{parent: n, first: r, from: n.to, reads: []*request{r}, follow: r.gen.ids[len(r.gen.ids)-1:]})
		default:
			if err := a.answer(r); err != nil {
				return err
			}
		}
	}
	a.grown = slices.DeleteFunc(a.grown, func(r *request) bool { return slices.Contains(n.reads, r) })
	if n.waiting = len(n.children); n.waiting > 0 {
		a.push(n.children)
		return nil
	}
	n.session.Close()
	n.session = nil
	a.open--
	return nil
}

// answer tells that a request has its answer.
func (a *asker) answer(r *request) error {
	r.question.left--
	if r.question.left < 0 {
		return errors.New("eval: a question is answered twice")
	}
	return a.answered(r)
}
