package mpt_test

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"mptgo/gguf"
	"mptgo/mpt"
)

// altered writes the file at path again with one key replaced or added, or with
// one more tensor, and returns the name of the copy.
func altered(t *testing.T, path string, kv gguf.KV, extra *gguf.TensorInfo) string {
	t.Helper()
	f, err := gguf.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	meta := slices.DeleteFunc(slices.Clone(f.Meta()), func(old gguf.KV) bool { return old.Key == kv.Key })
	if kv.Key != "" {
		meta = append(meta, kv)
	}
	var infos []gguf.TensorInfo
	var data [][]byte
	for _, x := range f.Tensors() {
		infos, data = append(infos, gguf.TensorInfo{Name: x.Name, Type: x.Type, Ne: x.Ne}), append(data, x.Data())
	}
	if extra != nil {
		infos, data = append(infos, *extra), append(data, make([]byte, 4*extra.Ne[0]))
	}
	copied := filepath.Join(t.TempDir(), "altered.gguf")
	w, err := gguf.Create(copied, meta, infos, gguf.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for i, b := range data {
		if _, err := w.WriteAt(i, b, 0); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Commit(); err != nil {
		t.Fatal(err)
	}
	return copied
}

// refused fails the test unless opening the file fails with an error that
// contains want.
func refused(t *testing.T, path, want string) {
	t.Helper()
	m, err := mpt.Open(path)
	if err == nil {
		m.Close()
	}
	if err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("got %v, want %q", err, want)
	}
}

// Features that would change the result are refused by name.
func TestOpenRefusesKeys(t *testing.T) {
	file := converted(t, filepath.Join("testdata", "cases", "hf-tiny"), "F32")
	for _, c := range []struct {
		key   string
		value any
		want  string
	}{
		{"general.architecture", "llama", `architecture "llama"`},
		{"general.type", "adapter", `type "adapter"`},
		{"mpt.attention.head_count_kv", uint32(1), "grouped-query attention"},
		{"mpt.attention.key_length", uint32(32), "a head size of its own"},
		{"mpt.attention.sliding_window", uint32(8), "sliding-window attention"},
		{"mpt.attention.layer_norm_rms_epsilon", float32(1e-5), "RMS norm"},
		{"mpt.attn_logit_softcapping", float32(30), "attention logit soft-capping"},
		{"mpt.final_logit_softcapping", float32(30), "final logit soft-capping"},
		{"mpt.rope.freq_base", float32(10000), "rotary position embedding"},
		{"mpt.rope.scaling.factor", float32(2), "rotary position embedding"},
		{"mpt.attention.causal", false, "attention to later tokens"},
		{"mpt.ext.novelty", uint32(1), "mpt.ext.novelty, which this version does not know"},
		{"mpt.expert_count", uint32(8), "mixture of experts"},
		{"mpt.use_parallel_residual", true, "parallel residual connections"},
		{"mpt.ext.kv_source", []int32{0, 0}, "keys and values reused across layers"},
		{"mpt.ext.activation", "silu", `activation "silu"`},
		{"mpt.ext.features", []string{"softmax_scale", "x"}, `the model needs "x"`},
		{"mpt.ext.features", "x", "not a list of names"},
		{"mpt.embedding_length", uint32(128), "want any number of rows of 128"},
		{"mpt.feed_forward_length", uint32(255), "want 255 rows of 64"},
		{"mpt.block_count", uint32(3), `tensor "blk.2.attn_norm.weight" is missing`},
		{"mpt.block_count", uint32(1), `unknown tensor "blk.1.`},
	} {
		t.Run(c.key, func(t *testing.T) { refused(t, altered(t, file, gguf.KV{Key: c.key, Value: c.value}, nil), c.want) })
	}
	for _, kv := range []gguf.KV{{Key: "mpt.expert_count", Value: uint32(0)}, {Key: "mpt.use_parallel_residual", Value: false}, {Key: "mpt.attention.causal", Value: true}} {
		m, err := mpt.Open(altered(t, file, kv, nil))
		if err != nil {
			t.Errorf("%s, which is off: %v", kv.Key, err)
			continue
		}
		m.Close()
	}
}

// So are tensors that the graph has no place for.
func TestOpenRefusesTensors(t *testing.T) {
	file := converted(t, filepath.Join("testdata", "cases", "hf-tiny"), "F32")
	for name, want := range map[string]string{
		"position_embd.weight":     "learned position embeddings",
		"blk.0.attn_qkv.bias":      "biases",
		"output_norm.bias":         "biases",
		"blk.1.attn_q_norm.weight": "norm of queries and keys",
		"blk.0.attn_k.weight":      "separate query, key and value matrices",
		"blk.0.ffn_gate.weight":    "gated feed-forward layers",
		"blk.0.ffn.act.scales":     "AWQ activation scales",
		"blk.0.odd.weight":         `unknown tensor "blk.0.odd.weight"`,
	} {
		t.Run(name, func(t *testing.T) {
			refused(t, altered(t, file, gguf.KV{}, &gguf.TensorInfo{Name: name, Type: gguf.F32, Ne: []int{64}}), want)
		})
	}
}
