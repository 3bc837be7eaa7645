package checkpoint

import (
	"fmt"
	"math"
	"slices"
	"strings"
)

// A Config is the configuration space of the MPT family as config.json spells it,
// with the defaults filled in. Switches that are numbers are 0 when off.
type Config struct {
	ModelType     string
	Architectures []string
	Native        bool // written by transformers' own MPT code, whose defaults differ from llm-foundry's

	DModel         int
	NHeads         int
	NLayers        int
	HeadDim        int // resolved: DModel/NHeads if not given
	ExpansionRatio float64
	MaxSeqLen      int
	VocabSize      int

	LearnedPosEmb     bool // a position table is added to the embedding: never with ALiBi or RoPE
	LogitScale        float64
	NoBias            bool    // see ExplicitBias
	AttentionBias     bool    // of the projections to queries, keys and values; see ExplicitAttentionBias
	EmbeddingFraction float64 // a device of training, without effect on the result
	NormType          string  // lower case
	NormEps           float64
	TieWordEmbeddings bool
	FinalLogitSoftcap float64
	PrefixLM          bool
	Attn              AttnConfig
	FFN               FFNConfig
	Blocks            []BlockConfig // by layer
	Unknown           []string      // fields of attn_config and ffn_config that this package does not know

	// Whether vocab_size, no_bias and attention_bias are given: defaults differ between
	// the programs that write these files, so the tensors count where they are not.
	ExplicitVocab, ExplicitBias, ExplicitAttentionBias bool
}

// AttnConfig is the attn_config of a [Config].
type AttnConfig struct {
	Type         string
	KVHeads      int // resolved: NHeads, 1 or kv_n_heads
	QKLN, QKGN   bool
	NormType     string // of these two: they do not inherit the model's
	NormEps      float64
	FusedQKV     bool
	ClipQKV      float64
	SoftmaxScale float64 // resolved: 1/sqrt(DModel/NHeads) if not given
	LogitSoftcap float64
	ALiBi        bool
	ALiBiBiasMax float64
	RoPE         bool
	Rotary       RotaryConfig
	KVDim        int
	All          BlockConfig // what layers have that have nothing else
	ReuseKV      bool        // reuse of keys and values, or NoPE, for all layers: no model can be so
}

// RotaryConfig are the fields that say what rotary positions are like.
type RotaryConfig struct {
	Impl            string // "dail" or "hf"
	Theta           float64
	Type            string // of dail: "original" or "xpos"; of hf: "no_scaling", "linear", "dynamic", "llama3"
	Dim             int    // resolved: how many components of a head are turned
	Factor          float64
	Low, High       float64 // of llama3, and
	OriginalContext int     // the context before it was extended; of others, max_seq_len
}

// BlockConfig are the fields that block_overrides may give a layer of its own.
type BlockConfig struct {
	SlidingWindow    int  // keys before the query that it sees; -1 for all
	KVSource         int  // the layer, counted from 0, whose keys and values are used
	ReuseX           bool // reuse_kv_x_layer_idx is set
	NoPE             bool
	TemperatureScale float64
	TemperatureFloor float64
}

// FFNConfig is the ffn_config of a [Config].
type FFNConfig struct {
	Type       string
	HiddenSize int    // resolved: DModel times ExpansionRatio if not given
	Activation string // "gelu" is the exact one, "gelu_tanh" its approximation
}

// ParseConfig reads a config.json. It refuses what is not an MPT configuration and
// what contradicts itself; features that are merely not supported are left to
// [Config.Unsupported].
func ParseConfig(b []byte) (*Config, error) {
	f, err := parseFields(b)
	if err != nil {
		return nil, fmt.Errorf("checkpoint: config.json: %w", err)
	}
	c := &Config{
		ModelType: f.string("model_type", ""),
		Native:    f.has("layer_norm_epsilon") || f.has("initializer_range"),
	}
	f.read("architectures", "a list of strings", &c.Architectures)
	c.Native = c.Native || slices.Contains(c.Architectures, "MptForCausalLM")
	if err := *f.err; err != nil {
		return nil, fmt.Errorf("checkpoint: config.json: %w", err)
	}
	if err := c.checkModelType(); err != nil {
		return nil, fmt.Errorf("checkpoint: config.json: %w", err)
	}
	if c.old() {
		f.modernise()
	}
	c.readModel(f)
	c.readAttn(f.object("attn_config"))
	c.readFFN(f.object("ffn_config"))
	if err = *f.err; err == nil {
		err = c.check()
	}
	if err != nil {
		return nil, fmt.Errorf("checkpoint: config.json: %w", err)
	}
	c.resolve()
	if err := c.readBlocks(f); err != nil {
		return nil, fmt.Errorf("checkpoint: config.json: %w", err)
	}
	return c, nil
}

func (c *Config) readModel(f *fields) {
	c.DModel = f.int("d_model", 2048)
	c.NHeads = f.int("n_heads", 16)
	c.NLayers = f.int("n_layers", 24)
	c.HeadDim = f.int("head_dim", 0)
	c.ExpansionRatio = f.float("expansion_ratio", 4)
	c.MaxSeqLen = f.int("max_seq_len", 2048)
	c.VocabSize = f.int("vocab_size", 50368)
	c.ExplicitVocab = f.has("vocab_size")
	c.LearnedPosEmb = f.bool("learned_pos_emb", true)
	c.LogitScale = c.readLogitScale(f)
	c.ExplicitBias = f.has("no_bias")
	c.NoBias = f.bool("no_bias", c.Native)
	c.ExplicitAttentionBias = f.has("attention_bias")
	c.AttentionBias = f.bool("attention_bias", !c.NoBias)
	c.EmbeddingFraction = f.float("embedding_fraction", 1)
	c.NormType = strings.ToLower(f.string("norm_type", "low_precision_layernorm"))
	c.NormEps = f.float("norm_eps", f.float("layer_norm_epsilon", 1e-5))
	c.TieWordEmbeddings = f.bool("tie_word_embeddings", true)
	c.FinalLogitSoftcap = f.float("final_logit_softcapping", 0)
	c.PrefixLM = f.bool("prefix_lm", false)
}

// readLogitScale reads a number or the one name that stands for a number.
func (c *Config) readLogitScale(f *fields) float64 {
	raw, ok := f.take("logit_scale")
	if !ok {
		return 1
	}
	if raw[0] != '"' {
		return f.float("logit_scale", 1)
	}
	if name := f.string("logit_scale", ""); name != "inv_sqrt_d_model" {
		f.fail("logit_scale", "unknown name %q", name)
	}
	return 1 / math.Sqrt(float64(c.DModel))
}

func (c *Config) readAttn(f *fields) {
	a := &c.Attn
	a.Type = f.string("attn_type", "multihead_attention")
	a.KVHeads = f.int("kv_n_heads", 0)
	a.QKLN = f.bool("qk_ln", false)
	a.QKGN = f.bool("qk_gn", false)
	a.FusedQKV = f.bool("fused_qkv", true)
	a.ClipQKV = f.optional("clip_qkv")
	a.SoftmaxScale = f.float("softmax_scale", math.NaN())
	a.LogitSoftcap = f.float("attn_logit_softcapping", 0)
	a.ALiBi = f.bool("alibi", c.Native)
	a.ALiBiBiasMax = f.float("alibi_bias_max", 8)
	a.RoPE = f.bool("rope", false)
	a.NormType = strings.ToLower(f.string("norm_type", "low_precision_layernorm"))
	a.NormEps = f.float("norm_eps", 1e-5)
	a.KVDim = f.int("kv_dim", 0)
	a.All = BlockConfig{SlidingWindow: -1, TemperatureFloor: 8192}.override(f)
	a.ReuseKV = f.has("reuse_kv_layer_idx") || f.has("reuse_kv_x_layer_idx")
	c.PrefixLM = c.PrefixLM || f.bool("prefix_lm", false)
	c.readRotary(f)
	c.noteUnknown(f, "attn_impl", "attn_pdrop", "attn_uses_sequence_id")
}

func (c *Config) readRotary(f *fields) {
	r := &c.Attn.Rotary
	r.Impl = f.string("rope_impl", "dail")
	r.Theta = f.float("rope_theta", 10000)
	dail, hf := f.object("rope_dail_config"), f.object("rope_hf_config")
	if r.Impl == "dail" {
		r.Type = dail.string("type", "original")
		c.noteUnknown(dail, "pos_idx_in_fp32", "xpos_scale_base")
		return
	}
	r.Type = hf.string("type", "no_scaling")
	r.Factor = hf.float("factor", 1)
	r.Low = hf.float("low_freq_factor", 1)
	r.High = hf.float("high_freq_factor", 4)
	r.OriginalContext = hf.int("original_max_position_embeddings", 0)
	c.noteUnknown(hf)
}

func (c *Config) readFFN(f *fields) {
	c.FFN.Type = f.string("ffn_type", "mptmlp")
	c.FFN.HiddenSize = f.int("ffn_hidden_size", 0)
	act := f.object("ffn_act_fn")
	c.FFN.Activation = act.string("name", "gelu")
	if how := act.string("approximate", "none"); how != "none" {
		c.FFN.Activation += "_" + how
	}
	for _, key := range act.unknown() {
		c.FFN.Activation += " with " + strings.TrimPrefix(key, act.where)
	}
	c.noteUnknown(f, "fc_type", "return_bias")
}

// noteUnknown records the fields that were neither read nor are known to have no
// effect of their own. Native files are exempt: they carry dozens of fields of an
// unrelated class.
func (c *Config) noteUnknown(f *fields, noEffect ...string) {
	for _, key := range noEffect {
		f.used[key] = true
	}
	if !c.Native {
		c.Unknown = append(c.Unknown, f.unknown()...)
	}
}

// resolve replaces what is derived when not given. It follows check, which makes
// the divisions safe.
func (c *Config) resolve() {
	a := &c.Attn
	if math.IsNaN(a.SoftmaxScale) {
		a.SoftmaxScale = 1 / math.Sqrt(float64(c.DModel/c.NHeads))
	}
	switch a.Type {
	case "multihead_attention":
		a.KVHeads = c.NHeads
	case "multiquery_attention":
		a.KVHeads = 1
	}
	if c.FFN.HiddenSize == 0 {
		c.FFN.HiddenSize = int(float64(c.DModel) * c.ExpansionRatio)
	}
	a.Rotary.Dim = c.DModel / c.NHeads
	if c.HeadDim == 0 {
		c.HeadDim = c.DModel / c.NHeads
	}
	if a.Rotary.Impl == "hf" {
		a.Rotary.Dim = c.HeadDim
	}
	if a.Rotary.OriginalContext == 0 || a.Rotary.Type != "llama3" {
		a.Rotary.OriginalContext = c.MaxSeqLen
	}
	if a.ALiBi || a.RoPE {
		c.LearnedPosEmb = false
	}
}
