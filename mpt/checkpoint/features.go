package checkpoint

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
)

// Bounds of the sizes in a configuration. They are far above any model of the
// family and keep products of two of them inside an int.
const (
	maxWidth  = 1 << 17 // d_model
	maxFFN    = 1 << 20 // hidden size of the feed-forward layer
	maxLayers = 1 << 12
	maxVocab  = 1 << 24
	maxSeqLen = 1 << 24 // as in a model file that package mpt opens
)

// checkModelType refuses other families, and the relatives of MPT by name.
func (c *Config) checkModelType() error {
	switch t := c.ModelType; {
	case t == "mpt", t == "" && c.claimsMPT():
		return nil
	case t == "":
		return malformed("neither model_type nor architectures say that this is an MPT model")
	case t == "mosaic_gpt":
		return fmt.Errorf("model_type mosaic_gpt, the format of MPT before May 2023: %w", errors.ErrUnsupported)
	case strings.Contains(t, "mpt"):
		return fmt.Errorf("model_type %q, a model that wraps an MPT: %w", t, errors.ErrUnsupported)
	default:
		return fmt.Errorf("model_type %q: only mpt can be read: %w", t, errors.ErrUnsupported)
	}
}

func (c *Config) claimsMPT() bool {
	return slices.Contains(c.Architectures, "MPTForCausalLM") || slices.Contains(c.Architectures, "MptForCausalLM")
}

// check refuses contradictions and sizes that no model has.
func (c *Config) check() error {
	for _, s := range []struct {
		key       string
		value     int
		low, high int
	}{
		{"d_model", c.DModel, 1, maxWidth},
		{"n_heads", c.NHeads, 1, maxWidth},
		{"n_layers", c.NLayers, 1, maxLayers},
		{"head_dim", c.HeadDim, 0, maxWidth},
		{"max_seq_len", c.MaxSeqLen, 1, maxSeqLen},
		{"vocab_size", c.VocabSize, 1, maxVocab},
		{"ffn_config.ffn_hidden_size", c.FFN.HiddenSize, 0, maxFFN},
		{"attn_config.kv_n_heads", c.Attn.KVHeads, 0, c.NHeads},
	} {
		if s.value < s.low || s.value > s.high {
			return malformed("%s is %d, not between %d and %d", s.key, s.value, s.low, s.high)
		}
	}
	if c.DModel%c.NHeads != 0 {
		return malformed("d_model %d is not a multiple of n_heads %d", c.DModel, c.NHeads)
	}
	if f := float64(c.DModel) * c.ExpansionRatio; c.FFN.HiddenSize == 0 && (f != math.Trunc(f) || f < 1 || f > maxFFN) {
		return malformed("d_model %d times expansion_ratio %v is not an integer between 1 and %d", c.DModel, c.ExpansionRatio, maxFFN)
	}
	return c.checkNumbers()
}

func (c *Config) checkNumbers() error {
	a := &c.Attn
	switch {
	case !(c.EmbeddingFraction > 0 && c.EmbeddingFraction <= 1):
		return malformed("embedding_fraction %v is not in (0, 1]", c.EmbeddingFraction)
	case !(float32(c.NormEps) > 0):
		return malformed("the epsilon of the norms is %v, not positive", c.NormEps)
	case a.ClipQKV < 0:
		return malformed("attn_config.clip_qkv %v is negative", a.ClipQKV)
	case a.ALiBi && !(float32(a.ALiBiBiasMax) > 0):
		return malformed("attn_config.alibi_bias_max %v is not positive", a.ALiBiBiasMax)
	case a.QKLN && a.QKGN:
		return malformed("attn_config: qk_ln and qk_gn exclude each other")
	case a.LogitSoftcap < 0 || c.FinalLogitSoftcap < 0:
		return malformed("a softcapping value is negative")
	}
	return c.checkKVHeads()
}

func (c *Config) checkKVHeads() error {
	switch a := &c.Attn; a.Type {
	case "multihead_attention", "multiquery_attention":
	case "grouped_query_attention":
		if a.KVHeads == 0 || c.NHeads%a.KVHeads != 0 {
			return malformed("attn_config: grouped_query_attention with n_heads %d and kv_n_heads %d", c.NHeads, a.KVHeads)
		}
	default:
		return malformed("attn_config.attn_type %q is unknown", a.Type)
	}
	return nil
}

// Validate returns an error that names every feature of [Config.Unsupported], or
// nil.
func (c *Config) Validate() error {
	if names := c.Unsupported(); len(names) > 0 {
		return fmt.Errorf("checkpoint: this model needs what is not supported yet: %s: %w", strings.Join(names, ", "), errors.ErrUnsupported)
	}
	return nil
}

// Unsupported names, with their fields, the features of the configuration that
// would change the result and that this module does not run.
func (c *Config) Unsupported() []string {
	a := &c.Attn
	var names []string
	add := func(used bool, format string, args ...any) {
		if used {
			names = append(names, fmt.Sprintf(format, args...))
		}
	}
	add(c.LearnedPosEmb, "learned positions (learned_pos_emb)")
	add(a.RoPE, "rotary positions (rope)")
	add(!c.NoBias, "biases (no_bias false)")
	add(c.NoBias && c.AttentionBias, "attention biases (attention_bias)")
	add(a.QKLN, "query and key norms (qk_ln)")
	add(a.QKGN, "query and key norms per head (qk_gn)")
	add(a.KVHeads != c.NHeads, "%d key heads for %d query heads (attn_type %s)", a.KVHeads, c.NHeads, a.Type)
	add(c.HeadDim != 0 && c.HeadDim*c.NHeads != c.DModel, "head_dim %d other than d_model/n_heads", c.HeadDim)
	add(c.NormType != "layernorm" && c.NormType != "low_precision_layernorm", "norm_type %s", c.NormType)
	add(c.FFN.Type != "mptmlp", "ffn_type %s", c.FFN.Type)
	add(c.FFN.Activation != "gelu", "activation %s (ffn_act_fn)", c.FFN.Activation)
	add(a.SlidingWindow != -1, "sliding_window_size %d", a.SlidingWindow)
	add(a.LogitSoftcap != 0, "attn_logit_softcapping")
	add(c.FinalLogitSoftcap != 0, "final_logit_softcapping")
	add(a.TemperatureScale != 0, "attn_temperature_tuning")
	add(c.BlockOverrides, "block_overrides")
	add(a.NoPE, "nope")
	add(a.ReuseKV, "reuse_kv_layer_idx")
	add(a.KVDim != 0, "cross-attention (kv_dim)")
	add(c.PrefixLM, "prefix_lm")
	for _, name := range c.Unknown {
		add(true, "%s, a field that is not known (remove it from config.json if it changes no result)", name)
	}
	add(!(float32(a.SoftmaxScale) > 0), "softmax_scale %v", a.SoftmaxScale)
	add(!(float32(c.LogitScale) > 0), "logit_scale %v", c.LogitScale)
	return names
}
