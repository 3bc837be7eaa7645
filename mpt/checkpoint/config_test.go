package checkpoint

import (
	"errors"
	"math"
	"slices"
	"strings"
	"testing"

	"mptgo/internal/check"
)

// containsAll reports whether an error mentions all words; for no words it must be
// nil.
func containsAll(err error, words []string) bool {
	if err == nil || len(words) == 0 {
		return err == nil && len(words) == 0
	}
	for _, w := range words {
		if !strings.Contains(err.Error(), w) {
			return false
		}
	}
	return true
}

func TestConfigDefaults(t *testing.T) {
	foundry, err := ParseConfig([]byte(`{"model_type": "mpt", "architectures": ["MPTForCausalLM"]}`))
	if err != nil {
		t.Fatal(err)
	}
	native, err := ParseConfig([]byte(`{"model_type": "mpt", "architectures": ["MPTForCausalLM"], "layer_norm_epsilon": 1e-3,
		"attn_config": {"eos_token_id": null, "chunk_size_feed_forward": 0}}`))
	if err != nil {
		t.Fatal(err)
	}
	if foundry.Attn.ALiBi || !native.Attn.ALiBi {
		t.Error("ALiBi is off by default in llm-foundry and on in transformers")
	}
	if !foundry.LearnedPosEmb || native.LearnedPosEmb {
		t.Error("learned positions are the default, but never beside ALiBi")
	}
	if foundry.NormEps != 1e-5 || native.NormEps != 1e-3 {
		t.Errorf("eps %v and %v", foundry.NormEps, native.NormEps)
	}
	if native.Unknown != nil {
		t.Errorf("unknown fields of a native file: %q", native.Unknown)
	}
	c := foundry
	if c.DModel != 2048 || c.NHeads != 16 || c.NLayers != 24 || c.MaxSeqLen != 2048 || c.VocabSize != 50368 ||
		c.FFN.HiddenSize != 8192 || c.Attn.KVHeads != 16 || c.Attn.ALiBiBiasMax != 8 || c.LogitScale != 1 ||
		!c.TieWordEmbeddings || c.Attn.All.SlidingWindow != -1 || c.HeadDim != 128 || len(c.Blocks) != 24 || c.Blocks[23].KVSource != 23 || c.Attn.SoftmaxScale != 1/math.Sqrt(128) {
		t.Errorf("defaults: %+v", c)
	}
}

func TestConfigFields(t *testing.T) {
	c, err := ParseConfig([]byte(`{"model_type": "mpt", "d_model": 64, "n_heads": 6.0, "n_heads": 4, "logit_scale": "inv_sqrt_d_model",
		"norm_type": "LayerNorm", "expansion_ratio": 2.5, "tie_word_embeddings": false,
		"attn_config": {"alibi": true, "clip_qkv": false, "softmax_scale": 0.5, "novelty": 1, "unused": false, "empty": {}},
		"ffn_config": {"ffn_act_fn": {"name": "gelu", "approximate": "none"}, "odd": 3}}`))
	if err != nil {
		t.Fatal(err)
	}
	if c.LogitScale != 0.125 || c.FFN.HiddenSize != 160 || c.Attn.ClipQKV != 0 || c.Attn.SoftmaxScale != 0.5 || c.TieWordEmbeddings {
		t.Errorf("%+v", c)
	}
	if want := []string{"attn_config.novelty", "ffn_config.odd"}; !slices.Equal(c.Unknown, want) {
		t.Errorf("unknown %q, want %q", c.Unknown, want)
	}
	if err := c.Validate(); !errors.Is(err, errors.ErrUnsupported) || !strings.Contains(err.Error(), "attn_config.novelty, a field that is not known") {
		t.Errorf("unknown fields: %v", err)
	}
}

// TestConfigErrors holds the message for every kind of bad configuration.
func TestConfigErrors(t *testing.T) {
	for _, c := range []struct{ json, want string }{
		{`[]`, "not a JSON object"},
		{`{"model_type": "mpt"`, "not a JSON object"},
		{`{}`, "neither model_type nor architectures"},
		{`{"model_type": "gpt2"}`, `model_type "gpt2": only mpt`},
		{`{"model_type": "llava_mpt"}`, "wraps an MPT"},
		{`{"model_type": "hf_prefix_lm"}`, `model_type "hf_prefix_lm": only mpt`},
		{`{"model_type": "mpt", "architectures": ["MptForSequenceClassification"]}`, `architectures names "MptForSequenceClassification"`},
		{`{"model_type": "mpt", "architectures": ["LlamaForCausalLM", "MPTForCausalLM"]}`, `architectures names "LlamaForCausalLM"`},
		{`{"architectures": ["MPTForCausalLM", "Other"]}`, `architectures names "Other"`},
		{`{"model_type": 5}`, "model_type: 5 where a string is expected"},
		{`{"model_type": "mpt", "d_model": "64"}`, `d_model: "64" where an integer is expected`},
		{`{"model_type": "mpt", "d_model": 64.5}`, "d_model: 64.5 where an integer"},
		{`{"model_type": "mpt", "d_model": 1e300}`, "d_model: 1e+300 where an integer"},
		{`{"model_type": "mpt", "d_model": 0}`, "d_model is 0, not between"},
		{`{"model_type": "mpt", "max_seq_len": 16777217}`, "max_seq_len is 16777217, not between"},
		{`{"model_type": "mpt", "n_heads": -4}`, "n_heads is -4"},
		{`{"model_type": "mpt", "d_model": 100}`, "not a multiple of n_heads"},
		{`{"model_type": "mpt", "d_model": 64, "expansion_ratio": 2.4}`, "is not an integer"},
		{`{"model_type": "mpt", "logit_scale": "sqrt"}`, `unknown name "sqrt"`},
		{`{"model_type": "mpt", "no_bias": 1}`, "no_bias: 1 where true or false"},
		{`{"model_type": "mpt", "embedding_fraction": 0}`, "embedding_fraction 0"},
		{`{"model_type": "mpt", "norm_eps": 0}`, "epsilon of the norms"},
		{`{"model_type": "mpt", "attn_config": []}`, "attn_config: [] where an object"},
		{`{"model_type": "mpt", "attn_config": {"attn_type": "linear"}}`, `attn_type "linear" is unknown`},
		{`{"model_type": "mpt", "attn_config": {"attn_type": "grouped_query_attention"}}`, "kv_n_heads 0"},
		{`{"model_type": "mpt", "attn_config": {"attn_type": "grouped_query_attention", "kv_n_heads": 3}}`, "kv_n_heads 3"},
		{`{"model_type": "mpt", "attn_config": {"clip_qkv": -1}}`, "clip_qkv -1"},
		{`{"model_type": "mpt", "attn_config": {"clip_qkv": 1e39}}`, "attn_config.clip_qkv: 1e+39 is too large"},
		{`{"model_type": "mpt", "attn_config": {"alibi": true, "alibi_bias_max": 0}}`, "alibi_bias_max 0"},
		{`{"model_type": "mpt", "attn_config": {"qk_ln": true, "qk_gn": true}}`, "exclude each other"},
		{`{"model_type": "mpt", "attn_config": {"qk_ln": true, "norm_eps": 0}}`, "attn_config.norm_eps is 0"},
		{`{"model_type": "mpt", "attn_config": {"alibi": true, "rope": true}}`, "alibi and rope contradict"},
		{`{"model_type": "mpt", "head_dim": 32}`, "head_dim 32 other than d_model/n_heads needs attn_config.fused_qkv false"},
		{`{"model_type": "mpt", "head_dim": 131072, "attn_config": {"fused_qkv": false}}`, "are wider than"},
		{`{"model_type": "mpt", "d_model": 60, "n_heads": 4, "attn_config": {"rope": true}}`, "rotary positions of 15 components"},
		{`{"model_type": "mpt", "head_dim": 64, "attn_config": {"rope": true, "fused_qkv": false}}`, "rotary positions of 128 components for heads of 64"},
		{`{"model_type": "mpt", "attn_config": {"rope": true, "rope_theta": 0}}`, "rope_theta 0"},
		{`{"model_type": "mpt", "attn_config": {"rope": true, "rope_impl": "hf", "rope_hf_config": {"type": "linear", "factor": 0.5}}}`, "factor 0.5"},
		{`{"model_type": "mpt", "attn_config": {"rope": true, "rope_impl": "hf", "rope_hf_config": {"type": "llama3", "factor": 8}}}`, "original_max_position_embeddings 0"},
		{`{"model_type": "mpt", "attn_config": {"sliding_window_size": -2}}`, "sliding_window_size: -2 is below -1"},
		{`{"model_type": "mpt", "attn_config": {"attn_temperature_tuning": {"attn_scales": 1}}}`, "attn_temperature_tuning.attn_scales: this field is not known"},
		{`{"model_type": "mpt", "attn_config": {"attn_temperature_tuning": {"100%d": 1}}}`, "attn_temperature_tuning.100%d: this field is not known"},
		{`{"model_type": "mpt", "block_overrides": {}}`, "block_overrides.order: it is missing"},
		{`{"model_type": "mpt", "block_overrides": {"order": [{"name": "default"}]}}`, "does not name 24 layers"},
		{`{"model_type": "mpt", "block_overrides": {"order": [{"repeat": 24}]}}`, "does not name 24 layers"},
		{`{"model_type": "mpt", "block_overrides": {"order": [{"name": "default", "repeat": 4000000000}]}}`, "does not name 24 layers"},
		{`{"model_type": "mpt", "block_overrides": {"order": [{"name": "a", "repeat": 24}]}}`, "overrides.a: block_overrides.order names it"},
		{`{"model_type": "mpt", "block_overrides": {"order": [{"name": "a", "repeat": 24}], "overrides": {"a": {"attn_config": {"reuse_kv_layer_idx": -1}}}}}`,
			"-1 in layer 0 is not the distance to an earlier layer"},
		{`{"model_type": "mpt", "block_overrides": {"order": [{"name": "a", "repeat": 24}], "overrides": {"a": {"attn_config": {"clip_qkv": 1}}}}}`,
			"clip_qkv: this field cannot be overridden"},
		{`{"model_type": "mosaic_gpt", "attn_clip_qkv": -1}`, "attn_config.clip_qkv -1"},
	} {
		_, err := ParseConfig([]byte(c.json))
		if err == nil || !strings.HasPrefix(err.Error(), "checkpoint: config.json: ") || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s\n\tgot  %v\n\twant %s", c.json, err, c.want)
		}
		if err != nil && !errors.Is(err, ErrFormat) && !errors.Is(err, errors.ErrUnsupported) {
			t.Errorf("%s: wraps neither ErrFormat nor ErrUnsupported", c.json)
		}
	}
}

// TestUnsupported switches every feature on that is not run yet.
func TestUnsupported(t *testing.T) {
	for _, c := range []struct{ top, attn, ffn, want string }{
		{`"norm_type": "BatchNorm"`, ``, ``, "norm_type batchnorm"},
		{`"logit_scale": 0`, ``, ``, "logit_scale 0"},
		{`"prefix_lm": true`, ``, ``, "prefix_lm"},
		{``, `"prefix_lm": true`, ``, "prefix_lm"},
		{``, `"rope": true, "alibi": false, "rope_dail_config": {"type": "xpos"}`, ``, "rope_impl dail and type xpos"},
		{``, `"rope": true, "alibi": false, "rope_impl": "hf", "rope_hf_config": {"type": "yarn"}`, ``, "rope_impl hf and type yarn"},
		{``, `"rope": true, "alibi": false, "rope_impl": "te"`, ``, "rope_impl te"},
		{``, `"qk_ln": true, "norm_type": "groupnorm"`, ``, "attn_config.norm_type groupnorm"},
		{``, `"attn_temperature_tuning": {"attn_scale": -0.1}`, ``, "attn_temperature_tuning"},
		{``, `"attn_temperature_tuning": {"attn_scale": 0.1, "floor_scale": 0}`, ``, "attn_temperature_tuning"},
		{``, `"nope": true`, ``, "nope for all layers"},
		{`"n_layers": 2, "block_overrides": {"order": [{"name": "default"}, {"name": "a"}], "overrides": {"a": {"attn_config": {"nope": true}}}}`,
			``, ``, "nope in a model with ALiBi"},
		{`"n_layers": 2, "block_overrides": {"order": [{"name": "default"}, {"name": "a"}], "overrides": {"a": {"attn_config": {"reuse_kv_x_layer_idx": -1}}}}`,
			``, ``, "reuse_kv_x_layer_idx"},
		{``, `"reuse_kv_layer_idx": -1`, ``, "reuse_kv_layer_idx"},
		{``, `"kv_dim": 64`, ``, "kv_dim"},
		{``, `"softmax_scale": 0`, ``, "softmax_scale 0"},
		{``, ``, `"ffn_type": "te_ln_mlp"`, "te_ln_mlp"},
		{``, ``, `"ffn_type": "mptgeglu"`, "mptgeglu"},
		{``, ``, `"ffn_type": "mb_dmoe"`, "mb_dmoe"},
		{``, ``, `"ffn_act_fn": {"name": "mish"}`, "activation mish"},
		{``, ``, `"ffn_act_fn": {"name": "gelu", "beta": 2}`, "activation gelu with beta"},
	} {
		join := func(base, extra string) string { return strings.TrimSuffix(base+", "+extra, ", ") }
		text := `{` + join(`"model_type": "mpt", "d_model": 64, "n_heads": 4`, c.top) +
			`, "attn_config": {` + join(`"alibi_bias_max": 8`, c.attn)
		if !strings.Contains(c.attn, "alibi") {
			text += `, "alibi": true`
		}
		text += `}, "ffn_config": {` + c.ffn + `}}`
		cfg, err := ParseConfig([]byte(text))
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		if names := cfg.Unsupported(); len(names) != 1 || !strings.Contains(names[0], c.want) {
			t.Errorf("%s\n\tgot  %q\n\twant %s", text, names, c.want)
		}
		if err := cfg.Validate(); !errors.Is(err, errors.ErrUnsupported) {
			t.Errorf("%s: Validate: %v", text, err)
		}
	}
}

func FuzzConfig(f *testing.F) {
	f.Add(readCase(f, "hf-tiny", "config.json"))
	f.Add(readCase(f, "lf-alibi", "config.json"))
	f.Add([]byte(`{"model_type":"mosaic_gpt","n_layers":4,"alibi":true,"block_overrides":{"order":[{"order":[{"name":"default"},{"name":"a"}],"repeat":2}],"overrides":{"a":{"attn_config":{"reuse_kv_layer_idx":-1,"nope":true}}}}}`))
	f.Add([]byte(`{"model_type":"mpt","n_heads":0,"attn_config":{"attn_type":"grouped_query_attention","kv_n_heads":0}}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		var c *Config
		var err error
		check.Bounded(t, len(b), func() { c, err = ParseConfig(b) })
		if err != nil {
			return
		}
		if c.Validate() == nil && (c.DModel%c.NHeads != 0 || c.FFN.HiddenSize < 1 || c.NHeads%c.Attn.KVHeads != 0 || c.HeadDim < 1 || len(c.Blocks) != c.NLayers || !(c.Attn.SoftmaxScale > 0)) {
			t.Errorf("valid but inconsistent: %+v", c)
		}
	})
}

// TestBlockOverrides resolves what layers have of their own: nested repetitions, reuse
// of what is reused.
func TestBlockOverrides(t *testing.T) {
	c, err := ParseConfig([]byte(`{"model_type": "mpt", "n_layers": 10, "d_model": 64, "n_heads": 4, "attn_config": {"rope": true, "sliding_window_size": 9,
		"attn_temperature_tuning": {"floor_scale": 100}},
		"block_overrides": {"repeat": 2, "order": [{"name": "default"}, {"order": [{"name": "reuse"}, {"name": "all"}], "repeat": 2}],
		"overrides": {"reuse": {"attn_config": {"reuse_kv_layer_idx": -1, "nope": true}},
			"all": {"attn_config": {"sliding_window_size": -1, "attn_temperature_tuning": {"attn_scale": 0.5}, "reuse_kv_layer_idx": null}}}}}`))
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Validate(); err != nil {
		t.Error(err)
	}
	if c.Attn.Rotary.Dim != 16 || c.Attn.Rotary.OriginalContext != 2048 || c.LearnedPosEmb {
		t.Errorf("%+v", c.Attn.Rotary)
	}
	for i, b := range c.Blocks {
		want := []BlockConfig{
			{9, i, false, false, 0, 100}, {9, i - 1, false, true, 0, 100}, {-1, i, false, false, 0.5, 100},
			{9, i - 1, false, true, 0, 100}, {-1, i, false, false, 0.5, 100},
		}[i%5]
		if b != want {
			t.Errorf("layer %d: %+v, want %+v", i, b, want)
		}
	}
	c, err = ParseConfig([]byte(`{"model_type": "mpt", "n_layers": 3, "block_overrides": {"order": [{"name": "default"}, {"name": "a", "repeat": 2}],
		"overrides": {"a": {"attn_config": {"reuse_kv_layer_idx": -1}}}}}`))
	if err != nil || c.Blocks[2].KVSource != 0 {
		t.Errorf("reuse of what is reused: %+v, %v", c, err)
	}
}

// TestMosaicGPT reads the configuration of the first MPT, which has other names.
func TestMosaicGPT(t *testing.T) {
	c, err := ParseConfig([]byte(`{"model_type": "mosaic_gpt", "architectures": ["MosaicGPT"], "d_model": 64, "n_heads": 4, "mlp_ratio": 2,
		"alibi": true, "alibi_bias_max": 16, "attn_clip_qkv": 3, "attn_qk_ln": true, "softmax_scale": 0.5, "low_precision_layernorm": true,
		"no_bias": true}`))
	if err != nil {
		t.Fatal(err)
	}
	a := c.Attn
	if err := c.Validate(); err != nil || !a.ALiBi || a.ALiBiBiasMax != 16 || a.ClipQKV != 3 || !a.QKLN || a.SoftmaxScale != 0.5 ||
		c.FFN.HiddenSize != 128 || c.LearnedPosEmb || !c.NoBias || !c.ExplicitBias {
		t.Errorf("%+v: %v", c, err)
	}
	if c, err = ParseConfig([]byte(`{"model_type": "mosaic_gpt", "d_model": 60, "n_heads": 6, "alibi": true}`)); err != nil || !containsAll(c.Validate(), []string{"slopes changed"}) {
		t.Errorf("the slopes of 6 heads: %v", err)
	}
}
