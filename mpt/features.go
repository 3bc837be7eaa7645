package mpt

import (
	"reflect"
	"slices"
	"strings"

	"mptgo/ggml"
)

// knownFeatures are the values of mpt.ext.features that this package runs: what
// the usual keys and tensors of the architecture cannot say.
var knownFeatures = []string{
	"softmax_scale", "logit_scale", "rms_norm", "qk_norm", "head_dim", "glu", "activation", "rope", "nope",
	"sliding_window", "attention_softcap", "logit_softcap", "temperature", "kv_source",
}

// knownExtensions are the keys under mpt.ext, which only this module writes,
// that this version understands.
var knownExtensions = []string{
	"ext.features", "ext.max_alibi_bias", "ext.activation", "ext.qk_norm_epsilon", "ext.qk_norm_rms", // here
	"ext.query_factor", "ext.query_norm_factor", "ext.output_norm_factor", // for changes of the weights
	"ext.window", "ext.nope", "ext.kv_source", "ext.temperature_scale", "ext.temperature_floor",
	"ext.eog_token_ids", "ext.normalized_token_ids", // package tokenizer
}

// knownRotary are the keys of rotary positions that are understood.
var knownRotary = []string{
	"rope.freq_base", "rope.dimension_count", "rope.scaling.type", "rope.scaling.factor",
	"rope.scaling.original_context_length", "rope.scaling.low_freq_factor", "rope.scaling.high_freq_factor",
}

// refusedKeys are keys of features that would change the result and are not
// implemented. Their zero values mean that the feature is off.
var refusedKeys = map[string]string{
	"expert_count":          "mixture of experts",
	"use_parallel_residual": "parallel residual connections",
}

// features refuses everything in the metadata that would change the result and
// that this package does not compute.
func (k *keys) features(c *Config) {
	if !ggml.Activation(c.Activation).Known() {
		k.refuse("activation %q (mpt.ext.activation) is not supported", c.Activation)
	}
	if v, ok := k.f.Value("mpt.ext.features"); ok {
		k.named(v)
	}
	for _, kv := range k.f.Meta() {
		if key, ok := strings.CutPrefix(kv.Key, Architecture+"."); ok {
			k.key(key, kv.Value, c)
		}
	}
}

// key refuses a key that stands for a feature that is not computed.
func (k *keys) key(key string, value any, c *Config) {
	zero := reflect.ValueOf(value).IsZero()
	feature, refused := refusedKeys[key]
	switch {
	case key == "attention.causal" && zero:
		k.refuse("attention to later tokens (mpt.%s is false) is not supported", key)
	case refused && !zero:
		k.refuse("%s (mpt.%s) is not supported", feature, key)
	case strings.HasPrefix(key, "rope.") && !zero && (c.Rotary.Dim == 0 || !slices.Contains(knownRotary, key)):
		k.refuse("rotary positions with mpt.%s, but without mpt.rope.freq_base or in a form that is not known, are not supported", key)
	case strings.HasPrefix(key, "ext.") && !slices.Contains(knownExtensions, key):
		k.refuse("the model needs mpt.%s, which this version does not know", key)
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
			k.refuse("the model needs %q, which this version does not support", name)
		}
	}
}
