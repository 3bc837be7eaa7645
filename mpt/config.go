package mpt

import (
	"errors"
	"fmt"
	"math"
	"math/bits"

	"mptgo/ggml"
	"mptgo/gguf"
	"mptgo/internal/errkind"
)

// Architecture is the value of general.architecture in the files of this
// family and the prefix of its keys.
const Architecture = "mpt"

// Config is what a model's file says about its shape.
type Config struct {
	Name       string
	Embedding  int     // D, width of the residual stream
	Layers     int     // L
	Heads      int     // H, of queries
	KVHeads    int     // K, of keys and values: a divisor of H
	HeadDim    int     // d, D/H unless the file has its own
	FFN        int     // F, width of the feed-forward layer
	Vocab      int     // V, rows of the embedding
	Context    int     // tokens the model was trained for
	Eps        float32 // of the norms
	RMS        bool    // the norms are of the kind without mean and bias
	QKEps      float32 // Eps and RMS of the norms of queries and keys, where there are such
	QKRMS      bool
	Activation string  // of the feed-forward layer, a name that ggml.Activation knows
	ClipQKV    float32 // queries, keys and values are limited to [-c, c]; 0 = no limit

	AlibiMax     float32     // largest exponent of the ALiBi slopes; 0 = no ALiBi
	Rotary       ggml.Rotary // rotary positions; none if its Dim is 0
	SoftmaxScale float32     // factor of query·key
	AttnCap      float32     // soft limit of the scores; 0 = none
	LogitScale   float32     // factor of the logits
	LogitCap     float32     // soft limit of the logits; 0 = none
	QueryFactor  float32     // a power of two that the rows of queries were multiplied by when the file was made

	Blocks []LayerConfig // by layer
}

// LayerConfig is what the layers of a model may have different from each other.
type LayerConfig struct {
	Window           int     // how many positions a query sees, the last its own; 0 = all
	KVSource         int     // the layer whose keys and values are used: this one or an earlier one
	NoPE             bool    // no rotary positions here
	TemperatureScale float32 // queries are multiplied by 1 + scale·ln(1+⌊(position+1)/floor⌋); 0 = not at all
	TemperatureFloor float32
}

// The bounds of what is believed of a header. They are far above any model and
// keep products of two of them within an int.
const (
	maxWidth  = 1 << 20
	maxLayers = 1 << 12
)

// readConfig reads and validates the configuration of a model file.
func readConfig(f *gguf.File) (*Config, error) {
	arch, err := gguf.Get[string](f, "general.architecture")
	if err != nil {
		return nil, err
	}
	if arch != Architecture {
		return nil, errkind.As(fmt.Errorf("mpt: %s: a model of architecture %q; only %q runs here", f.Name(), arch, Architecture), errors.ErrUnsupported)
	}
	kind, err := gguf.GetOr(f, "general.type", "model")
	if err != nil {
		return nil, err
	}
	if kind != "model" {
		use := "only a model runs"
		if kind == "adapter" {
			use = "not a model but what changes one"
		}
		return nil, errkind.As(fmt.Errorf("mpt: %s: a file of type %q (general.type), %s", f.Name(), kind, use), errors.ErrUnsupported)
	}
	c := &Config{}
	k := keys{f: f}
	c.Name = k.text("general.name", "")
	c.Embedding = k.integer("embedding_length", maxWidth)
	c.Layers = k.integer("block_count", maxLayers)
	c.FFN = k.integer("feed_forward_length", maxWidth)
	c.Context = k.integer("context_length", maxContext)
	k.heads(c)
	k.norms(c)
	c.Activation = k.text("mpt.ext.activation", "gelu")
	c.ClipQKV = k.floatOr("attention.clamp_kqv", 0)
	c.AlibiMax = k.alibi()
	c.SoftmaxScale = k.floatOr("attention.scale", float32(1/math.Sqrt(float64(c.HeadDim))))
	c.AttnCap = k.floatOr("attn_logit_softcapping", 0)
	c.LogitScale = k.floatOr("logit_scale", 1)
	c.LogitCap = k.floatOr("final_logit_softcapping", 0)
	c.QueryFactor = k.floatOr("ext.query_factor", 1)
	k.rotary(c)
	k.blocks(c)
	k.features(c)
	if k.err != nil && !errors.Is(k.err, gguf.ErrFormat) { // that names the file itself
		k.err = fmt.Errorf("mpt: %s: %w", f.Name(), k.err)
	}
	return c, blamed(k.err)
}

// blamed says of an error about a file that the file is damaged, unless it is only of a kind
// that does not run here.
func blamed(err error) error {
	if errors.Is(err, errors.ErrUnsupported) {
		return err
	}
	return errkind.As(err, gguf.ErrFormat)
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

// refuse is fail for a feature of a sound file.
func (k *keys) refuse(format string, args ...any) {
	if k.err == nil {
		k.err = errkind.As(fmt.Errorf(format, args...), errors.ErrUnsupported)
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

// integerOr is integer for a key that may be missing.
func (k *keys) integerOr(key string, limit, absent int) int {
	if _, ok := k.f.Value(Architecture + "." + key); !ok {
		return absent
	}
	return k.integer(key, limit)
}

// heads reads the shape of attention.
func (k *keys) heads(c *Config) {
	c.Heads = k.integer("attention.head_count", maxWidth)
	c.HeadDim = max(1, k.integerOr("attention.key_length", maxWidth, c.Embedding/c.Heads))
	c.KVHeads = k.integerOr("attention.head_count_kv", maxWidth, k.kvHeads(c))
	if _, ok := k.f.Value("mpt.attention.key_length"); !ok && c.Embedding%c.Heads != 0 {
		k.fail("%d attention heads do not divide an embedding of %d", c.Heads, c.Embedding)
	}
	if n := k.integerOr("attention.value_length", maxWidth, c.HeadDim); n != c.HeadDim {
		k.refuse("values of another size than keys (mpt.attention.value_length %d, not %d) are not supported", n, c.HeadDim)
	}
	if c.Heads%c.KVHeads != 0 {
		k.fail("%d heads of keys and values (mpt.attention.head_count_kv) do not divide the %d of queries", c.KVHeads, c.Heads)
	}
	if c.Heads*c.HeadDim > maxWidth {
		k.fail("%d heads of %d are wider than %d", c.Heads, c.HeadDim, maxWidth)
	}
}

// kvHeads returns the number of heads of keys and values of a file that does not say
// it: all, or what the shape of the projection tells, since llama.cpp's converter
// leaves it out for multi-query attention.
func (k *keys) kvHeads(c *Config) int {
	t, ok := k.f.Tensor("blk.0.attn_qkv.weight")
	if !ok {
		return c.Heads
	}
	n := (t.Rows() - c.Heads*c.HeadDim) / (2 * c.HeadDim)
	if n < 1 || n > c.Heads || c.Heads%n != 0 || c.Heads*c.HeadDim+2*n*c.HeadDim != t.Rows() {
		return c.Heads // and the shape is refused
	}
	return n
}

// norms reads which norms a model has: the key of the epsilon tells.
func (k *keys) norms(c *Config) {
	const mean, rms = "attention.layer_norm_epsilon", "attention.layer_norm_rms_epsilon"
	if _, c.RMS = k.f.Value(Architecture + "." + rms); c.RMS {
		c.Eps = k.float(rms)
		if _, ok := k.f.Value(Architecture + "." + mean); ok {
			k.fail("both mpt.%s and mpt.%s are there: which norm is it?", mean, rms)
		}
	} else {
		c.Eps = k.float(mean)
	}
	c.QKEps = k.floatOr("ext.qk_norm_epsilon", c.Eps)
	rmsQK, err := gguf.GetOr(k.f, "mpt.ext.qk_norm_rms", c.RMS)
	if err != nil {
		k.fail("%w", err)
	}
	c.QKRMS = rmsQK
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
