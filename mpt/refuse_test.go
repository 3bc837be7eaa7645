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
		infos, data = append(infos, gguf.TensorInfo{Name: x.Name, Type: x.Type, Shape: x.Shape}), append(data, x.Data())
	}
	if extra != nil {
		infos, data = append(infos, *extra), append(data, make([]byte, 4*extra.Shape[0]*max(1, len(extra.Shape[1:])*extra.Shape[len(extra.Shape)-1])))
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
		{"mpt.attention.head_count_kv", uint32(3), "3 heads of keys and values (mpt.attention.head_count_kv) do not divide the 4"},
		{"mpt.attention.head_count_kv", uint32(1), "want 96 rows of 64"},
		{"mpt.attention.head_count", uint32(7), "7 attention heads do not divide an embedding of 64"},
		{"mpt.attention.key_length", uint32(32), "want 384 rows of 64"},
		{"mpt.attention.value_length", uint32(32), "values of another size than keys"},
		{"mpt.attention.key_length", uint32(1 << 19), "are wider than"},
		{"mpt.attention.layer_norm_rms_epsilon", float32(1e-5), "which norm is it?"},
		{"mpt.rope.freq_base", float32(10000), "ALiBi and rotary positions contradict each other"},
		{"mpt.rope.freq_base", float32(0), "mpt.rope.freq_base is 0"},
		{"mpt.rope.scaling.factor", float32(2), "rotary positions with mpt.rope.scaling.factor, but without"},
		{"mpt.ext.window", []int32{1}, "mpt.ext.window has another number of values than the 2"},
		{"mpt.ext.window", []int32{1, -1}, "layer 1: a window of -1"},
		{"mpt.ext.nope", []bool{false, true}, "layer 1: a layer without positions"},
		{"mpt.ext.kv_source", []int32{1, 1}, "layer 0: mpt.ext.kv_source is 1"},
		{"mpt.ext.kv_source", []int32{0, -1}, "layer 1: mpt.ext.kv_source is -1"},
		{"mpt.ext.kv_source", []int32{0, 0}, `tensor "blk.1.attn_q.weight" is missing`},
		{"mpt.ext.temperature_floor", []float32{1, 1, 1}, "another number of values"},
		{"mpt.attention.temperature_scale", float32(-1), "want a finite number of at least 0"},
		{"mpt.attention.causal", false, "attention to later tokens"},
		{"mpt.ext.novelty", uint32(1), "mpt.ext.novelty, which this version does not know"},
		{"mpt.expert_count", uint32(8), "mixture of experts"},
		{"mpt.use_parallel_residual", true, "parallel residual connections"},
		{"mpt.ext.activation", "mish", `activation "mish"`},
		{"mpt.ext.features", []string{"softmax_scale", "x"}, `the model needs "x"`},
		{"mpt.ext.features", "x", "not a list of names"},
		{"mpt.embedding_length", uint32(128), "want any number of rows of 128"},
		{"mpt.feed_forward_length", uint32(255), "want 255 rows of 64"},
		{"mpt.block_count", uint32(3), `tensor "blk.2.attn_norm.weight" is missing`},
		{"mpt.block_count", uint32(1), `unknown tensor "blk.1.`},
	} {
		t.Run(c.key, func(t *testing.T) { refused(t, altered(t, file, gguf.KV{Key: c.key, Value: c.value}, nil), c.want) })
	}
	for _, kv := range []gguf.KV{{Key: "mpt.expert_count", Value: uint32(0)}, {Key: "mpt.use_parallel_residual", Value: false}, {Key: "mpt.attention.causal", Value: true}, {Key: "mpt.attention.sliding_window", Value: uint32(0)}} {
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
	for _, c := range []struct {
		name string
		ne   []int
		want string
	}{
		{"position_embd.weight", []int{64, 256}, "learned positions (tensor"},
		{"blk.0.attn_qkv.bias", []int{191}, "has shape [191], want [192]"},
		{"output_norm.bias", []int{63}, "want [64]"},
		{"blk.1.attn_q_norm.weight", []int{64}, `tensor "blk.1.attn_k_norm.weight" is missing`},
		{"blk.1.attn_k_norm.weight", []int{16}, `tensor "blk.1.attn_q_norm.weight" is missing`},
		{"blk.0.attn_k.weight", []int{64}, "separate query, key and value matrices"},
		{"blk.0.ffn_gate.weight", []int{64}, "want 256 rows of 64"},
		{"blk.0.ffn.act.scales", []int{64}, "want [256]"},
		{"blk.0.ffn_up_exps.weight", []int{64}, "mixtures of experts"},
		{"blk.0.odd.weight", []int{64}, `unknown tensor "blk.0.odd.weight"`},
	} {
		t.Run(c.name, func(t *testing.T) {
			refused(t, altered(t, file, gguf.KV{}, &gguf.TensorInfo{Name: c.name, Type: gguf.F32, Shape: c.ne}), c.want)
		})
	}
}
