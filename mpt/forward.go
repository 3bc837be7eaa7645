package mpt

import (
	"fmt"

	"mptgo/ggml"
)

// body builds the decoder: from tokens to the residual stream after the last
// block, [n, D].
func (m *Model) body(g *ggml.Graph) *ggml.Tensor {
	x := g.Embed("inp_embd", m.w.wte) // [n, D]
	for i, l := range m.w.layers {
		name := func(s string) string { return fmt.Sprintf("blk.%d.%s", i, s) }

		h := g.LayerNorm(name("attn_norm"), x, l.norm1, nil, m.config.Eps)
		qkv := g.MatMul(name("attn_qkv"), l.wqkv, h) // [n, 3D]
		if m.config.ClipQKV > 0 {
			qkv = g.Clamp(name("attn_qkv_clamped"), qkv, m.config.ClipQKV)
		}
		a := g.Attend(name("attn"), qkv, m.attention(i))                    // [n, D]
		x = g.Add(name("attn_res"), g.MatMul(name("attn_out"), l.wo, a), x) // [n, D]

		h = g.LayerNorm(name("ffn_norm"), x, l.norm2, nil, m.config.Eps)
		u := g.GELU(name("ffn_gelu"), g.MatMul(name("ffn_up"), l.up, h))     // [n, F]
		x = g.Add(name("ffn_res"), g.MatMul(name("ffn_down"), l.down, u), x) // [n, D]
	}
	return x
}

// head builds the end of the model: from rows of the residual stream to
// logits, [n, V].
func (m *Model) head(g *ggml.Graph) (in, logits *ggml.Tensor) {
	in = g.Input("result_embd", m.config.Embedding)
	h := g.LayerNorm("result_norm", in, m.w.normF, nil, m.config.Eps)
	logits = g.MatMul("result_output", m.w.output, h)
	if m.config.LogitScale != 1 {
		logits = g.Scale("result_scaled", logits, m.config.LogitScale)
	}
	return in, logits
}

func (m *Model) attention(layer int) ggml.Attention {
	return ggml.Attention{
		Heads: m.config.Heads, Dim: m.config.HeadDim,
		Scale: m.config.SoftmaxScale, Slopes: m.slopes, Layer: layer,
	}
}
