// Package forge makes files for tests. Only tests import it.
package forge

import (
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	"mptgo/gguf"
)

// Mini is a model of one layer that fits into a few kilobytes, in parts that
// tests exchange.
type Mini struct {
	Meta    map[string]any
	Tensors []gguf.TensorInfo
	Data    [][]byte
}

// NewMini returns a model that runs: 32 wide, two heads, a token for every byte and
// one that ends a text.
func NewMini() *Mini {
	m := &Mini{Meta: map[string]any{
		"general.architecture": "mpt", "mpt.embedding_length": uint32(32), "mpt.block_count": uint32(1),
		"mpt.feed_forward_length": uint32(64), "mpt.context_length": uint32(64), "mpt.attention.head_count": uint32(2),
		"mpt.attention.layer_norm_epsilon": float32(1e-5), "mpt.attention.max_alibi_bias": float32(8),
		"tokenizer.ggml.model": "gpt2", "tokenizer.ggml.pre": "mpt", "tokenizer.ggml.merges": []string{},
		"tokenizer.ggml.eos_token_id": uint32(256),
	}}
	tokens, types := ByteTokens(), make([]int32, 257)
	for i := range types {
		types[i] = 1
	}
	types[256] = 3
	m.Meta["tokenizer.ggml.tokens"], m.Meta["tokenizer.ggml.token_type"] = append(tokens, "<|endoftext|>"), types
	r := rand.New(rand.NewPCG(1, 2))
	for _, t := range []gguf.TensorInfo{
		{Name: "token_embd.weight", Type: gguf.Q8_0, Shape: []int{32, 257}},
		{Name: "blk.0.attn_norm.weight", Type: gguf.F32, Shape: []int{32}},
		{Name: "blk.0.attn_qkv.weight", Type: gguf.Q8_0, Shape: []int{32, 96}},
		{Name: "blk.0.attn_output.weight", Type: gguf.Q8_0, Shape: []int{32, 32}},
		{Name: "blk.0.ffn_norm.weight", Type: gguf.F32, Shape: []int{32}},
		{Name: "blk.0.ffn_up.weight", Type: gguf.Q8_0, Shape: []int{32, 64}},
		{Name: "blk.0.ffn_down.weight", Type: gguf.Q8_0, Shape: []int{64, 32}},
		{Name: "output_norm.weight", Type: gguf.F32, Shape: []int{32}},
	} {
		m.Add(t, weightsFor(r, t))
	}
	return m
}

// NewMiniAdapter returns a LoRA adapter for it, of rank 4.
func NewMiniAdapter() *Mini {
	m := &Mini{Meta: map[string]any{
		"general.architecture": "mpt", "general.type": "adapter",
		"adapter.type": "lora", "adapter.lora.alpha": float32(4),
	}}
	r := rand.New(rand.NewPCG(3, 4))
	for _, t := range []gguf.TensorInfo{
		{Name: "blk.0.attn_qkv.weight.lora_a", Type: gguf.F32, Shape: []int{32, 4}},
		{Name: "blk.0.attn_qkv.weight.lora_b", Type: gguf.F32, Shape: []int{4, 96}},
	} {
		m.Add(t, weightsFor(r, t))
	}
	return m
}

// ByteTokens returns the texts of the tokens of single bytes, which GPT-2 shifts to
// where they can be printed.
func ByteTokens() []string {
	var tokens []string
	shifted := rune(256)
	for b := range rune(256) {
		if b >= '!' && b <= '~' || b >= 0xa1 && b <= 0xac || b >= 0xae {
			tokens = append(tokens, string(b))
			continue
		}
		tokens = append(tokens, string(shifted))
		shifted++
	}
	return tokens
}

// weightsFor returns random blocks with the scale 2^-8 of Q8_0, or ones.
func weightsFor(r *rand.Rand, t gguf.TensorInfo) []byte {
	n, err := t.Size()
	if err != nil {
		panic(err)
	}
	b := make([]byte, n)
	for i := range b {
		switch {
		case t.Type == gguf.F32:
			b[i] = "\x00\x00\x80\x3f"[i%4]
		case i%34 < 2:
			b[i] = "\x00\x1c"[i%34]
		default:
			b[i] = byte(r.Uint32())
		}
	}
	return b
}

// Add adds a tensor.
func (m *Mini) Add(t gguf.TensorInfo, data []byte) {
	m.Tensors, m.Data = append(m.Tensors, t), append(m.Data, data)
}

// Set changes a key; nil removes it.
func (m *Mini) Set(key string, value any) *Mini {
	if m.Meta[key] = value; value == nil {
		delete(m.Meta, key)
	}
	return m
}

// File returns the model as a file.
func (m *Mini) File(t testing.TB) []byte {
	t.Helper()
	var meta []gguf.KV
	for _, key := range slices.Sorted(maps.Keys(m.Meta)) {
		meta = append(meta, gguf.KV{Key: key, Value: m.Meta[key]})
	}
	b, err := gguf.Encode(meta, m.Tensors, m.Data)
	if err != nil {
		t.Fatal(err)
	}
	return b
}
