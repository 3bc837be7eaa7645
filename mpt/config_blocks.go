package mpt

import (
	"math"
	"reflect"
	"slices"

	"mptgo/ggml"
	"mptgo/gguf"
)

// scalings are the values of mpt.rope.scaling.type.
var scalings = map[string]string{
	"none": ggml.RotaryPlain, "linear": ggml.RotaryLinear, "dynamic": ggml.RotaryDynamic, "llama3": ggml.RotaryLlama3,
}

// rotary reads the keys of rotary positions, which a model has if it has a base of
// their frequencies.
func (k *keys) rotary(c *Config) {
	if _, ok := k.f.Value("mpt.rope.freq_base"); !ok {
		return
	}
	typ := k.text("mpt.rope.scaling.type", "none")
	scaling, ok := scalings[typ]
	if !ok {
		k.refuse("rotary positions with scaling %q (mpt.rope.scaling.type) are not supported", typ)
	}
	r := ggml.Rotary{
		Dim:     k.integerOr("rope.dimension_count", maxWidth, c.HeadDim),
		Theta:   k.float("rope.freq_base"),
		Scaling: scaling,
		Factor:  k.floatOr("rope.scaling.factor", 1),
		Context: k.integerOr("rope.scaling.original_context_length", maxContext, c.Context),
		Low:     k.floatOr("rope.scaling.low_freq_factor", 1),
		High:    k.floatOr("rope.scaling.high_freq_factor", 4),
	}
	switch {
	case r.Dim%2 != 0 || r.Dim > c.HeadDim || r.Dim < 4 && scaling == ggml.RotaryDynamic:
		k.fail("rotary positions for %d components (mpt.rope.dimension_count) of heads of %d", r.Dim, c.HeadDim)
	case !(r.Theta >= 1):
		k.fail("mpt.rope.freq_base is %v: want at least 1", r.Theta)
	case !(r.Factor >= 1):
		k.fail("mpt.rope.scaling.factor is %v: want at least 1", r.Factor)
	case scaling == ggml.RotaryLlama3 && !(r.Low < r.High):
		k.fail("mpt.rope.scaling.low_freq_factor %v is not below high_freq_factor %v", r.Low, r.High)
	case c.AlibiMax > 0:
		k.fail("ALiBi and rotary positions contradict each other (mpt.rope.freq_base beside max_alibi_bias %v)", c.AlibiMax)
	}
	c.Rotary = r
}

// blocks reads what layers may have different from each other: keys for all of them,
// and under mpt.ext arrays with a value for each.
func (k *keys) blocks(c *Config) {
	if k.err != nil {
		return // the number of layers may be nonsense
	}
	c.Blocks = make([]LayerConfig, c.Layers)
	window := k.window()
	scale, floor := k.floatOr("attention.temperature_scale", 0), k.floatOr("attention.temperature_floor", 8192)
	windows := perLayer(k, "ext.window", c.Layers, int32(window))
	scales, floors := perLayer(k, "ext.temperature_scale", c.Layers, scale), perLayer(k, "ext.temperature_floor", c.Layers, floor)
	plain := perLayer(k, "ext.nope", c.Layers, false)
	sources := perLayer(k, "ext.kv_source", c.Layers, int32(-1))
	for i := range c.Blocks {
		c.Blocks[i] = LayerConfig{int(windows[i]), int(sources[i]), plain[i], k.finite("attention.temperature_scale", scales[i]), floors[i]}
		k.block(c, i)
	}
}

// window reads the window of all layers, for which 0 means none.
func (k *keys) window() int {
	const key = "attention.sliding_window"
	if v, _ := k.f.Value(Architecture + "." + key); v == nil || reflect.ValueOf(v).IsZero() {
		return 0
	}
	return k.integer(key, math.MaxInt32)
}

// block checks what was read for layer i.
func (k *keys) block(c *Config, i int) {
	b := &c.Blocks[i]
	if _, ok := k.f.Value("mpt.ext.kv_source"); !ok {
		b.KVSource = i
	}
	switch {
	case b.Window < 0:
		k.fail("layer %d: a window of %d positions", i, b.Window)
	case b.TemperatureScale != 0 && !(b.TemperatureFloor > 0):
		k.fail("layer %d: attention temperature with a floor of %v", i, b.TemperatureFloor)
	case b.KVSource < 0 || b.KVSource > i || c.Blocks[b.KVSource].KVSource != b.KVSource:
		k.fail("layer %d: mpt.ext.kv_source is %d, not a layer before it with keys and values of its own", i, b.KVSource)
	case b.NoPE && c.AlibiMax > 0:
		k.refuse("layer %d: a layer without positions (mpt.ext.nope) in a model with ALiBi is not supported", i)
	}
}

// perLayer returns the values of an array with one for each of n layers; without
// the key, n times absent.
func perLayer[T int32 | float32 | bool](k *keys, key string, n int, absent T) []T {
	same := slices.Repeat([]T{absent}, n)
	var v any
	var err error
	switch s := any(same).(type) {
	case []int32:
		v, err = gguf.GetOr(k.f, Architecture+"."+key, s)
	case []float32:
		v, err = gguf.GetOr(k.f, Architecture+"."+key, s)
	case []bool:
		v, err = gguf.GetOr(k.f, Architecture+"."+key, s)
	}
	if err != nil {
		k.fail("%w", err)
		return same
	}
	if got := v.([]T); len(got) == n {
		return got
	}
	k.fail("mpt.%s has another number of values than the %d of the layers", key, n)
	return same
}
