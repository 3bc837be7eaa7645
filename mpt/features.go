package mpt

import (
	"reflect"
	"slices"
	"strings"

	"mptgo/gguf"
)

// knownFeatures are the values of mpt.ext.features that this package runs.
var knownFeatures = []string{"softmax_scale", "logit_scale"}

// knownExtensions are the keys under mpt.ext, which only this module writes,
// that this version understands.
var knownExtensions = []string{
	"ext.features", "ext.max_alibi_bias", "ext.activation", // here
	"ext.eog_token_ids", "ext.normalized_token_ids", // package tokenizer
}

// refusedKeys are keys of features that would change the result and are not
// implemented. Their zero values mean that the feature is off.
var refusedKeys = map[string]string{
	"attention.layer_norm_rms_epsilon": "RMS norm",
	"attention.sliding_window":         "sliding-window attention",
	"attention.temperature_scale":      "attention temperature tuning",
	"attn_logit_softcapping":           "attention logit soft-capping",
	"final_logit_softcapping":          "final logit soft-capping",
	"ext.kv_source":                    "keys and values reused across layers",
	"ext.window":                       "sliding windows by layer",
	"expert_count":                     "mixture of experts",
	"use_parallel_residual":            "parallel residual connections",
}

// features refuses everything in the metadata that would change the result and
// that this package does not compute.
func (k *keys) features(c *Config) {
	if c.Embedding%c.Heads != 0 {
		k.fail("%d attention heads do not divide an embedding of %d", c.Heads, c.Embedding)
		return
	}
	if n, err := gguf.GetOr(k.f, "mpt.attention.head_count_kv", int64(c.Heads)); err != nil || n != int64(c.Heads) {
		k.fail("grouped-query attention (mpt.attention.head_count_kv %d for %d heads) is not supported", n, c.Heads)
	}
	for _, key := range []string{"key_length", "value_length"} {
		if n, err := gguf.GetOr(k.f, "mpt.attention."+key, int64(c.HeadDim)); err != nil || n != int64(c.HeadDim) {
			k.fail("a head size of its own (mpt.attention.%s %d, not %d/%d) is not supported", key, n, c.Embedding, c.Heads)
		}
	}
	if act := k.text("mpt.ext.activation", "gelu"); act != "gelu" {
		k.fail("activation %q is not supported", act)
	}
	if v, ok := k.f.Value("mpt.ext.features"); ok {
		k.named(v)
	}
	for _, kv := range k.f.Meta() {
		if key, ok := strings.CutPrefix(kv.Key, Architecture+"."); ok {
			k.key(key, kv.Value)
		}
	}
}

// key refuses a key that stands for a feature that is not computed.
func (k *keys) key(key string, value any) {
	zero := reflect.ValueOf(value).IsZero()
	feature, refused := refusedKeys[key]
	switch {
	case key == "attention.causal" && zero:
		k.fail("attention to later tokens (mpt.%s is false) is not supported", key)
	case refused && !zero:
		k.fail("%s (mpt.%s) is not supported", feature, key)
	case strings.HasPrefix(key, "rope.") && !zero:
		k.fail("rotary position embedding (mpt.%s) is not supported", key)
	case strings.HasPrefix(key, "ext.") && !slices.Contains(knownExtensions, key):
		k.fail("the model needs mpt.%s, which this version does not know", key)
	}
}

// named refuses names in the list of features that are not known.
func (k *keys) named(v any) {
	names, ok := v.([]string)
	if !ok {
		k.fail("mpt.ext.features is %T, not a list of names", v)
	}
	for _, name := range names {
		if !slices.Contains(knownFeatures, name) {
			k.fail("the model needs %q, which this version does not support", name)
		}
	}
}
