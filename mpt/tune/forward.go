package tune

import (
	"mptgo/ggml"
	"mptgo/ggml/train"
)

// embed sets the input of the first layer.
func (n *network) embed() {
	x := n.rows(n.w.x[0])
	n.e.Embed(x, n.p.Embedding, n.batch.tokens)
	if n.p.Positions != nil {
		n.e.AddPositions(x, n.p.Positions, n.batch.examples)
	}
}

// rows returns as many of r as the micro-batch has tokens.
func (n *network) rows(r train.Rows) train.Rows { return first(r, len(n.batch.tokens), r.Cols) }

// forward computes layer i: what is kept of it and, if output is set, its result.
func (n *network) forward(i int, output bool) {
	l, k := &n.layers[i], &n.w.kept[i]
	x, xm := n.rows(n.w.x[i]), n.rows(k.xm)
	if !n.w.own[i] {
		n.fresh = i
	}
	a, qkv := n.rows(n.w.a), n.qkvOf(k.qkv, l)
	n.e.Norm(a, x, &l.AttnNorm)
	n.linear(qkv, a, k.z[wqkv], l, i, wqkv)
	o := n.rows(k.o)
	n.e.Attend(o, n.rows(k.stats), n.headsOf(i), n.batch.examples)
	n.linear(xm, o, k.z[outProj], l, i, outProj)
	n.e.Add(xm, x)
	n.feedForward(i)
	if output {
		y := n.rows(n.w.x[i+1])
		n.linear(y, n.rows(n.w.act), k.z[downProj], l, i, downProj)
		n.e.Add(y, xm)
		return
	}
	if c := l.change[downProj]; c != nil { // of the product that is left out
		n.e.Reduce(first(k.z[downProj], x.N, c.Width()), n.drop(n.rows(n.w.act), i, downProj), c)
	}
}

// qkvOf returns rows with the columns that the layer's product has.
func (n *network) qkvOf(r train.Rows, l *layer) train.Rows {
	return first(r, len(n.batch.tokens), l.QKV.W.Rows)
}

// feedForward computes what the second half of a block has between its first and its last products.
func (n *network) feedForward(i int) {
	l, k := &n.layers[i], &n.w.kept[i]
	h, up := n.rows(n.w.h), n.rows(k.up)
	n.e.Norm(h, n.rows(k.xm), &l.FFNNorm)
	if n.gated() {
		gate := n.rows(k.gate)
		n.e.MatMul2(up, gate, h, l.Up.W, l.Gate.W)
		n.changed(gate, h, k.z[gateProj], l, i, gateProj)
	} else {
		n.e.MatMul(up, h, l.Up.W)
	}
	n.changed(up, h, k.z[upProj], l, i, upProj)
	n.activate(i)
}

// activate computes the input of the last product.
func (n *network) activate(i int) {
	l, k, act := &n.layers[i], &n.w.kept[i], n.rows(n.w.act)
	f := ggml.Activation(n.c.Activation)
	if n.gated() {
		n.e.Gate(act, n.rows(k.up), n.rows(k.gate), f)
	} else {
		n.e.Activate(act, n.rows(k.up), f)
	}
	if l.Scales != nil {
		n.e.Divide(act, l.Scales)
	}
}

// headsOf returns queries, keys and values of layer i, made of its product.
func (n *network) headsOf(i int) *train.Heads {
	l, c := &n.layers[i], &n.c
	width, keys := c.Heads*c.HeadDim, c.KVHeads*c.HeadDim
	q := n.qkvOf(n.w.heads, l)
	n.e.Copy(q, 0, n.qkvOf(n.w.kept[i].qkv, l), 0, q.Cols)
	n.position(q, i)
	h := &train.Heads{Attention: l.attention, Q: q, KV: q, Key: width, Value: width + keys}
	source := c.Blocks[i].KVSource
	if n.shares[source] {
		h.KV, h.Key, h.Value = n.rows(n.w.kv[source]), 0, keys
		if source == i {
			n.e.Copy(h.KV, 0, q, width, 2*keys)
		}
	}
	return h
}

// position does to queries and keys what a model does before it attends.
func (n *network) position(q train.Rows, i int) {
	l, c, own := &n.layers[i], &n.c, &n.c.Blocks[i]
	if c.ClipQKV > 0 {
		n.e.Clamp(q, c.ClipQKV)
	}
	if l.QKNorms != nil {
		n.e.NormParts(q, l.QKNorms)
	}
	if own.TemperatureScale != 0 {
		n.e.Temper(q, n.batch.examples, c.Heads*c.HeadDim, own.TemperatureScale, own.TemperatureFloor)
	}
	if n.turns.N > 0 && !own.NoPE {
		n.e.Rotate(q, n.batch.examples, n.turns, n.rotated(i), c.HeadDim, false)
	}
}

// rotated returns how many heads, of queries and keys, have positions.
func (n *network) rotated(i int) int {
	if n.c.Blocks[i].KVSource == i {
		return n.c.Heads + n.c.KVHeads
	}
	return n.c.Heads
}
