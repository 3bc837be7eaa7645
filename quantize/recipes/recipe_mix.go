package recipes

import "mptgo/gguf"

// An exception is a rule of a mix: a matrix of some blocks that has another type
// than the rest.
type exception struct {
	part   string
	blocks func(i, n int) bool // block i of n
	when   when
	typ    gguf.Type
}

// when says whether an exception depends on an importance matrix.
type when uint8

const (
	always when = iota
	withImatrix
	withoutImatrix
)

func (w when) holds(m ModelInfo) bool { return w == always || m.Imatrix == (w == withImatrix) }

// exceptions of each recipe; the first that fits counts.
var exceptions = map[string][]exception{
	"Q5_0":   {{"ffn_down", firstEighth, withImatrix, gguf.Q5_1}},
	"Q4_0":   {{"ffn_down", firstEighth, withImatrix, gguf.Q4_1}},
	"Q5_K_M": {{"attn_qkv", every, always, gguf.Q6_K}, {"ffn_down", outer, always, gguf.Q6_K}},
	"Q4_K_M": {{"attn_qkv", every, always, gguf.Q5_K}, {"ffn_down", outer, always, gguf.Q6_K}},
	"Q4_K_S": {{"ffn_down", firstEighth, always, gguf.Q5_K}},
	"IQ4_NL": {{"ffn_down", firstEighth, withoutImatrix, gguf.Q5_K}},
	"IQ4_XS": {{"ffn_down", firstEighth, withoutImatrix, gguf.Q5_K}},
	"Q3_K_L": {
		{"attn_qkv", every, always, gguf.Q4_K},
		{"attn_output", every, always, gguf.Q5_K},
		{"ffn_down", every, always, gguf.Q5_K},
	},
	"Q3_K_M": {
		{"attn_qkv", every, always, gguf.Q4_K},
		{"attn_output", every, always, gguf.Q4_K},
		{"ffn_down", firstSixteenth, always, gguf.Q5_K},
		{"ffn_down", every, always, gguf.Q4_K},
	},
	"IQ3_M": {
		{"attn_qkv", every, always, gguf.Q4_K},
		{"attn_output", every, always, gguf.Q4_K},
		{"ffn_down", firstEighth, always, gguf.Q4_K},
	},
	"IQ3_XS": {{"ffn_up", inner, always, gguf.IQ3_XXS}},
	"IQ3_XXS": {
		{"attn_output", every, always, gguf.IQ3_S},
		{"ffn_down", firstEighth, withoutImatrix, gguf.Q4_K},
		{"ffn_down", every, withoutImatrix, gguf.Q3_K},
	},
	"Q2_K":   {{"attn_output", every, always, gguf.Q3_K}, {"ffn_down", every, always, gguf.Q3_K}},
	"Q2_K_S": {{"ffn_down", firstEighth, always, gguf.Q4_K}},
	"IQ2_M":  {{"attn_output", every, always, gguf.IQ3_S}, {"ffn_down", firstEighth, always, gguf.IQ3_S}},
}

func every(int, int) bool          { return true }
func firstEighth(i, n int) bool    { return i < n/8 }
func firstSixteenth(i, n int) bool { return i < n/16 }
func inner(i, n int) bool          { return i >= n/8 && i < 7*n/8 }

// outer holds for the first and the last eighth of the blocks and every third
// one between them.
func outer(i, n int) bool { return !inner(i, n) || (i-n/8)%3 == 2 }
