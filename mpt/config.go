package mpt

import (
	"errors"
	"fmt"
	"math"
	"math/bits"

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

// readConfig reads and validates the configuration of a model file.
func readConfig(f *gguf.File) (*Config, error) {
	arch, err := gguf.Get[string](f, "general.architecture")
	if err != nil {
		return nil, err
	}
	if arch != Architecture {
		return nil, fmt.Errorf("mpt: %s: a model of architecture %q; only %q runs here", f.Name(), arch, Architecture)
	}
	kind, err := gguf.GetOr(f, "general.type", "model")
	if err != nil {
		return nil, err
	}
	if kind != "model" {
		return nil, fmt.Errorf("mpt: %s: a file of type %q (general.type); only a model runs", f.Name(), kind)
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
	if k.err != nil && !errors.Is(k.err, gguf.ErrFormat) { // that names the file itself
		k.err = fmt.Errorf("mpt: %s: %w", f.Name(), k.err)
	}
	return c, k.err
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

// errClosed is what a closed session or model answers.
var errClosed = errors.New("mpt: used after Close")
