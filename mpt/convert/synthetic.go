package convert

import (
	"context"
	"fmt"

	"mptgo/gguf"
	"mptgo/mpt/checkpoint"
	"mptgo/mpt/tokenizer"
	"mptgo/quantize/recipes"
)

// Synthetic makes the file dst: an MPT model of the given shape with random weights
// and an artificial vocabulary, which runs as fast as a trained model of that shape
// and takes as much memory, but writes nonsense. Other programs that run MPT models
// load it as well.
//
// Its weights are bfloat16 values from normal distributions, as those of a new model
// before training: the standard deviation is 0.02, in the matrices that write to the
// residual stream divided by the root of twice the number of layers, so that logits
// are of order 1. They depend on seed alone. The vocabulary is laid out as that of
// GPT-NeoX-20B, padded to the 50432 rows of MosaicML's embeddings.
//
// Options mean what they mean for [Convert], and failure leaves as little behind;
// AllowRequantize has no effect.
func Synthetic(ctx context.Context, shape Shape, seed uint64, dst string, opt Options) (*Summary, error) {
	recipe, err := recipes.Parse(opt.Type)
	if err != nil {
		return nil, fmt.Errorf("convert: %w", err)
	}
	opt = opt.withDefaults(recipe)
	p, err := planSynthetic(shape, seed, recipe, opt)
	if err != nil {
		return nil, fmt.Errorf("convert: %w", err)
	}
	s, err := p.write(ctx, dst, opt)
	if err != nil {
		return nil, fmt.Errorf("convert: %w", err)
	}
	return s, nil
}

func planSynthetic(shape Shape, seed uint64, recipe recipes.Recipe, opt Options) (*plan, error) {
	cfg, err := shape.config()
	if err != nil {
		return nil, err
	}
	vocab := syntheticVocab()
	if err := vocab.Pad(syntheticRows); err != nil {
		return nil, err
	}
	if _, err := tokenizer.New(vocab); err != nil {
		return nil, err
	}
	m := &model{cfg: cfg, logf: opt.Logf, vocab: syntheticRows, scales: newScales(cfg)}
	m.draw(newNoise(seed, cfg.NLayers))
	p := &plan{tensors: m.out}
	if err := p.assign(recipe, cfg.NLayers, opt); err != nil {
		return nil, err
	}
	p.meta = append(m.metadata(title{name: "synthetic " + shape.Name}, recipe, p.quantized()), vocab.Meta()...)
	return p, nil
}

// draw adds all tensors of the model, as collect does those of a checkpoint.
func (m *model) draw(n *noise) {
	d, f := m.cfg.DModel, m.cfg.FFN.HiddenSize
	matrix := func(name string, rows, cols int, values *quantiles) {
		m.add(name, gguf.BF16, []int{cols, rows}, n.source(name, rows, cols, values).whole())
	}
	norm := func(name string) {
		m.add(name, gguf.BF16, []int{d}, n.source(name, 1, d, n.norm).whole())
	}
	matrix("token_embd.weight", m.vocab, d, n.weight)
	for i := range m.cfg.NLayers {
		block := fmt.Sprintf("blk.%d.", i)
		norm(block + "attn_norm.weight")
		matrix(block+"attn_qkv.weight", 3*d, d, n.weight)
		matrix(block+"attn_output.weight", d, d, n.residual)
		norm(block + "ffn_norm.weight")
		matrix(block+"ffn_up.weight", f, d, n.weight)
		matrix(block+"ffn_down.weight", d, f, n.residual)
	}
	norm("output_norm.weight")
}

// config returns what the config.json of a MosaicML model of the shape says.
func (s Shape) config() (*checkpoint.Config, error) {
	if err := s.check(); err != nil {
		return nil, err
	}
	c, err := checkpoint.ParseConfig(fmt.Appendf(nil, `{"model_type": "mpt", "d_model": %d, "n_heads": %d, "n_layers": %d,
		"max_seq_len": %d, "vocab_size": %d, "no_bias": true, "attn_config": {"alibi": true}}`,
		s.DModel, s.Heads, s.Layers, s.Context, syntheticRows))
	if err != nil {
		return nil, err
	}
	return c, c.Validate()
}
