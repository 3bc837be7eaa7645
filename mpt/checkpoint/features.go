package checkpoint

import (
	"cmp"
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
	case t == "mpt", c.old(), t == "" && c.claimsMPT():
		return c.checkArchitectures()
	case t == "":
		return malformed("neither model_type nor architectures say that this is an MPT model")
	case strings.Contains(t, "mpt"):
		return fmt.Errorf("model_type %q, a model that wraps an MPT: %w", t, errors.ErrUnsupported)
	default:
		return fmt.Errorf("model_type %q: only mpt can be read: %w", t, errors.ErrUnsupported)
	}
}

// architectures are the classes that the files of language models are for. A file may
// name none: it says only how the reference loads it.
var architectures = []string{"MPTForCausalLM", "MptForCausalLM", "MPTModel", "MptModel", "MosaicGPT"}

// checkArchitectures refuses files for other classes: what these compute is not
// known, even if the rest of the file is as usual.
func (c *Config) checkArchitectures() error {
	for _, a := range c.Architectures {
		if !slices.Contains(architectures, a) {
			return fmt.Errorf("architectures names %q: only language models can be read (%s): %w",
				a, strings.Join(architectures, ", "), errors.ErrUnsupported)
		}
	}
	return nil
}

// old reports whether this is a configuration of MosaicGPT, as MPT was called before
// May 2023.
func (c *Config) old() bool { return c.ModelType == "mosaic_gpt" }

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
	if c.HeadDim*c.NHeads > maxWidth {
		return malformed("%d heads of head_dim %d are wider than %d", c.NHeads, c.HeadDim, maxWidth)
	}
	if f := float64(c.DModel) * c.ExpansionRatio; c.FFN.HiddenSize == 0 && (f != math.Trunc(f) || f < 1 || f > maxFFN) {
		return malformed("d_model %d times expansion_ratio %v is not an integer between 1 and %d",
			c.DModel, c.ExpansionRatio, maxFFN)
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
	case (a.QKLN || a.QKGN) && !(float32(a.NormEps) > 0):
		return malformed("attn_config.norm_eps is %v, not positive", a.NormEps)
	case c.HeadDim != 0 && c.HeadDim*c.NHeads != c.DModel && a.FusedQKV:
		return malformed("head_dim %d other than d_model/n_heads needs attn_config.fused_qkv false", c.HeadDim)
	case a.ALiBi && a.RoPE:
		return malformed("attn_config: alibi and rope contradict each other")
	case a.LogitSoftcap < 0 || c.FinalLogitSoftcap < 0:
		return malformed("a softcapping value is negative")
	}
	if a.RoPE {
		if err := c.checkRotary(); err != nil {
			return err
		}
	}
	return c.checkKVHeads()
}

func (c *Config) checkRotary() error {
	r, dim := &c.Attn.Rotary, c.DModel/c.NHeads
	size := cmp.Or(c.HeadDim, dim)
	if r.Impl == "hf" {
		dim = size
	}
	switch {
	case dim%2 != 0 || dim > size || r.Type == "dynamic" && dim < 4:
		return malformed("rotary positions of %d components for heads of %d", dim, size)
	case !(r.Theta >= 1):
		return malformed("attn_config.rope_theta %v is below 1", r.Theta)
	case r.Impl == "hf" && !(r.Factor >= 1):
		return malformed("attn_config.rope_hf_config.factor %v is below 1", r.Factor)
	case r.Type == "llama3" && (r.OriginalContext < 1 || !(r.Low > 0 && r.Low < r.High)):
		return malformed("attn_config.rope_hf_config: llama3 with original_max_position_embeddings %d, low_freq_factor %v and high_freq_factor %v",
			r.OriginalContext, r.Low, r.High)
	}
	return nil
}

func (c *Config) checkKVHeads() error {
	switch a := &c.Attn; a.Type {
	case "multihead_attention", "multiquery_attention":
	case "grouped_query_attention":
		if a.KVHeads == 0 || c.NHeads%a.KVHeads != 0 {
			return malformed("attn_config: grouped_query_attention with n_heads %d and kv_n_heads %d",
				c.NHeads, a.KVHeads)
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
		return fmt.Errorf("checkpoint: this model needs what is not supported yet: %s: %w",
			strings.Join(names, ", "), errors.ErrUnsupported)
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
	c.unsupportedPositions(add)
	add(!isNorm(c.NormType), "norm_type %s", c.NormType)
	add((a.QKLN || a.QKGN) && !isNorm(a.NormType), "attn_config.norm_type %s", a.NormType)
	add(c.FFN.Type != "mptmlp" && c.FFN.Type != "mptglu", "ffn_type %s", c.FFN.Type)
	add(!slices.Contains(activations, c.FFN.Activation), "activation %s (ffn_act_fn)", c.FFN.Activation)
	add(a.ReuseKV, "reuse_kv_layer_idx for all layers")
	add(slices.ContainsFunc(c.Blocks, func(b BlockConfig) bool { return b.ReuseX }), "reuse_kv_x_layer_idx")
	add(a.KVDim != 0, "cross-attention (kv_dim)")
	add(c.PrefixLM, "prefix_lm")
	for _, name := range c.Unknown {
		add(true, "%s, a field that is not known (remove it from config.json if it changes no result)", name)
	}
	add(!(float32(a.SoftmaxScale) > 0), "softmax_scale %v", a.SoftmaxScale)
	add(!(float32(c.LogitScale) > 0), "logit_scale %v", c.LogitScale)
	return names
}

// unsupportedPositions names what is not run of the ways to tell positions apart.
func (c *Config) unsupportedPositions(add func(used bool, format string, args ...any)) {
	a, r := &c.Attn, &c.Attn.Rotary
	known := map[string][]string{"dail": {"original"}, "hf": {"no_scaling", "linear", "dynamic", "llama3"}}[r.Impl]
	add(a.RoPE && !slices.Contains(known, r.Type), "rotary positions (rope) of rope_impl %s and type %s", r.Impl, r.Type)
	add(c.old() && a.ALiBi && c.NHeads&(c.NHeads-1) != 0, "ALiBi with %d heads in a mosaic_gpt model: its slopes changed in April 2023", c.NHeads)
	nope, temperature := false, false
	for _, b := range c.Blocks {
		nope = nope || b.NoPE
		temperature = temperature || b.TemperatureScale < 0 || b.TemperatureScale > 0 && !(b.TemperatureFloor > 0)
	}
	add(a.All.NoPE, "nope for all layers")
	add(!a.All.NoPE && nope &&
		a.ALiBi, "nope in a model with ALiBi, which its attention implementations treat differently")
	add(temperature, "attn_temperature_tuning with a negative scale, or a floor that is not positive")
}

// activations are the values of FFNConfig.Activation that are run.
var activations = []string{"gelu", "gelu_tanh", "quick_gelu", "silu", "relu"}

// IsRMS reports whether a norm_type names a norm without mean and bias.
func IsRMS(normType string) bool {
	return slices.Contains([]string{"rmsnorm", "low_precision_rmsnorm", "triton_rmsnorm"}, normType)
}

// isNorm reports whether a norm_type is one that is run.
func isNorm(normType string) bool {
	return IsRMS(normType) || normType == "layernorm" || normType == "low_precision_layernorm"
}
