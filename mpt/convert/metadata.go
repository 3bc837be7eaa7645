package convert

import (
	"mptgo/gguf"
	"mptgo/quantize"
)

// The version of the layouts of quantised blocks.
const quantizationVersion uint32 = 2

// metadata returns the keys of the model, without those of its vocabulary.
func (m *model) metadata(name string, recipe quantize.Recipe, quantized bool) []gguf.KV {
	c := m.cfg
	kv := []gguf.KV{
		{Key: "general.architecture", Value: "mpt"},
		{Key: "general.type", Value: "model"},
		{Key: "general.name", Value: name},
		{Key: "general.file_type", Value: recipe.FileType},
	}
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
		gguf.KV{Key: "mpt.attention.layer_norm_epsilon", Value: float32(c.NormEps)},
	)
	if c.Attn.ClipQKV != 0 {
		kv = append(kv, gguf.KV{Key: "mpt.attention.clamp_kqv", Value: float32(c.Attn.ClipQKV)})
	}
	return append(kv, m.scaleKeys()...)
}

// scaleKeys returns the keys of ALiBi and of the scales that are not in the
// weights. A file with such a scale would run wrong elsewhere; there the key of
// ALiBi, without which other readers refuse an MPT model, has another name.
func (m *model) scaleKeys() []gguf.KV {
	var alibi float32
	if m.cfg.Attn.ALiBi {
		alibi = float32(m.cfg.Attn.ALiBiBiasMax)
	}
	features := m.scales.features()
	if features == nil {
		return []gguf.KV{{Key: "mpt.attention.max_alibi_bias", Value: alibi}}
	}
	kv := []gguf.KV{
		{Key: "mpt.ext.max_alibi_bias", Value: alibi},
		{Key: "mpt.ext.features", Value: features},
	}
	if m.scales.softmax != 0 {
		kv = append(kv, gguf.KV{Key: "mpt.attention.scale", Value: m.scales.softmax})
	}
	if m.scales.logit != 0 {
		kv = append(kv, gguf.KV{Key: "mpt.logit_scale", Value: m.scales.logit})
	}
	return kv
}
