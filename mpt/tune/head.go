package tune

import (
	"slices"

	"mptgo/ggml/train"
)

// noTarget is the label of a token that is no target.
const noTarget = -100

// targetsOf returns how many targets labels hold: logits are of the next token, so the first token is
// none.
func targetsOf(labels []int32) (n int) {
	for _, t := range labels[min(1, len(labels)):] {
		if t != noTarget {
			n++
		}
	}
	return n
}

// run computes the sum of the losses of every example of a micro-batch and, if weight is not 0, adds the
// gradients of weight times these sums to those of the changes.
func (n *network) run(b micro, weight float64) ([]float64, error) {
	n.batch, n.fresh, n.training = b, -1, weight != 0
	n.embed()
	for i := range n.layers {
		n.forward(i, true)
	}
	losses := n.head(weight)
	if weight != 0 {
		for i := range n.w.dkv {
			if n.shares[i] {
				n.e.Zero(n.rows(n.w.dkv[i]))
			}
		}
		for i := len(n.layers) - 1; i >= n.lowest; i-- {
			n.backward(i)
		}
	}
	return losses, n.e.Err()
}

// head goes through the end of the model with the rows that have a target, and with weight sets dy.
func (n *network) head(weight float64) []float64 {
	if weight != 0 {
		n.e.Zero(n.rows(n.w.dy))
	}
	var rows []int
	var targets []int32
	var of []int // the example of a row
	for k, x := range n.batch.examples {
		for i := x.From; i < x.From+x.N-1; i++ {
			if t := n.batch.labels[i+1]; t != noTarget {
				rows, targets, of = append(rows, i), append(targets, t), append(of, k)
			}
		}
	}
	losses, at := make([]float64, len(n.batch.examples)), 0
	for part := range slices.Chunk(rows, headRows) {
		for j, nll := range n.headPart(part, targets[at:at+len(part)], weight) {
			losses[of[at+j]] += nll
		}
		at += len(part)
	}
	return losses
}

// headPart returns the losses of some rows.
func (n *network) headPart(rows []int, targets []int32, weight float64) []float64 {
	final, norm := n.w.final.First(len(rows)), n.w.norm.First(len(rows))
	logits, nll := n.w.logits.First(len(rows)), make([]float64, len(rows))
	n.e.Gather(final, n.w.x[len(n.layers)], rows)
	n.e.Norm(norm, final, &n.p.Norm)
	n.e.MatMul(logits, norm, n.p.Output)
	n.e.Losses(nll, logits, targets, train.Logits{Scale: n.c.LogitScale, Cap: n.c.LogitCap}, weight)
	if weight == 0 {
		return nll
	}
	n.seen.observe(n.p.Output, norm, logits)
	back := n.w.back.First(len(rows))
	n.e.Zero(back)
	n.e.MatMulBack(back, logits, n.p.Output)
	n.e.Zero(norm) // which becomes the gradient of final
	n.e.NormBack(norm, back, final, &n.p.Norm)
	n.e.Scatter(n.w.dy, norm, rows)
	return nll
}
