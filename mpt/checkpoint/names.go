package checkpoint

import "strings"

// prefixes are what wrappers put before the names of a model's tensors: data
// parallel training, PEFT, Composer, and the classes around the bare model.
var prefixes = []string{"module.", "base_model.model.", "model.", "transformer."}

// renamed are the parts of names that changed in May 2023.
var renamed = strings.NewReplacer(
	".ln_1.", ".norm_1.",
	".ln_2.", ".norm_2.",
	".mlp.mlp_up.", ".ffn.up_proj.",
	".mlp.mlp_down.", ".ffn.down_proj.",
	".norm_attn_norm.", ".",
)

// canonical returns the name of a tensor without wrappers and in today's
// spelling, such as "blocks.0.attn.Wqkv.weight", "wte.weight", "lm_head.weight".
func canonical(name string) string {
	for i := 0; i < len(prefixes); i++ {
		if rest, ok := strings.CutPrefix(name, prefixes[i]); ok {
			name, i = rest, -1
		}
	}
	if rest, ok := strings.CutPrefix(name, "ln_f."); ok {
		return "norm_f." + rest
	}
	return renamed.Replace(name)
}

// isBuffer reports whether a tensor of this canonical name is derived from the
// configuration and not part of the model.
func isBuffer(name string) bool {
	last := name[strings.LastIndexByte(name, '.')+1:]
	return last == "inv_freq" || last == "attn_bias"
}

// CanonicalName returns the name of a tensor without what wrappers put before it and
// in today's spelling, such as "blocks.0.attn.Wqkv.weight".
func CanonicalName(name string) string { return canonical(name) }
