package lora

import (
	"fmt"
	"regexp"
	"strings"
)

// linears are the modules of a block that have a matrix, by their names in a model
// file.
var linears = map[string]string{
	"attn.Wqkv":     "attn_qkv",
	"attn.Wq":       "attn_q",
	"attn.Wk":       "attn_k",
	"attn.Wv":       "attn_v",
	"attn.out_proj": "attn_output",
	"ffn.up_proj":   "ffn_up",
	"ffn.gate_proj": "ffn_gate",
	"ffn.down_proj": "ffn_down",
}

// norms are the other modules of a block with weights.
var norms = map[string]string{
	"norm_1":    "attn_norm",
	"norm_2":    "ffn_norm",
	"attn.q_ln": "attn_q_norm",
	"attn.k_ln": "attn_k_norm",
}

// outside are the modules outside of blocks.
var outside = map[string]string{
	"wte":     "token_embd",
	"wpe":     "position_embd",
	"lm_head": "output",
	"norm_f":  "output_norm",
}

var inBlock = regexp.MustCompile(`^blocks\.(0|[1-9][0-9]{0,3})\.(.+)$`)

// matrixOf returns the name that the matrix of a module, such as "blocks.0.attn.Wqkv",
// has in a model file.
func matrixOf(module string) (string, error) {
	switch module {
	case "wte", "lm_head":
		return outside[module] + ".weight", nil
	}
	if m := inBlock.FindStringSubmatch(module); m != nil && linears[m[2]] != "" {
		return fmt.Sprintf("blk.%s.%s.weight", m[1], linears[m[2]]), nil
	}
	return "", malformed("module %q is not one of an MPT model that an adapter can change", module)
}

// tensorOf returns the name that a tensor of a model, such as "norm_f.weight", has in
// a model file.
func tensorOf(name string) (string, bool) {
	at := strings.LastIndexByte(name, '.')
	if at < 0 {
		return "", false
	}
	module, last := name[:at], name[at:]
	if last != ".weight" && last != ".bias" {
		return "", false
	}
	if to := outside[module]; to != "" {
		return to + last, true
	}
	m := inBlock.FindStringSubmatch(module)
	if m == nil {
		return "", false
	}
	to := linears[m[2]] + norms[m[2]] // it is in one of the two
	return "blk." + m[1] + "." + to + last, to != ""
}
