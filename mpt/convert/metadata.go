package convert

import (
	"slices"

	"mptgo/gguf"
	"mptgo/mpt/checkpoint"
	"mptgo/quantize/recipes"
)

// The version of the layouts of quantised blocks.
const quantizationVersion uint32 = 2

// metadata returns the keys of the model, without those of its vocabulary.
func (m *model) metadata(t title, recipe recipes.Recipe, quantized bool) []gguf.KV {
	c := m.cfg
	kv := []gguf.KV{
		{Key: "general.architecture", Value: "mpt"},
		{Key: "general.type", Value: "model"},
		{Key: "general.name", Value: t.name},
		{Key: "general.file_type", Value: recipe.FileType},
	}
	kv = append(kv, t.keys()...)
	if quantized {
		kv = append(kv, gguf.KV{Key: "general.quantization_version", Value: quantizationVersion})
	}
	kv = append(kv,
		gguf.KV{Key: "mpt.context_length", Value: uint32(c.MaxSeqLen)},
		gguf.KV{Key: "mpt.embedding_length", Value: uint32(c.DModel)},
		gguf.KV{Key: "mpt.block_count", Value: uint32(c.NLayers)},
		gguf.KV{Key: "mpt.feed_forward_length", Value: uint32(c.FFN.HiddenSize)},
		gguf.KV{Key: "mpt.attention.head_count", Value: uint32(c.NHeads)},
		gguf.KV{Key: "mpt.attention.head_count_kv", Value: uint32(c.Attn.KVHeads)},
	)
	if !checkpoint.IsRMS(c.NormType) {
		kv = append(kv, gguf.KV{Key: "mpt.attention.layer_norm_epsilon", Value: float32(c.NormEps)})
	}
	if c.Attn.ClipQKV != 0 {
		kv = append(kv, gguf.KV{Key: "mpt.attention.clamp_kqv", Value: float32(c.Attn.ClipQKV)})
	}
	return append(append(kv, m.featureKeys()...), m.scales.keys()...)
}

// A feature is a part of the family that the usual keys and tensors of the
// architecture cannot say, with its keys.
type feature struct {
	name string
	used bool
	keys []gguf.KV
}

// featureKeys returns the key of ALiBi and those of the extras. A file with one of
// these would run wrong elsewhere; there the key of ALiBi, without which other readers
// refuse an MPT model, has another name.
func (m *model) featureKeys() []gguf.KV {
	var alibi float32
	if m.cfg.Attn.ALiBi {
		alibi = float32(m.cfg.Attn.ALiBiBiasMax)
	}
	var features []string
	var keys []gguf.KV
	for _, x := range m.extras() {
		if x.used {
			features, keys = append(features, x.name), append(keys, x.keys...)
		}
	}
	if features == nil {
		return []gguf.KV{{Key: "mpt.attention.max_alibi_bias", Value: alibi}}
	}
	return append([]gguf.KV{
		{Key: "mpt.ext.max_alibi_bias", Value: alibi},
		{Key: "mpt.ext.features", Value: features},
	}, keys...)
}

// extras lists what there is of extras.
func (m *model) extras() []feature {
	c := m.cfg
	a := &c.Attn
	dim, norms := uint32(c.HeadDim), a.QKLN || a.QKGN
	rms, rmsQK := checkpoint.IsRMS(c.NormType), checkpoint.IsRMS(a.NormType)
	return []feature{
		{"softmax_scale", m.scales.softmax != 0, []gguf.KV{{Key: "mpt.attention.scale", Value: m.scales.softmax}}},
		{"logit_scale", m.scales.logit != 0, []gguf.KV{{Key: "mpt.logit_scale", Value: m.scales.logit}}},
		{"rms_norm", rms, []gguf.KV{{Key: "mpt.attention.layer_norm_rms_epsilon", Value: float32(c.NormEps)}}},
		{"qk_norm", a.QKGN || norms && (rmsQK != rms || a.NormEps != c.NormEps || a.KVHeads != c.NHeads), []gguf.KV{
			{Key: "mpt.ext.qk_norm_epsilon", Value: float32(a.NormEps)}, {Key: "mpt.ext.qk_norm_rms", Value: rmsQK}}},
		{"head_dim", c.HeadDim*c.NHeads != c.DModel, []gguf.KV{
			{Key: "mpt.attention.key_length", Value: dim}, {Key: "mpt.attention.value_length", Value: dim}}},
		{"glu", c.FFN.Type == "mptglu", nil},
		{"activation", c.FFN.Activation != "gelu", []gguf.KV{{Key: "mpt.ext.activation", Value: c.FFN.Activation}}},
		{"rope", a.RoPE, m.rotaryKeys()},
		{"nope", m.some(func(b checkpoint.BlockConfig) bool { return a.RoPE && b.NoPE }), []gguf.KV{
			{Key: "mpt.ext.nope", Value: byBlock(m, func(b checkpoint.BlockConfig) bool { return b.NoPE })}}},
		{"sliding_window", m.some(func(b checkpoint.BlockConfig) bool { return b.SlidingWindow >= 0 }), m.windowKeys()},
		{"attention_softcap", a.LogitSoftcap != 0, []gguf.KV{{Key: "mpt.attn_logit_softcapping", Value: float32(a.LogitSoftcap)}}},
		{"logit_softcap", c.FinalLogitSoftcap != 0, []gguf.KV{{Key: "mpt.final_logit_softcapping", Value: float32(c.FinalLogitSoftcap)}}},
		{"temperature", m.some(func(b checkpoint.BlockConfig) bool { return b.TemperatureScale != 0 }), m.temperatureKeys()},
		{"kv_source", m.reuses(), []gguf.KV{
			{Key: "mpt.ext.kv_source", Value: byBlock(m, func(b checkpoint.BlockConfig) int32 { return int32(b.KVSource) })}}},
	}
}

// some reports whether f holds for a block.
func (m *model) some(f func(checkpoint.BlockConfig) bool) bool {
	return slices.ContainsFunc(m.cfg.Blocks, f)
}

// reuses reports whether a block uses the keys and values of another.
func (m *model) reuses() bool {
	for i, b := range m.cfg.Blocks {
		if b.KVSource != i {
			return true
		}
	}
	return false
}

// byBlock returns f of every block.
func byBlock[T any](m *model, f func(checkpoint.BlockConfig) T) []T {
	v := make([]T, len(m.cfg.Blocks))
	for i, b := range m.cfg.Blocks {
		v[i] = f(b)
	}
	return v
}

// window returns how many keys a query of a block sees, itself included; 0 means all.
func window(b checkpoint.BlockConfig) int32 { return int32(b.SlidingWindow + 1) }

// windowKeys returns one key for all blocks if they are equal, else a value for each;
// so does temperatureKeys.
func (m *model) windowKeys() []gguf.KV {
	all := byBlock(m, window)
	if len(slices.Compact(slices.Clone(all))) == 1 {
		return []gguf.KV{{Key: "mpt.attention.sliding_window", Value: uint32(all[0])}}
	}
	return []gguf.KV{{Key: "mpt.ext.window", Value: all}}
}

func (m *model) temperatureKeys() []gguf.KV {
	scales := byBlock(m, func(b checkpoint.BlockConfig) float32 { return float32(b.TemperatureScale) })
	floors := byBlock(m, func(b checkpoint.BlockConfig) float32 { return float32(b.TemperatureFloor) })
	if len(slices.Compact(slices.Clone(scales))) == 1 && len(slices.Compact(slices.Clone(floors))) == 1 {
		return []gguf.KV{
			{Key: "mpt.attention.temperature_scale", Value: scales[0]},
			{Key: "mpt.attention.temperature_floor", Value: floors[0]},
		}
	}
	return []gguf.KV{{Key: "mpt.ext.temperature_scale", Value: scales},
		{Key: "mpt.ext.temperature_floor", Value: floors}}
}

func (m *model) rotaryKeys() []gguf.KV {
	r := &m.cfg.Attn.Rotary
	kv := []gguf.KV{
		{Key: "mpt.rope.freq_base", Value: float32(r.Theta)},
		{Key: "mpt.rope.dimension_count", Value: uint32(r.Dim)},
	}
	if r.Type == "original" || r.Type == "no_scaling" {
		return kv
	}
	kv = append(kv,
		gguf.KV{Key: "mpt.rope.scaling.type", Value: r.Type},
		gguf.KV{Key: "mpt.rope.scaling.factor", Value: float32(r.Factor)},
		gguf.KV{Key: "mpt.rope.scaling.original_context_length", Value: uint32(r.OriginalContext)})
	if r.Type == "llama3" {
		kv = append(kv,
			gguf.KV{Key: "mpt.rope.scaling.low_freq_factor", Value: float32(r.Low)},
			gguf.KV{Key: "mpt.rope.scaling.high_freq_factor", Value: float32(r.High)})
	}
	return kv
}
