package tune

import (
	"mptgo/ggml"
	"mptgo/ggml/train"
	"mptgo/mpt"
)

// network computes losses and gradients of a model with changes.
type network struct {
	e      *train.Engine
	c      mpt.Config
	p      mpt.Parameters
	layers []layer
	shares []bool     // other layers use the keys and values of this one
	lowest int        // the first layer with a change
	turns  train.Rows // of rotary positions, or empty
	w      *workspace
	fresh  int // the layer whose values the shared memory holds

	dropout  train.Dropout
	training bool         // values are dropped
	seen     *Sensitivity // nil: nobody wants it
	batch    micro
}

// layer is a block of the decoder with its changes.
type layer struct {
	mpt.LayerParameters
	attention ggml.Attention
	change    [kinds]*train.LowRank
}

// micro is what is computed together: some examples.
type micro struct {
	tokens   []int32
	examples []train.Example
	numbers  []uint32 // of the examples in the run
	labels   []int32
}

// newNetwork returns the network of m with the given changes, for examples of up to length tokens.
func newNetwork(e *train.Engine, m *mpt.Model, changes []*module, dropout train.Dropout, length int) *network {
	n := &network{e: e, c: m.Config(), p: m.Parameters(), dropout: dropout}
	n.shares, n.lowest = make([]bool, n.c.Layers), n.c.Layers
	for i := range n.p.Layers {
		n.layers = append(n.layers, layer{LayerParameters: n.p.Layers[i], attention: m.Attention(i)})
		if s := n.c.Blocks[i].KVSource; s != i {
			n.shares[s] = true
		}
	}
	for _, mod := range changes {
		n.layers[mod.layer].change[mod.kind] = mod.change
		n.lowest = min(n.lowest, mod.layer)
	}
	if r := n.c.Rotary; r.Dim > 0 {
		n.turns = train.Rows{N: length, Cols: r.Dim, X: r.Table(length)}
	}
	return n
}

func (n *network) gated() bool { return n.layers[0].Gate.W != nil }

// widest returns the width of the widest product with an A.
func (n *network) widest() int {
	most := 0
	for i := range n.layers {
		for _, c := range n.layers[i].change {
			if c != nil {
				most = max(most, c.Width())
			}
		}
	}
	return most
}

// linear sets y to the product of x with a matrix and its change, z to that with A.
func (n *network) linear(y, x, z train.Rows, l *layer, layer, kind int) {
	n.e.MatMul(y, x, matrices(&l.LayerParameters)[kind])
	n.changed(y, x, z, l, layer, kind)
}

// changed adds change and bias to y.
func (n *network) changed(y, x, z train.Rows, l *layer, layer, kind int) {
	if c := l.change[kind]; c != nil {
		n.e.Forward(y, first(z, x.N, c.Width()), n.drop(x, layer, kind), c)
	}
	n.e.AddBias(y, biases(&l.LayerParameters)[kind])
}

// biases returns those of the matrices of a layer, by kind.
func biases(l *mpt.LayerParameters) [kinds][]float32 {
	return [kinds][]float32{l.QKV.B, l.Out.B, l.Up.B, l.Gate.B, l.Down.B}
}

// drop returns what a change sees of x.
func (n *network) drop(x train.Rows, layer, kind int) train.Rows {
	if !n.training || n.dropout.Rate == 0 {
		return x
	}
	y := first(n.w.dropped, x.N, x.Cols)
	n.e.Drop(y, x, n.batch.examples, n.batch.numbers, layer*kinds+kind, n.dropout)
	return y
}

// linearBack is the way back through linear: it adds what comes back to dx, unless that is nil.
func (n *network) linearBack(dx *train.Rows, dy, x, z train.Rows, l *layer, layer, kind int) {
	n.seen.observe(matrices(&l.LayerParameters)[kind], x, dy)
	if dx != nil {
		n.e.MatMulBack(*dx, dy, matrices(&l.LayerParameters)[kind])
	}
	c := l.change[kind]
	if c == nil {
		return
	}
	d, z := first(n.w.d, x.N, c.Width()), first(z, x.N, c.Width())
	to := dx
	dropping := n.training && n.dropout.Rate > 0
	if dropping && dx != nil {
		undropped := first(n.w.undropped, x.N, x.Cols)
		n.e.Zero(undropped)
		to = &undropped
	}
	n.e.Backward(to, d, dy, z, n.drop(x, layer, kind), c, n.batch.examples)
	if dropping && dx != nil {
		n.e.AddDropped(*dx, *to, n.batch.examples, n.batch.numbers, layer*kinds+kind, n.dropout)
	}
}
