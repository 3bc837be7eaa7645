package mpt

import (
	"fmt"
	"math"
	"mptgo/internal/forge"
	"strings"
	"testing"

	"mptgo/gguf"
	"mptgo/internal/check"
)

// TestHostileKeys has well-formed files whose keys say what no model is like: counts
// that are divided by or allocated, values of other types, tokens that are not there.
func TestHostileKeys(t *testing.T) {
	nan, inf := float32(math.NaN()), float32(math.Inf(1))
	type row struct {
		key   string
		value any
		want  string
	}
	var rows []row
	for _, key := range []string{"embedding_length", "block_count", "feed_forward_length", "context_length", "attention.head_count"} {
		for _, v := range []any{uint32(0), int32(-1), uint64(math.MaxUint64), uint64(1 << 40), "32", float32(32), true, []uint32{32}, []string{"32"}, nil} {
			rows = append(rows, row{"mpt." + key, v, "mpt." + key})
		}
	}
	for _, key := range []string{"attention.head_count_kv", "attention.key_length"} {
		for _, v := range []any{uint32(0), int32(-2), uint64(1 << 40), "2", []uint32{2}} {
			rows = append(rows, row{"mpt." + key, v, "mpt." + key})
		}
	}
	for _, key := range []string{"attention.layer_norm_epsilon", "attention.max_alibi_bias", "attention.clamp_kqv", "logit_scale", "attn_logit_softcapping"} {
		for _, v := range []any{nan, inf, -inf, float32(-1), uint32(1), "1"} {
			rows = append(rows, row{"mpt." + key, v, "mpt." + key})
		}
	}
	for _, key := range []string{"tokens", "merges", "token_type"} {
		for _, v := range []any{"a", uint32(1), []bool{true}, []uint8{1}, []float32{1}, nil} {
			if _, ok := v.([]uint8); key == "token_type" && (ok || v == nil) {
				continue // numbers are what it wants, see below for how many; old files have none
			}
			rows = append(rows, row{"tokenizer.ggml." + key, v, "tokenizer.ggml." + key})
		}
	}
	for _, key := range []string{"bos", "eos", "unknown", "padding"} {
		for _, v := range []any{uint32(257), uint32(math.MaxInt32), uint32(math.MaxUint32), int32(-2), int64(math.MinInt64)} {
			rows = append(rows, row{"tokenizer.ggml." + key + "_token_id", v, key + " id"})
		}
		rows = append(rows, row{"tokenizer.ggml." + key + "_token_id", "1", key}, row{"tokenizer.ggml." + key + "_token_id", uint64(math.MaxUint64), key})
	}
	rows = append(rows,
		row{"mpt.attention.head_count", uint32(64), "64 attention heads do not divide"},
		row{"mpt.block_count", uint32(maxLayers), `"blk.1.`},
		row{"mpt.context_length", uint32(maxContext + 1), "want 1 to"},
		row{"mpt.ext.window", []int32{}, "another number of values"},
		row{"mpt.ext.kv_source", []int32{math.MinInt32}, "mpt.ext.kv_source"},
		row{"tokenizer.ggml.eot_token_id", uint32(257), "end of generation id"},
		row{"tokenizer.ggml.eom_token_id", int32(-2), "end of generation id"},
		row{"mpt.ext.eog_token_ids", []int32{-7}, "end of generation id"},
		row{"mpt.ext.normalized_token_ids", []int32{math.MaxInt32}, "normalized token id"},
		row{"tokenizer.ggml.add_bos_token", true, "no bos id"},
		row{"tokenizer.ggml.merges", []string{"a"}, "not a pair"},
		row{"tokenizer.ggml.merges", []string{"a bb"}, "no token"},
		row{"tokenizer.ggml.token_type", []int32{1}, "1 token types for 257 tokens"},
		row{"tokenizer.ggml.token_type", make([]int32, 257), "unknown type 0"},
		row{"tokenizer.ggml.tokens", make([]string, 257), "are both"},
		row{"tokenizer.ggml.tokens", append(forge.ByteTokens(), "a", "b"), "257 token types for 258 tokens"},
		row{"tokenizer.ggml.tokens", []string{}, "257 token types for 0 tokens"},
		row{"tokenizer.ggml.model", "llama", ""}, // needs scores, or is not supported
	)
	for _, r := range rows {
		t.Run(fmt.Sprintf("%s/%v", r.key, r.value), func(t *testing.T) {
			refusedMini(t, mini().set(r.key, r.value), r.want)
		})
	}
}

// TestHostileTensors has tensors that are well-formed and not those of the model.
func TestHostileTensors(t *testing.T) {
	for _, c := range []struct {
		name string
		info gguf.TensorInfo
		want string
	}{
		{"fewer rows than tokens", gguf.TensorInfo{Type: gguf.Q8_0, Shape: []int{32, 256}}, "257 tokens in the vocabulary, 256 rows"},
		{"transposed", gguf.TensorInfo{Type: gguf.F32, Shape: []int{257, 32}}, "want any number of rows of 32"},
		{"one dimension", gguf.TensorInfo{Type: gguf.F32, Shape: []int{32}}, "want any number of rows of 32"},
		{"three dimensions", gguf.TensorInfo{Type: gguf.F32, Shape: []int{32, 257, 1}}, "want any number of rows of 32"},
		{"integers", gguf.TensorInfo{Type: gguf.I32, Shape: []int{32, 257}}, "I32"},
		{"activations", gguf.TensorInfo{Type: gguf.Q8_1, Shape: []int{32, 257}}, "Q8_1"},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := mini()
			c.info.Name = m.Tensors[0].Name
			n, err := c.info.Size()
			if err != nil {
				t.Fatal(err)
			}
			m.Tensors[0], m.Data[0] = c.info, make([]byte, n)
			refusedMini(t, m, c.want)
		})
	}
	for _, kind := range []gguf.Type{gguf.I8, gguf.I64, gguf.Q8_1} {
		m := mini()
		info := gguf.TensorInfo{Name: "output_norm.weight", Type: kind, Shape: []int{32}}
		n, err := info.Size()
		if err != nil {
			t.Fatal(err)
		}
		m.Tensors[7], m.Data[7] = info, make([]byte, n)
		refusedMini(t, m, "output_norm.weight")
	}
}

// refusedMini wants an error, at no great cost, when m is opened.
func refusedMini(t *testing.T, m miniature, want string) {
	t.Helper()
	b := m.File(t)
	check.Bounded(t, len(b), func() {
		model, err := loaded(b)
		if err == nil {
			model.Close()
		}
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	})
}
