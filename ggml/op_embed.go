package ggml

import (
	"mptgo/quantize"
)

// embed looks up one row of a matrix for every token of the batch.
type embed struct {
	w *Matrix
	y *Tensor
}

// Embed returns the rows of w that the tokens of the batch select, decoded to
// float32: [batch, w.Cols].
func (g *Graph) Embed(name string, w *Matrix) *Tensor {
	return g.add(&embed{w, g.newTensor(name, w.Cols)})
}

func (o *embed) kind() string      { return "embed" }
func (o *embed) inputs() []*Tensor { return nil }
func (o *embed) out() *Tensor      { return o.y }

func (o *embed) steps(e *Exec) []step {
	size := len(o.w.Data) / o.w.Rows
	return []step{{perRow, func(i, _ int) {
		t := int(e.batch.Tokens[i])
		if err := quantize.DecodeRow(o.w.Type, o.y.row(i), o.w.Data[t*size:(t+1)*size]); err != nil {
			panic(err) // the type was checked when the matrix was made
		}
	}}}
}

// perRow is one task for each row of the batch.
func perRow(n int) int { return n }
