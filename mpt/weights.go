package mpt

import (
	"fmt"
	"strconv"
	"strings"

	"mptgo/ggml"
	"mptgo/gguf"
	"mptgo/quantize"
)

// layer is one block of the decoder.
type layer struct {
	norm1, norm2 []float32    // [D]
	wqkv         *ggml.Matrix // [3D, D]: all queries, all keys, all values
	wo           *ggml.Matrix // [D, D]
	up           *ggml.Matrix // [F, D]
	down         *ggml.Matrix // [D, F]
}

// weights are the parameters of a model. Matrices lie in the mapped file.
type weights struct {
	wte    *ggml.Matrix // [V, D]
	layers []layer
	normF  []float32    // [D]
	output *ggml.Matrix // [V, D]: wte if the embeddings are tied
}

// loader takes tensors from a file by name and shape and keeps the first
// error.
type loader struct {
	f    *gguf.File
	used map[string]bool
	err  error
}

// loadWeights checks that the file holds the tensors of c, each with its shape,
// and no others.
func loadWeights(f *gguf.File, c *Config) (*weights, error) {
	l := &loader{f: f, used: map[string]bool{}}
	w := &weights{layers: make([]layer, c.Layers)}
	w.wte = l.matrix("token_embd.weight", 0, c.Embedding)
	if l.err != nil {
		return nil, l.err
	}
	c.Vocab = w.wte.Rows
	for i := range w.layers {
		p := fmt.Sprintf("blk.%d.", i)
		w.layers[i] = layer{
			norm1: l.vector(p+"attn_norm.weight", c.Embedding),
			wqkv:  l.matrix(p+"attn_qkv.weight", 3*c.Embedding, c.Embedding),
			wo:    l.matrix(p+"attn_output.weight", c.Embedding, c.Embedding),
			norm2: l.vector(p+"ffn_norm.weight", c.Embedding),
			up:    l.matrix(p+"ffn_up.weight", c.FFN, c.Embedding),
			down:  l.matrix(p+"ffn_down.weight", c.Embedding, c.FFN),
		}
	}
	w.normF = l.vector("output_norm.weight", c.Embedding)
	w.output = w.wte
	if _, ok := f.Tensor("output.weight"); ok {
		w.output = l.matrix("output.weight", c.Vocab, c.Embedding)
	}
	l.others()
	return w, l.err
}

// tensor returns the tensor with the given name and marks it as used.
func (l *loader) tensor(name string) *gguf.Tensor {
	t, ok := l.f.Tensor(name)
	if !ok {
		l.fail("tensor %q is missing", name)
		return nil
	}
	l.used[name] = true
	return t
}

func (l *loader) fail(format string, args ...any) {
	if l.err == nil {
		l.err = fmt.Errorf("mpt: %s: "+format, append([]any{l.f.Name()}, args...)...)
	}
}

// matrix returns a tensor of the given shape; any number of rows if rows is 0.
func (l *loader) matrix(name string, rows, cols int) *ggml.Matrix {
	t := l.tensor(name)
	if t == nil || l.err != nil {
		return nil
	}
	if len(t.Ne) != 2 || t.Ne[0] != cols || rows != 0 && t.Ne[1] != rows {
		want := "any number of"
		if rows != 0 {
			want = strconv.Itoa(rows)
		}
		l.fail("tensor %q has shape %v, want %s rows of %d", name, t.Ne, want, cols)
		return nil
	}
	m, err := ggml.NewMatrix(name, t.Type, t.Rows(), cols, t.Data())
	if err != nil {
		l.fail("%w", err)
	}
	return m
}

// vector returns a copy of a tensor of n values as float32.
func (l *loader) vector(name string, n int) []float32 {
	t := l.tensor(name)
	if t == nil || l.err != nil {
		return nil
	}
	if t.Ne[0] != n || t.Rows() != 1 {
		l.fail("tensor %q has shape %v, want [%d]", name, t.Ne, n)
		return nil
	}
	v := make([]float32, n)
	if err := quantize.DecodeRow(t.Type, v, t.Data()); err != nil {
		l.fail("tensor %q: %w", name, err)
	}
	return v
}

// features are the parts of the family that are not implemented, by the ending
// of the tensors they bring.
var features = []struct{ suffix, feature string }{
	{".bias", "biases"},
	{"position_embd.weight", "learned position embeddings"},
	{".attn_q_norm.weight", "norm of queries and keys"},
	{".attn_k_norm.weight", "norm of queries and keys"},
	{".attn_q.weight", "separate query, key and value matrices"},
	{".attn_k.weight", "separate query, key and value matrices"},
	{".attn_v.weight", "separate query, key and value matrices"},
	{".ffn_gate.weight", "gated feed-forward layers"},
	{".ffn.act.scales", "AWQ activation scales"},
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
				l.fail("%s (tensor %q) are not supported yet", x.feature, t.Name)
				return
			}
		}
		l.fail("unknown tensor %q", t.Name)
	}
}
