package tune

import (
	"context"
	"fmt"
	"slices"

	"mptgo/ggml"
	"mptgo/ggml/train"
	"mptgo/mpt"
)

// Sensitivity says how much a model's predictions change with errors of its matrices: sums over the tokens
// of texts. Where the model has written the texts itself, the squares of the gradients of the loss are its
// Fisher information: half of it, times the square of a small error, is the KL divergence that the error makes.
type Sensitivity struct {
	Tokens int
	// Of every matrix of the blocks and of the one that makes the logits: the squares of the gradients of
	// all its outputs, and those of its inputs, by column.
	Outputs map[string]float64
	Inputs  map[string][]float64
	Looked  []float64 // the squares of the gradients of what is looked up in the embeddings, by column
}

// observe adds what comes in and what comes back at a matrix. Nobody who trains has a sensitivity.
func (s *Sensitivity) observe(w *ggml.Matrix, x, dy train.Rows) {
	if s == nil {
		return
	}
	sum := 0.
	for _, v := range dy.X[:dy.N*dy.Cols] {
		sum += float64(float64(v) * float64(v))
	}
	s.Outputs[w.Name] += sum
	if s.Inputs[w.Name] == nil {
		s.Inputs[w.Name] = make([]float64, x.Cols)
	}
	addSquares(s.Inputs[w.Name], x)
}

// addSquares adds the squares of rows, by column.
func addSquares(sum []float64, x train.Rows) {
	for i := range x.N {
		for j, v := range x.Row(i) {
			sum[j] += float64(float64(v) * float64(v))
		}
	}
}

// keptBytes is how much memory a text may take. What does not fit into it of the values that the way back
// reads is computed again there.
const keptBytes = 512 << 20

// MeasureSensitivity runs a model forward and back over texts, by so many threads. Bits do not depend on
// their number.
func MeasureSensitivity(ctx context.Context, m *mpt.Model, texts [][]int32, threads int) (_ *Sensitivity, err error) {
	pool := ggml.NewPool(threads)
	defer pool.Close()
	e, err := train.New(pool, m.Tier(), false)
	if err != nil {
		return nil, err
	}
	longest := 0
	for _, ids := range texts {
		longest = max(longest, len(ids))
	}
	n := newNetwork(e, m, nil, train.Dropout{}, longest)
	n.lowest = 0
	n.seen = &Sensitivity{
		Outputs: map[string]float64{}, Inputs: map[string][]float64{}, Looked: make([]float64, n.c.Embedding),
	}
	keep := n.c.Layers
	for keep > 0 && n.measure(longest, keep) > keptBytes {
		keep--
	}
	if n.w, err = n.allocate(longest, keep); err != nil {
		return nil, fmt.Errorf("tune: memory for %d tokens: %w", longest, err)
	}
	defer n.w.free()
	for _, ids := range texts {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if err := n.observe(ids); err != nil {
			return nil, fmt.Errorf("tune: %w", err)
		}
	}
	return n.seen, nil
}

// observe adds what is seen with one text, of which each token is the target of the one before.
func (n *network) observe(ids []int32) error {
	b := micro{tokens: ids, labels: slices.Clone(ids), examples: []train.Example{{N: len(ids)}}, numbers: []uint32{0}}
	if _, err := n.run(b, 1); err != nil {
		return err
	}
	n.seen.Tokens += len(ids)
	addSquares(n.seen.Looked, n.rows(n.w.dy))
	return nil
}
