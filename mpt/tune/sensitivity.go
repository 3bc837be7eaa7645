package tune

import (
	"context"
	"fmt"
	"slices"

	"mptgo/ggml"
	"mptgo/ggml/train"
	"mptgo/mpt"
)

// Sensitivity says how much the predictions of a model change with the outputs of its matrices: sums, over
// the tokens of texts, of the squares of the gradients of the loss. On texts that the model has written
// itself that is the Fisher information, half of which, times the square of a small error, is the KL
// divergence that the error makes.
type Sensitivity struct {
	Tokens  int
	Outputs map[string][]float64 // of every matrix of the blocks and of the one that makes the logits: by output
	Inputs  map[string][]float64 // of these the squares of what they are multiplied with, by column
	Looked  []float64            // of the embeddings: by column
	Tokened []float64            // how often each token was looked up
}

// squares adds the squares of gradients, if it is not nil.
type squares map[string][]float64

func (s squares) add(w *ggml.Matrix, d train.Rows) {
	if s == nil {
		return
	}
	sum := s[w.Name]
	if sum == nil {
		sum = make([]float64, d.Cols)
		s[w.Name] = sum
	}
	addSquares(sum, d)
}

func addSquares(sum []float64, d train.Rows) {
	for i := range d.N {
		for j, v := range d.Row(i) {
			sum[j] += float64(float64(v) * float64(v))
		}
	}
}

// keptBytes is how much memory may hold values between the way forward and the way back; others are
// computed again.
const keptBytes = 512 << 20

// Measure returns the sensitivity of a model on texts, by so many threads.
func Measure(ctx context.Context, m *mpt.Model, texts [][]int32, threads int) (_ *Sensitivity, err error) {
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
	n.lowest, n.squares, n.inputs = 0, squares{}, squares{}
	keep := n.c.Layers
	for keep > 0 && n.measure(longest, keep) > keptBytes {
		keep--
	}
	if n.w, err = n.allocate(longest, keep); err != nil {
		return nil, fmt.Errorf("tune: memory for %d tokens: %w", longest, err)
	}
	defer n.w.free()
	s := &Sensitivity{
		Outputs: n.squares, Inputs: n.inputs, Looked: make([]float64, n.c.Embedding), Tokened: make([]float64, n.p.Embedding.Rows),
	}
	for _, ids := range texts {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if err := n.sensitivity(s, ids); err != nil {
			return nil, fmt.Errorf("tune: %w", err)
		}
	}
	return s, nil
}

// sensitivity adds those of one text.
func (n *network) sensitivity(s *Sensitivity, ids []int32) error {
	b := micro{tokens: ids, labels: slices.Clone(ids), examples: []train.Example{{N: len(ids)}}, numbers: []uint32{0}}
	if _, err := n.run(b, 1); err != nil {
		return err
	}
	s.Tokens += len(ids)
	addSquares(s.Looked, n.rows(n.w.dy))
	for _, id := range ids {
		s.Tokened[id]++
	}
	return nil
}
