package mpt

import (
	"fmt"

	"mptgo/ggml"
)

// body builds the decoder: from tokens to the residual stream after each
// block, [n, D]: after the last one, only for the rows that are wanted.
func (m *Model) body(g *ggml.Graph, adapters []*Adapter) (after []*ggml.Tensor) {
	x := lookUp(g, "inp_embd", m.w.wte, adapters) // [n, D]
	if m.w.wpe != nil {
		x = g.AddPositions("inp_pos", x, m.w.wpe)
	}
	var angles *ggml.Tensor
	if m.config.Rotary.Dim > 0 {
		angles = g.Angles("rope_angles", m.config.Rotary)
	}
	for i := range m.w.layers {
		b := &layerGraph{m, g, i, &m.w.layers[i], adapters}
		a := b.attention(g.Norm(b.name("attn_norm"), x, b.w.norm1), angles)
		if i+1 == len(m.w.layers) { // no row reads from another one any more
			a, x = g.Narrow("wanted_attn", a), g.Narrow("wanted_res", x)
		}
		x = g.Add(b.name("attn_res"), b.linear("attn_out", b.w.out, a), x) // [n, D]
		x = g.Add(b.name("ffn_res"), b.feedForward(g.Norm(b.name("ffn_norm"), x, b.w.norm2)), x)
		after = append(after, x)
	}
	return after
}

// layerGraph builds one layer.
type layerGraph struct {
	m *Model
	g *ggml.Graph
	i int
	w *layer

	adapters []*Adapter
}

func (b *layerGraph) name(s string) string { return fmt.Sprintf("blk.%d.%s", b.i, s) }

// linear builds y = x·Wᵀ + b, where adapters may change W.
func (b *layerGraph) linear(name string, w linear, x *ggml.Tensor) *ggml.Tensor {
	return b.g.Bias(b.name(name+"_biased"), product(b.g, b.name(name), w.w, w.w.Name, x, b.adapters), w.b)
}

// product builds x·Wᵀ with the changes that adapters have for the matrix of that name.
func product(g *ggml.Graph, name string, w *ggml.Matrix, matrix string, x *ggml.Tensor, adapters []*Adapter) *ggml.Tensor {
	var changes []ggml.Change
	for i, a := range adapters {
		for _, l := range a.changes[matrix] {
			changes = append(changes, ggml.Change{L: l, Factor: i})
		}
	}
	if changes == nil {
		return g.MatMul(name, w, x)
	}
	thin := g.Reduce(name+"_lora_a", x, changes...) // before the large product, which the rest becomes a part of
	y := g.MatMul(name, w, x)
	for k := range changes {
		y = g.AddLowRank(fmt.Sprintf("%s_lora_%d", name, k), y, thin, k)
	}
	return y
}

// lookUp builds the rows of the embedding, with the changes that adapters have for it.
func lookUp(g *ggml.Graph, name string, w *ggml.Matrix, adapters []*Adapter) *ggml.Tensor {
	x := g.Embed(name, w)
	for i, a := range adapters {
		for _, l := range a.changes["token_embd.weight"] {
			x = g.AddLowRank(fmt.Sprintf("%s_lora_%d", name, i), x, g.LookUp(fmt.Sprintf("%s_lora_a_%d", name, i), l, i), 0)
		}
	}
	return x
}

// attention maps the normalised residual stream h, [n, D], to what its heads attend to, [n, Hd].
func (b *layerGraph) attention(h, angles *ggml.Tensor) *ggml.Tensor {
	g, c, own := b.g, &b.m.config, &b.m.config.Blocks[b.i]
	qkv := b.linear("attn_qkv", b.w.qkv, h) // [n, Hd+2Kd], or [n, Hd] with another layer's keys
	if c.ClipQKV > 0 {
		qkv = g.Clamp(b.name("attn_qkv_clamped"), qkv, c.ClipQKV)
	}
	if b.w.qkNorms != nil {
		qkv = g.NormParts(b.name("attn_qk_norm"), qkv, b.w.qkNorms...)
	}
	if own.TemperatureScale != 0 {
		qkv = g.Temper(b.name("attn_q_tempered"), qkv, c.Heads*c.HeadDim, own.TemperatureScale, own.TemperatureFloor)
	}
	if angles != nil && !own.NoPE {
		qkv = g.Rotate(b.name("attn_rotated"), qkv, angles, b.rotated(), c.HeadDim)
	}
	return g.Attend(b.name("attn"), qkv, b.m.attention(b.i))
}

// rotated returns the number of heads with positions, of queries and keys.
func (b *layerGraph) rotated() int {
	c := &b.m.config
	if c.Blocks[b.i].KVSource == b.i {
		return c.Heads + c.KVHeads
	}
	return c.Heads
}

// feedForward maps the normalised residual stream h, [n, D], to what is added to it.
func (b *layerGraph) feedForward(h *ggml.Tensor) *ggml.Tensor {
	g, act := b.g, ggml.Activation(b.m.config.Activation)
	var u *ggml.Tensor // [n, F]
	if b.w.gate.w != nil {
		gate := g.Activate(b.name("ffn_act"), b.linear("ffn_gate", b.w.gate, h), act)
		u = g.Mul(b.name("ffn_gated"), b.linear("ffn_up", b.w.up, h), gate)
	} else {
		u = g.Activate(b.name("ffn_act"), b.linear("ffn_up", b.w.up, h), act)
	}
	u = g.Divide(b.name("ffn_scaled"), u, b.w.scales)
	return b.linear("ffn_down", b.w.down, u) // [n, D]
}

// head builds the end of the model: from the normalised residual stream h, [n, D], to
// logits, [n, V].
func (m *Model) head(g *ggml.Graph, h *ggml.Tensor, adapters []*Adapter) *ggml.Tensor {
	logits := product(g, "result_output", m.w.output, "output.weight", h, adapters) // of tied embeddings, too
	if m.config.LogitScale != 1 {
		logits = g.Scale("result_scaled", logits, m.config.LogitScale)
	}
	if m.config.LogitCap != 0 {
		logits = g.Softcap("result_capped", logits, m.config.LogitCap)
	}
	return logits
}

func (m *Model) attention(layer int) ggml.Attention {
	c := &m.config
	own := &c.Blocks[layer]
	return ggml.Attention{
		Heads: c.Heads, KVHeads: c.KVHeads, Dim: c.HeadDim,
		Scale: c.SoftmaxScale, Cap: c.AttnCap, Slopes: m.slopes, Window: own.Window,
		Layer: c.cacheOf(own.KVSource), Reuse: own.KVSource != layer,
	}
}

// caches returns the number of layers with keys and values of their own.
func (c *Config) caches() int { return c.cacheOf(c.Layers) }

// cacheOf returns which cache the keys and values of a layer go to: how many layers
// before it have one.
func (c *Config) cacheOf(layer int) int {
	n := 0
	for i := range layer {
		if c.Blocks[i].KVSource == i {
			n++
		}
	}
	return n
}
