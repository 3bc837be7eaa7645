package mpt

import (
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"mptgo/gguf"
)

// miniature is a model of one layer that fits into a few kilobytes, in parts that
// tests exchange.
type miniature struct {
	meta    map[string]any
	tensors []gguf.TensorInfo
	data    [][]byte
}

// mini returns a model that runs: 32 wide, two heads, a token for every byte and
// one that ends a text.
func mini() *miniature {
	m := &miniature{meta: map[string]any{
		"general.architecture": Architecture, "mpt.embedding_length": uint32(32), "mpt.block_count": uint32(1),
		"mpt.feed_forward_length": uint32(64), "mpt.context_length": uint32(64), "mpt.attention.head_count": uint32(2),
		"mpt.attention.layer_norm_epsilon": float32(1e-5), "mpt.attention.max_alibi_bias": float32(8),
		"tokenizer.ggml.model": "gpt2", "tokenizer.ggml.pre": "mpt", "tokenizer.ggml.merges": []string{},
		"tokenizer.ggml.eos_token_id": uint32(256),
	}}
	tokens, types := byteTokens(), make([]int32, 257)
	for i := range types {
		types[i] = 1
	}
	types[256] = 3
	m.meta["tokenizer.ggml.tokens"], m.meta["tokenizer.ggml.token_type"] = append(tokens, "<|endoftext|>"), types
	r := rand.New(rand.NewPCG(1, 2))
	for _, t := range []gguf.TensorInfo{
		{Name: "token_embd.weight", Type: gguf.Q8_0, Ne: []int{32, 257}},
		{Name: "blk.0.attn_norm.weight", Type: gguf.F32, Ne: []int{32}},
		{Name: "blk.0.attn_qkv.weight", Type: gguf.Q8_0, Ne: []int{32, 96}},
		{Name: "blk.0.attn_output.weight", Type: gguf.Q8_0, Ne: []int{32, 32}},
		{Name: "blk.0.ffn_norm.weight", Type: gguf.F32, Ne: []int{32}},
		{Name: "blk.0.ffn_up.weight", Type: gguf.Q8_0, Ne: []int{32, 64}},
		{Name: "blk.0.ffn_down.weight", Type: gguf.Q8_0, Ne: []int{64, 32}},
		{Name: "output_norm.weight", Type: gguf.F32, Ne: []int{32}},
	} {
		m.add(t, weightsFor(r, t))
	}
	return m
}

// miniAdapter returns a LoRA adapter for it, of rank 4.
func miniAdapter() *miniature {
	m := &miniature{meta: map[string]any{
		"general.architecture": Architecture, "general.type": "adapter",
		"adapter.type": "lora", "adapter.lora.alpha": float32(4),
	}}
	r := rand.New(rand.NewPCG(3, 4))
	for _, t := range []gguf.TensorInfo{
		{Name: "blk.0.attn_qkv.weight.lora_a", Type: gguf.F32, Ne: []int{32, 4}},
		{Name: "blk.0.attn_qkv.weight.lora_b", Type: gguf.F32, Ne: []int{4, 96}},
	} {
		m.add(t, weightsFor(r, t))
	}
	return m
}

// byteTokens returns the texts of the tokens of single bytes, which GPT-2 shifts to
// where they can be printed.
func byteTokens() []string {
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

func (m *miniature) add(t gguf.TensorInfo, data []byte) {
	m.tensors, m.data = append(m.tensors, t), append(m.data, data)
}

// set changes a key; nil removes it.
func (m *miniature) set(key string, value any) *miniature {
	if m.meta[key] = value; value == nil {
		delete(m.meta, key)
	}
	return m
}

// file returns the model as a file.
func (m *miniature) file(t testing.TB) []byte {
	t.Helper()
	var meta []gguf.KV
	for _, key := range slices.Sorted(maps.Keys(m.meta)) {
		meta = append(meta, gguf.KV{Key: key, Value: m.meta[key]})
	}
	b, err := gguf.Encode(meta, m.tensors, m.data)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// loaded opens the model that a file in memory holds.
func loaded(b []byte, opts ...Option) (*Model, error) {
	f, err := gguf.Parse("mini", b)
	if err != nil {
		return nil, err
	}
	return Load(f, append([]Option{Threads(1), BatchSize(8), IgnoreMemory()}, opts...)...)
}

// open opens m until the end of the test.
func (m *miniature) open(t testing.TB, opts ...Option) *Model {
	t.Helper()
	model, err := loaded(m.file(t), opts...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := model.Close(); err != nil {
			t.Error(err)
		}
	})
	return model
}

// session returns a session of m until the end of the test.
func (m *Model) session(t testing.TB, opts ...SessionOption) *Session {
	t.Helper()
	s, err := m.NewSession(opts...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

// onDisk writes m to a file.
func (m *miniature) onDisk(t testing.TB) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "mini.gguf")
	if err := os.WriteFile(path, m.file(t), 0o666); err != nil {
		t.Fatal(err)
	}
	return path
}
