package mpt

import (
	"errors"
	"fmt"
	"math"
	"math/bits"
	"reflect"
	"slices"

	"mptgo/gguf"
)

// Architecture is the value of general.architecture in the files of this
// family and the prefix of its keys.
const Architecture = "mpt"

// Config is what a model's file says about its shape.
type Config struct {
	Name         string
	Embedding    int     // D, width of the residual stream
	Layers       int     // L
	Heads        int     // H
	HeadDim      int     // D/H
	FFN          int     // F, width of the feed-forward layer
	Vocab        int     // V, rows of the embedding
	Context      int     // tokens the model was trained for
	Eps          float32 // of the norms
	ClipQKV      float32 // queries, keys and values are limited to [-c, c]; 0 = no limit
	AlibiMax     float32 // largest exponent of the ALiBi slopes; 0 = no ALiBi
	SoftmaxScale float32 // factor of query·key
	LogitScale   float32 // factor of the logits
}

// The bounds of what is believed of a header. They are far above any model and
// keep products of two of them within an int.
const (
	maxWidth  = 1 << 20
	maxLayers = 1 << 12
)

// knownFeatures are the values of mpt.ext.features that this package runs.
var knownFeatures = []string{"softmax_scale", "logit_scale"}

// refusedKeys are keys of features that would change the result and are not
// implemented. Their zero values mean that the feature is off.
var refusedKeys = map[string]string{
	"attention.layer_norm_rms_epsilon": "RMS norm",
	"attention.sliding_window":         "sliding-window attention",
	"attention.temperature_scale":      "attention temperature tuning",
	"attn_logit_softcapping":           "attention logit soft-capping",
	"final_logit_softcapping":          "final logit soft-capping",
	"rope.freq_base":                   "rotary position embedding",
	"rope.dimension_count":             "rotary position embedding",
	"ext.kv_source":                    "keys and values reused across layers",
	"ext.window":                       "sliding windows by layer",
	"expert_count":                     "mixture of experts",
	"use_parallel_residual":            "parallel residual connections",
}

// readConfig reads and validates the configuration of a model file.
func readConfig(f *gguf.File) (*Config, error) {
	arch, err := gguf.Get[string](f, "general.architecture")
	if err != nil {
		return nil, err
	}
	if arch != Architecture {
		return nil, fmt.Errorf("mpt: %s: a model of architecture %q; only %q runs here", f.Name(), arch, Architecture)
	}
	c := &Config{}
	k := keys{f: f}
	c.Name = k.text("general.name", "")
	c.Embedding = k.integer("embedding_length", maxWidth)
	c.Layers = k.integer("block_count", maxLayers)
	c.Heads = k.integer("attention.head_count", maxWidth)
	c.FFN = k.integer("feed_forward_length", maxWidth)
	c.Context = k.integer("context_length", maxContext)
	c.Eps = k.float("attention.layer_norm_epsilon")
	c.ClipQKV = k.floatOr("attention.clamp_kqv", 0)
	c.AlibiMax = k.alibi()
	c.LogitScale = k.floatOr("logit_scale", 1)
	if k.err == nil {
		c.HeadDim = c.Embedding / c.Heads
		c.SoftmaxScale = k.floatOr("attention.scale", float32(1/math.Sqrt(float64(c.HeadDim))))
		k.features(c)
	}
	if k.err != nil {
		return nil, fmt.Errorf("mpt: %s: %w", f.Name(), k.err)
	}
	return c, nil
}

// keys reads keys of the architecture and keeps the first error.
type keys struct {
	f   *gguf.File
	err error
}

func (k *keys) fail(format string, args ...any) {
	if k.err == nil {
		k.err = fmt.Errorf(format, args...)
	}
}

func (k *keys) integer(key string, limit int) int {
	v, err := gguf.Get[int64](k.f, Architecture+"."+key)
	if err == nil && (v < 1 || v > int64(limit)) {
		err = fmt.Errorf("%s.%s is %d: want 1 to %d", Architecture, key, v, limit)
	}
	if err != nil {
		k.fail("%w", err)
		return 1
	}
	return int(v)
}

func (k *keys) text(key, absent string) string {
	v, err := gguf.GetOr(k.f, key, absent)
	if err != nil {
		k.fail("%w", err)
	}
	return v
}

func (k *keys) float(key string) float32 {
	v, err := gguf.Get[float32](k.f, Architecture+"."+key)
	if err != nil {
		k.fail("%w", err)
	}
	return k.finite(key, v)
}

func (k *keys) floatOr(key string, absent float32) float32 {
	v, err := gguf.GetOr(k.f, Architecture+"."+key, absent)
	if err != nil {
		k.fail("%w", err)
	}
	return k.finite(key, v)
}

// finite refuses what no factor, limit or exponent can be.
func (k *keys) finite(key string, v float32) float32 {
	if math.IsNaN(float64(v)) || math.IsInf(float64(v), 0) || v < 0 {
		k.fail("%s.%s is %v: want a finite number of at least 0", Architecture, key, v)
	}
	return v
}

// alibi reads the exponent of the ALiBi slopes. Files with a feature that other
// readers would run wrong keep it under another name, so that those refuse
// the file.
func (k *keys) alibi() float32 {
	if _, ok := k.f.Value("mpt.ext.max_alibi_bias"); ok {
		return k.float("ext.max_alibi_bias")
	}
	return k.float("attention.max_alibi_bias")
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
		if feature, ok := refusedKeys[trimArch(kv.Key)]; ok && !reflect.ValueOf(kv.Value).IsZero() {
			k.fail("%s (%s) is not supported", feature, kv.Key)
		}
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

func trimArch(key string) string {
	if len(key) > len(Architecture) && key[:len(Architecture)+1] == Architecture+"." {
		return key[len(Architecture)+1:]
	}
	return ""
}

// slopes returns the ALiBi slope of every head, or nil without ALiBi: with n
// the number of heads rounded up to a power of two, the powers 2^(-B·(i+1)/n);
// if n is not the number of heads, those with odd i come first [Press et al.,
// "Train Short, Test Long", 2022; order of MosaicML's implementation].
func (c *Config) slopes() []float32 {
	if c.AlibiMax == 0 {
		return nil
	}
	n := 1 << bits.Len(uint(c.Heads-1))
	power := func(i int) float32 {
		return float32(math.Exp2(-float64(c.AlibiMax) * float64(i+1) / float64(n)))
	}
	var s []float32
	if n == c.Heads {
		for i := range n {
			s = append(s, power(i))
		}
		return s
	}
	for i := 1; i < n; i += 2 {
		s = append(s, power(i))
	}
	for i := 0; i < n; i += 2 {
		s = append(s, power(i))
	}
	return s[:c.Heads]
}

// errNoSession is what a closed session or model answers.
var errClosed = errors.New("mpt: used after Close")
