package mpt_test

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"testing"

	"mptgo/internal/check"
	"mptgo/mpt"
	"mptgo/mpt/checkpoint"
)

// The reference of these tests computes what llm-foundry does, in all cases there are.
func TestReference(t *testing.T) {
	models, err := filepath.Glob(filepath.Join(check.Shared(t, "testdata", "cases"), "lf-*"))
	if err != nil || len(models) == 0 {
		t.Fatal(err)
	}
	for _, dir := range models {
		t.Run(filepath.Base(dir), func(t *testing.T) {
			ck, err := checkpoint.Open(dir)
			if err != nil {
				t.Fatal(err)
			}
			defer ck.Close()
			r := newReference(readObject(t, dir), readWeights(t, ck))
			e := readExpected(t, dir)
			seq := e.Sequences[0]
			compare(t, r.logits(seq.Tokens)[seq.FirstRow:], e.rows(t, seq.Logits), 2e-5)
		})
	}
}

func readObject(t *testing.T, dir string) (o object) {
	t.Helper()
	if err := json.Unmarshal(readFile(t, dir, "config.json"), &o); err != nil {
		t.Fatal(err)
	}
	return o
}

func readWeights(t *testing.T, ck *checkpoint.Checkpoint) map[string][]float64 {
	t.Helper()
	all := map[string][]float64{}
	for _, x := range ck.Tensors() {
		b := make([]byte, x.Rows()*x.RowBytes())
		if err := x.ReadRows(b, 0, x.Rows()); err != nil {
			t.Fatal(err)
		}
		if x.DType != "F32" {
			t.Fatalf("%s is %s", x.Name, x.DType)
		}
		for ; len(b) > 0; b = b[4:] {
			all[x.Name] = append(all[x.Name], float64(math.Float32frombits(binary.LittleEndian.Uint32(b))))
		}
	}
	return all
}

// compare holds logits against those of the reference; the bound is a part of the
// largest.
func compare(t *testing.T, want [][]float64, got [][]float32, bound float64) {
	t.Helper()
	worst, top := 0.0, 1.0
	for i := range got {
		for j, x := range got[i] {
			worst, top = max(worst, math.Abs(float64(x)-want[i][j])), max(top, math.Abs(want[i][j]))
		}
	}
	if len(got) != len(want) || !(worst <= bound*top) {
		t.Errorf("%d and %d rows, logits differ by %.2g, the largest is %.2g", len(got), len(want), worst, top)
	}
}

// combinations are configurations with features that the reference cases have one by
// one or not at all. Fields replace those of a small model with ALiBi; a dot leads into
// attn_config and ffn_config.
var combinations = map[string]string{
	"grouped, norm of heads, window, rope llama3, GLU": `{"attn.alibi": false, "attn.rope": true, "attn.rope_impl": "hf", "attn.attn_type": "grouped_query_attention", "attn.kv_n_heads": 2,
		"attn.qk_gn": true, "attn.sliding_window_size": 7, "attn.rope_hf_config": {"type": "llama3", "factor": 4.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0, "original_max_position_embeddings": 16},
		"ffn.ffn_type": "mptglu", "ffn.ffn_act_fn": {"name": "silu"}, "learned_pos_emb": false}`,
	"rope linear, norm of queries, grouped": `{"attn.alibi": false, "attn.rope": true, "attn.rope_impl": "hf", "attn.rope_hf_config": {"type": "linear", "factor": 2.5},
		"attn.attn_type": "grouped_query_attention", "attn.kv_n_heads": 2, "attn.qk_ln": true}`,
	"rope dynamic within the context":         `{"attn.alibi": false, "attn.rope": true, "attn.rope_impl": "hf", "attn.rope_hf_config": {"type": "dynamic", "factor": 2.0}}`,
	"rope dail, another base":                 `{"attn.alibi": false, "attn.rope": true, "attn.rope_theta": 500.0, "attn.rope_dail_config": {"type": "original", "pos_idx_in_fp32": true, "xpos_scale_base": 512}}`,
	"rope dail, wide heads":                   `{"attn.alibi": false, "attn.rope": true, "head_dim": 24, "attn.fused_qkv": false}`,
	"rope hf, wide heads":                     `{"attn.alibi": false, "attn.rope": true, "attn.rope_impl": "hf", "head_dim": 24, "attn.fused_qkv": false, "attn.qk_gn": true}`,
	"one head of keys, clip, cap":             `{"attn.attn_type": "multiquery_attention", "attn.clip_qkv": 0.5, "attn.attn_logit_softcapping": 2.0, "attn.softmax_scale": 0.3}`,
	"clip and norm of queries":                `{"attn.clip_qkv": 0.4, "attn.qk_ln": true, "attn.softmax_scale": 0.125}`,
	"scales and caps":                         `{"logit_scale": "inv_sqrt_d_model", "final_logit_softcapping": 0.5, "attn.softmax_scale": 1.0, "attn.attn_logit_softcapping": 1.5}`,
	"scale of the logits, untied":             `{"logit_scale": 0.3, "tie_word_embeddings": false, "no_bias": false}`,
	"power of two with biases":                `{"logit_scale": 0.25, "attn.softmax_scale": 1.0, "no_bias": false, "head_dim": 16}`,
	"root mean square, biases":                `{"norm_type": "rmsnorm", "no_bias": false, "norm_eps": 1e-3}`,
	"root mean square, layer norm of queries": `{"norm_type": "low_precision_rmsnorm", "norm_eps": 1e-2, "attn.qk_ln": true}`,
	"layer norm, root mean square of queries": `{"attn.qk_gn": true, "attn.norm_type": "rmsnorm", "attn.norm_eps": 1e-2}`,
	"norms in capitals":                       `{"norm_type": "Low_Precision_LayerNorm", "no_bias": false}`,
	"biases of attention only":                `{"no_bias": true, "attention_bias": true}`,
	"biases but of attention":                 `{"no_bias": false, "attention_bias": false, "attn.fused_qkv": false}`,
	"learned positions, grouped, unfused":     `{"attn.alibi": false, "learned_pos_emb": true, "attn.fused_qkv": false, "attn.attn_type": "grouped_query_attention", "attn.kv_n_heads": 2, "no_bias": false}`,
	"no positions":                            `{"attn.alibi": false, "learned_pos_emb": false}`,
	"six heads, another ALiBi, window":        `{"n_heads": 6, "d_model": 48, "attn.alibi_bias_max": 4, "attn.sliding_window_size": 5, "attn.attn_type": "grouped_query_attention", "attn.kv_n_heads": 3}`,
	"three heads":                             `{"n_heads": 3, "d_model": 96}`,
	"window of one's own":                     `{"attn.sliding_window_size": 0}`,
	"wide and narrow layers":                  `{"expansion_ratio": 1.5, "ffn.ffn_act_fn": {"name": "quick_gelu"}}`,
	"hidden size, GLU, biases":                `{"ffn.ffn_hidden_size": 72, "ffn.ffn_type": "mptglu", "no_bias": false}`,
	"gelu by tanh":                            `{"ffn.ffn_act_fn": {"name": "gelu", "approximate": "tanh"}}`,
	"relu":                                    `{"ffn.ffn_act_fn": {"name": "relu"}, "ffn.ffn_type": "mptglu"}`,
	"temperature":                             `{"attn.alibi": false, "attn.rope": true, "attn.attn_temperature_tuning": {"attn_scale": 0.4, "floor_scale": 5}}`,
	"windows, keys of others, no positions": `{"attn.alibi": false, "attn.rope": true, "attn.rope_impl": "hf", "n_layers": 5, "attn.fused_qkv": false, "attn.attn_type": "grouped_query_attention", "attn.kv_n_heads": 2, "attn.qk_gn": true,
		"attn.clip_qkv": 1.0, "block_overrides": {"order": [{"name": "default"}, {"name": "near"}, {"name": "reuse"}, {"name": "again"}, {"name": "far"}],
		"overrides": {"near": {"attn_config": {"sliding_window_size": 3}}, "reuse": {"attn_config": {"reuse_kv_layer_idx": -1, "sliding_window_size": 6}},
		"again": {"attn_config": {"reuse_kv_layer_idx": -1}}, "far": {"attn_config": {"nope": true, "attn_temperature_tuning": {"attn_scale": 0.2, "floor_scale": 4}}}}}}`,
	"heads of 64, window, cap, biases":      `{"d_model": 128, "n_heads": 2, "attn.sliding_window_size": 9, "attn.attn_logit_softcapping": 3.0, "no_bias": false}`,
	"heads of 80, one of keys, rope linear": `{"d_model": 160, "n_heads": 2, "attn.attn_type": "multiquery_attention", "attn.alibi": false, "attn.rope": true, "attn.rope_impl": "hf", "attn.rope_hf_config": {"type": "linear", "factor": 3.0}, "attn.qk_gn": true}`,
	"heads of 112, grouped, ALiBi of 16":    `{"d_model": 448, "n_heads": 4, "attn.attn_type": "grouped_query_attention", "attn.kv_n_heads": 2, "attn.alibi_bias_max": 16, "attn.clip_qkv": 2.0}`,
	"heads of 128, wide, norms of heads":    `{"d_model": 128, "n_heads": 2, "head_dim": 128, "attn.fused_qkv": false, "attn.qk_gn": true, "attn.sliding_window_size": 4, "ffn.ffn_type": "mptglu", "ffn.ffn_act_fn": {"name": "silu"}}`,
	"what has no effect": `{"emb_pdrop": 0.1, "resid_pdrop": 0.2, "embedding_fraction": 0.3, "use_cache": true, "init_config": {"name": "kaiming_normal_"}, "a_new_field": [1],
		"attn.attn_pdrop": 0.3, "attn.attn_impl": "triton", "attn.attn_uses_sequence_id": true, "use_pad_tok_in_ffn": false, "fc_type": {"name": "te"}, "loss_fn": "torch_crossentropy"}`,
	"fused norm and attention": `{"fuse_norm_attn_norm": true, "no_bias": false}`,
}

// Whatever MPT's training code can express together, and not only one by one.
func TestCombinations(t *testing.T) {
	if check.Race {
		t.Skip("its sessions run one after the other")
	}
	for name, fields := range combinations {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			config, weights := combined(t, dir, fields)
			file := convertAs(t, dir, "F32")
			ids := []int32{3, 100, 7, 250, 9, 33, 2, 41, 41, 5, 77, 12, 3, 200, 199, 8, 64, 31, 150, 6}
			want := newReference(config, weights).logits(ids)
			compare(t, want, allLogits(t, opened(t, file, mpt.Threads(1), mpt.Exact()), ids), 2e-5)
			compare(t, want, allLogits(t, opened(t, file), ids), 1e-2) // keys and values in 16 bits
			m := opened(t, convertAs(t, dir, "Q8_0"), mpt.Threads(2))
			rows := allLogits(t, m, ids)
			for _, chunk := range []int{1, 6} {
				if !sameBits(evalInChunks(t, m, ids, chunk), rows[len(rows)-1]) {
					t.Errorf("in chunks of %d: other logits", chunk)
				}
			}
		})
	}
}

// combined writes a checkpoint of a configuration with random weights.
func combined(t *testing.T, dir, fields string) (object, map[string][]float64) {
	t.Helper()
	config, attn, ffn := object{"model_type": "mpt", "architectures": []string{"MPTForCausalLM"}, "d_model": 64., "n_heads": 4., "n_layers": 2.,
		"max_seq_len": 256., "vocab_size": 512., "no_bias": true}, object{"alibi": true}, object{}
	var more object
	if err := json.Unmarshal([]byte(fields), &more); err != nil {
		t.Fatal(err)
	}
	for key, v := range more {
		switch part, field, _ := strings.Cut(key, "."); part {
		case "attn":
			attn[field] = v
		case "ffn":
			ffn[field] = v
		default:
			config[key] = v
		}
	}
	config["attn_config"], config["ffn_config"] = attn, ffn
	b, err := json.Marshal(config)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(b, &config); err != nil {
		t.Fatal(err)
	}
	put(t, dir, "config.json", b)
	p := published{vocab: 512, tokenizer: "neox"}
	p.writeTokenizer(t, dir)
	f := &forge{}
	weights := f.fill(config)
	if config.yes("fuse_norm_attn_norm") {
		for i := range f.tensors {
			f.tensors[i].name = dbrxNames.Replace(f.tensors[i].name)
		}
	}
	f.write(t, dir, 1)
	return config, weights
}

// dbrxNames are those of a block whose norms and attention are one module.
var dbrxNames = strings.NewReplacer("0.norm", "0.norm_attn_norm.norm", "1.norm", "1.norm_attn_norm.norm", "0.attn", "0.norm_attn_norm.attn", "1.attn", "1.norm_attn_norm.attn")

// fill makes the tensors that a configuration calls for, and returns their values.
func (f *forge) fill(config object) map[string][]float64 {
	r := rand.New(rand.NewPCG(1, 7))
	weights := map[string][]float64{}
	add := func(name string, mean, spread float64, shape ...int) {
		n := 1
		for _, d := range shape {
			n *= d
		}
		x := forged{name, "F32", shape, make([]float32, n)}
		for i := range x.values {
			x.values[i] = float32(mean + spread*r.NormFloat64())
			weights[name] = append(weights[name], float64(x.values[i]))
		}
		f.tensors = append(f.tensors, x)
	}
	attn := config.sub("attn_config")
	bias, rms := !config.yes("no_bias"), strings.Contains(config.str("norm_type", ""), "rms")
	qkvBias := bias
	if b, ok := config["attention_bias"].(bool); ok {
		qkvBias = b
	}
	linear := func(name string, bias bool, rows, cols int) {
		if add(name+".weight", 0, 0.2, rows, cols); bias {
			add(name+".bias", 0, 0.3, rows)
		}
	}
	norm := func(name string, bias bool, n int) {
		if add(name+".weight", 1, 0.3, n); bias {
			add(name+".bias", 0, 0.3, n)
		}
	}
	z := newReference(config, nil)
	add("wte.weight", 0, 0.4, 512, z.d)
	if !attn.yes("alibi") && !attn.yes("rope") && config.yes("learned_pos_emb") {
		add("wpe.weight", 0, 0.4, int(config.num("max_seq_len", 0)), z.d)
	}
	for i, layer := range z.layers {
		b := fmt.Sprintf("blocks.%d.", i)
		own, wide, narrow := layer["reuse_kv_layer_idx"] == nil, z.h*z.size, z.k*z.size
		norm(b+"norm_1", bias && !rms, z.d)
		if fused, ok := attn["fused_qkv"].(bool); ok && !fused {
			linear(b+"attn.Wq", qkvBias, wide, z.d)
			if own {
				linear(b+"attn.Wk", qkvBias, narrow, z.d)
				linear(b+"attn.Wv", qkvBias, narrow, z.d)
			}
		} else {
			linear(b+"attn.Wqkv", qkvBias, wide+2*narrow, z.d)
		}
		qk := bias && !strings.Contains(attn.str("norm_type", ""), "rms")
		switch {
		case attn.yes("qk_gn"):
			wide, narrow = z.size, z.size
			fallthrough
		case attn.yes("qk_ln"):
			if norm(b+"attn.q_ln", qk, wide); own {
				norm(b+"attn.k_ln", qk, narrow)
			}
		}
		linear(b+"attn.out_proj", bias, z.d, z.h*z.size)
		norm(b+"norm_2", bias && !rms, z.d)
		linear(b+"ffn.up_proj", bias, z.f, z.d)
		if config.sub("ffn_config").str("ffn_type", "") == "mptglu" {
			linear(b+"ffn.gate_proj", bias, z.f, z.d)
		}
		linear(b+"ffn.down_proj", bias, z.d, z.f)
	}
	norm("norm_f", bias && !rms, z.d)
	if tied, ok := config["tie_word_embeddings"].(bool); ok && !tied {
		add("lm_head.weight", 0, 0.3, 512, z.d)
	}
	return weights
}
