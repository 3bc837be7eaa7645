package tune

import (
	"mptgo/ggml"
	"mptgo/ggml/train"
)

// backward replaces dy, the gradient of the result of layer i, by that of its input, and adds to the
// gradients of its changes.
func (n *network) backward(i int) {
	l, k := &n.layers[i], &n.w.kept[i]
	h := n.again(i)
	x, xm, dy, dh := n.rows(n.w.x[i]), n.rows(k.xm), n.rows(n.w.dy), n.rows(n.w.dh)

	act, df := n.rows(n.w.act), n.rows(n.w.df)
	n.e.Zero(df)
	n.linearBack(&df, dy, act, k.z[downProj], l, i, downProj)
	if l.Scales != nil {
		n.e.Divide(df, l.Scales)
	}
	n.e.Zero(dh)
	n.activateBack(i, df, dh)
	n.e.NormBack(dy, dh, xm, &l.FFNNorm)

	do, dqkv := n.rows(n.w.do), n.qkvOf(n.w.dqkv, l)
	n.e.Zero(do)
	n.linearBack(&do, dy, n.rows(k.o), k.z[outProj], l, i, outProj)
	n.attendBack(i, h, dqkv, do)
	n.positionBack(dqkv, i)
	a := n.rows(n.w.a)
	if i == n.lowest && n.seen == nil {
		n.linearBack(nil, dqkv, a, k.z[wqkv], l, i, wqkv)
		return
	}
	n.e.Zero(dh)
	n.linearBack(&dh, dqkv, a, k.z[wqkv], l, i, wqkv)
	n.e.NormBack(dy, dh, x, &l.AttnNorm)
}

// again makes again what the way back of layer i reads and is not kept.
func (n *network) again(i int) *train.Heads {
	if !n.w.own[i] && n.fresh != i {
		n.forward(i, false)
		return n.headsOf(i)
	}
	l, k := &n.layers[i], &n.w.kept[i]
	n.e.Norm(n.rows(n.w.a), n.rows(n.w.x[i]), &l.AttnNorm)
	n.e.Norm(n.rows(n.w.h), n.rows(k.xm), &l.FFNNorm)
	n.activate(i)
	return n.headsOf(i)
}

// activateBack is the way back, from df, through the activation and the products before it, to dh.
func (n *network) activateBack(i int, df, dh train.Rows) {
	l, k, h := &n.layers[i], &n.w.kept[i], n.rows(n.w.h)
	f := ggml.Activation(n.c.Activation)
	if n.gated() {
		dg := n.rows(n.w.dg)
		n.e.GateBack(df, dg, n.rows(k.up), n.rows(k.gate), f)
		n.linearBack(&dh, df, h, k.z[upProj], l, i, upProj)
		n.linearBack(&dh, dg, h, k.z[gateProj], l, i, gateProj)
		return
	}
	n.e.ActivateBack(df, n.rows(k.up), f)
	n.linearBack(&dh, df, h, k.z[upProj], l, i, upProj)
}

// attendBack sets dqkv. Of keys and values that several layers use the gradients are added up until the
// layer comes that made them, which is the lowest.
func (n *network) attendBack(i int, h *train.Heads, dqkv, do train.Rows) {
	c, source := &n.c, n.c.Blocks[i].KVSource
	width, keys := c.Heads*c.HeadDim, c.KVHeads*c.HeadDim
	dkv := dqkv
	if n.shares[source] {
		dkv = n.rows(n.w.dkv[source])
	}
	n.e.Zero(dqkv)
	k := &n.w.kept[i]
	n.e.AttendBack(dqkv, dkv, do, n.rows(k.o), n.rows(k.stats), h, n.batch.examples)
	if source == i && n.shares[i] {
		n.e.Copy(dqkv, width, dkv, 0, 2*keys)
	}
}

// positionBack is the way back through position.
func (n *network) positionBack(d train.Rows, i int) {
	l, c, own := &n.layers[i], &n.c, &n.c.Blocks[i]
	raw := n.qkvOf(n.w.kept[i].qkv, l)
	if n.turns.N > 0 && !own.NoPE {
		n.e.Rotate(d, n.batch.examples, n.turns, n.rotated(i), c.HeadDim, true)
	}
	if own.TemperatureScale != 0 {
		n.e.Temper(d, n.batch.examples, c.Heads*c.HeadDim, own.TemperatureScale, own.TemperatureFloor)
	}
	if l.QKNorms != nil {
		x := n.qkvOf(n.w.clipped, l)
		n.e.Copy(x, 0, raw, 0, raw.Cols)
		if c.ClipQKV > 0 {
			n.e.Clamp(x, c.ClipQKV)
		}
		n.e.NormPartsBack(d, x, l.QKNorms)
	}
	if c.ClipQKV > 0 {
		n.e.ClampBack(d, raw, c.ClipQKV)
	}
}
