package mpt

import (
	"errors"
	"fmt"
	"strings"

	"mptgo/ggml"
	"mptgo/gguf"
	"mptgo/internal/errkind"
)

// linear is a matrix with, perhaps, a bias.
type linear struct {
	w *ggml.Matrix
	b []float32 // [w.Rows] or nil
}

// layer is one block of the decoder. What a model does not have is nil.
type layer struct {
	norm1, norm2 ggml.Norm   // of D values
	qkv          linear      // [Hd+2Kd, D]: all queries, all keys, all values; [Hd, D] if the keys are another layer's
	qkNorms      []ggml.Part // of the columns of qkv
	out          linear      // [D, Hd]
	up, gate     linear      // [F, D]
	scales       []float32   // [F]: what the activation is divided by
	down         linear      // [D, F]
}

// weights are the parameters of a model. Matrices lie in the mapped file.
type weights struct {
	wte    *ggml.Matrix // [V, D]
	wpe    *ggml.Matrix // [context, D], or nil
	layers []layer
	normF  ggml.Norm    // of D values
	output *ggml.Matrix // [V, D]: wte if the embeddings are tied
}

// loadWeights checks that the file holds the tensors of c, each with its shape,
// and no others.
func loadWeights(f *gguf.File, c *Config) (*weights, error) {
	l := &loader{f: f, c: c, used: map[string]bool{}}
	w := &weights{layers: make([]layer, c.Layers)}
	w.wte = l.matrix("token_embd.weight", 0, c.Embedding)
	if l.err != nil {
		return nil, l.err
	}
	c.Vocab = w.wte.Rows
	w.wpe = l.positions()
	for i := range w.layers {
		w.layers[i] = l.layer(fmt.Sprintf("blk.%d.", i), c.Blocks[i].KVSource == i)
	}
	w.normF = l.norm("output_norm")
	w.output = w.wte
	if l.has("output.weight") {
		w.output = l.matrix("output.weight", c.Vocab, c.Embedding)
	}
	l.others()
	return w, l.err
}

// positions returns the table of learned positions, if there is one.
func (l *loader) positions() *ggml.Matrix {
	const name = "position_embd.weight"
	if !l.has(name) {
		return nil
	}
	if l.c.AlibiMax > 0 || l.c.Rotary.Dim > 0 {
		l.fail("learned positions (tensor %q) contradict ALiBi or rotary positions", name)
	}
	return l.matrix(name, l.c.Context, l.c.Embedding)
}

// layer returns the block whose tensors begin with p; ownKV says whether it has keys
// and values.
func (l *loader) layer(p string, ownKV bool) layer {
	c := l.c
	d, width := c.Embedding, c.Heads*c.HeadDim
	y := layer{norm1: l.norm(p + "attn_norm"), norm2: l.norm(p + "ffn_norm")}
	if ownKV {
		y.qkv = l.linear(p+"attn_qkv", width+2*c.KVHeads*c.HeadDim, d)
	} else {
		y.qkv = l.linear(p+"attn_q", width, d)
	}
	y.qkNorms = l.qkNorms(p, ownKV)
	y.out = l.linear(p+"attn_output", d, width)
	y.up = l.linear(p+"ffn_up", c.FFN, d)
	if l.has(p + "ffn_gate.weight") {
		y.gate = l.linear(p+"ffn_gate", c.FFN, d)
	}
	y.scales = l.optional(p+"ffn.act.scales", c.FFN)
	y.down = l.linear(p+"ffn_down", d, c.FFN)
	return y
}

// linear returns the matrix of the given name and its bias, if there is one.
func (l *loader) linear(name string, rows, cols int) linear {
	return linear{l.matrix(name+".weight", rows, cols), l.optional(name+".bias", rows)}
}

// norm returns the norm of the given name.
func (l *loader) norm(name string) ggml.Norm {
	n := ggml.Norm{Weight: l.vector(name+".weight", l.c.Embedding), Eps: l.c.Eps, RMS: l.c.RMS}
	if !n.RMS {
		n.Bias = l.optional(name+".bias", l.c.Embedding)
	}
	return n
}

// qkNorms returns the norms of queries and, with keys, of these: each one of all heads
// together or one for every head, as the shape of the weights says.
func (l *loader) qkNorms(p string, ownKV bool) []ggml.Part {
	c := l.c
	query, key := p+"attn_q_norm", p+"attn_k_norm"
	if !l.has(query+".weight") && !l.has(key+".weight") {
		return nil
	}
	width := c.Heads * c.HeadDim
	parts := []ggml.Part{l.part(query, 0, width)}
	if ownKV {
		parts = append(parts, l.part(key, width, c.KVHeads*c.HeadDim))
	}
	return parts
}

// part returns the norm for width columns of a row.
func (l *loader) part(name string, from, width int) ggml.Part {
	n, c := width, l.c
	if t, ok := l.f.Tensor(name + ".weight"); ok && t.Shape[0] == c.HeadDim {
		n = c.HeadDim
	}
	p := ggml.Part{Norm: ggml.Norm{Weight: l.vector(name+".weight", n), Eps: c.QKEps, RMS: c.QKRMS}, From: from, Count: width / n}
	if !p.RMS {
		p.Bias = l.optional(name+".bias", n)
	}
	return p
}

// features are the parts of the family that are not implemented, by the ending
// of the tensors they bring, and those that a file has although its other tensors and
// keys have no place for them.
var features = []struct{ suffix, feature string }{
	{"norm.bias", "biases of norms that have none"},
	{".attn_q.weight", "separate query, key and value matrices"},
	{".attn_k.weight", "separate query, key and value matrices"},
	{".attn_v.weight", "separate query, key and value matrices"},
	{"_exps.weight", "mixtures of experts"},
	{"ffn_gate_inp.weight", "mixtures of experts"},
}

// others refuses a file with tensors that nobody asked for: leaving them out
// would give wrong results.
func (l *loader) others() {
	for _, t := range l.f.Tensors() {
		if l.used[t.Name] || l.err != nil {
			continue
		}
		for _, x := range features {
			if strings.HasSuffix(t.Name, x.suffix) {
				l.fail("%w", errkind.As(fmt.Errorf("%s (tensor %q) are not supported", x.feature, t.Name), errors.ErrUnsupported))
				return
			}
		}
		l.fail("%w", errkind.As(fmt.Errorf("unknown tensor %q", t.Name), errors.ErrUnsupported))
	}
}
