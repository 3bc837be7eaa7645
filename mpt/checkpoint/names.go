package checkpoint

import (
	"slices"
	"strings"
)

// prefixes are what stands before the names of a model's tensors: the attributes that
// hold the model in training code, in PEFT and in Composer, and in the classes around
// the bare model.
var prefixes = []string{"base_model", "model", "transformer"}

// wrappers are the parts that classes around a module put into the names of what is in
// it, wherever that is: DistributedDataParallel and DeepSpeed's engine (module), FSDP,
// activation checkpointing, torch.compile, Lightning's strategies, fairscale.
var wrappers = []string{
	"module", "_module", "_orig_mod", "_fsdp_wrapped_module", "_checkpoint_wrapped_module", "_forward_module", "_fpw_module", "_ddp_module",
}

// baseLayer is what PEFT puts before the weight of a module that has an adapter beside it.
const baseLayer = ".base_layer."

// renamed are the parts of names that changed in May 2023.
var renamed = strings.NewReplacer(
	".ln_1.", ".norm_1.",
	".ln_2.", ".norm_2.",
	".mlp.mlp_up.", ".ffn.up_proj.",
	".mlp.mlp_down.", ".ffn.down_proj.",
	".norm_attn_norm.", ".",
)

// Unwrapped returns a name without the parts that wrappers of modules put into it.
func Unwrapped(name string) string {
	if !strings.Contains(name, "mod") { // as all of them do
		return name
	}
	parts := strings.Split(name, ".")
	parts = slices.DeleteFunc(parts, func(p string) bool { return slices.Contains(wrappers, p) })
	return strings.Join(parts, ".")
}

// canonical returns the name of a tensor without wrappers and in today's
// spelling, such as "blocks.0.attn.Wqkv.weight", "wte.weight", "lm_head.weight".
func canonical(name string) string {
	name = Unwrapped(name)
	for {
		first, rest, ok := strings.Cut(name, ".")
		if !ok || !slices.Contains(prefixes, first) {
			break
		}
		name = rest
	}
	if rest, ok := strings.CutPrefix(name, "ln_f."); ok {
		name = "norm_f." + rest
	}
	for strings.Contains(name, baseLayer) { // more than one: an adapter beside an adapter
		name = strings.ReplaceAll(name, baseLayer, ".")
	}
	return renamed.Replace(name)
}

// isBuffer reports whether a tensor of this canonical name is derived from the
// configuration, or kept for training in eight bits or with averaged weights, and not
// part of the model.
func isBuffer(name string) bool {
	last := name[strings.LastIndexByte(name, '.')+1:]
	return last == "inv_freq" || last == "attn_bias" || last == "_extra_state" || name == "n_averaged"
}

// CanonicalName returns the name of a tensor without what wrappers put before it and
// in today's spelling, such as "blocks.0.attn.Wqkv.weight".
func CanonicalName(name string) string { return canonical(name) }
