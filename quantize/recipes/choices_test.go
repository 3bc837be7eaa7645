package recipes

import (
	"strings"
	"testing"

	"mptgo/gguf"
)

func TestChoices(t *testing.T) {
	choice := func(s string) Choice {
		c, err := ParseChoice(s)
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	q8, q5 := gguf.Q8_0, gguf.Q5_K
	square, tied, untied := []int{256, 256}, ModelInfo{Blocks: 24, Tied: true}, ModelInfo{Blocks: 24}
	recipe, err := Parse("Q4_K_M")
	if err != nil {
		t.Fatal(err)
	}
	for i, x := range []struct {
		c    Choices
		name string
		ne   []int
		m    ModelInfo
		want gguf.Type
	}{
		{Choices{}, "blk.3.attn_qkv.weight", square, tied, gguf.Q5_K},
		{Choices{Pure: true}, "blk.3.attn_qkv.weight", square, tied, gguf.Q4_K},
		{Choices{Pure: true}, "token_embd.weight", square, tied, gguf.Q4_K},
		{Choices{Pure: true}, "blk.3.attn_norm.weight", []int{256}, tied, gguf.F32},
		{Choices{Pure: true, Output: &q8}, "token_embd.weight", square, tied, gguf.Q8_0},
		{Choices{Output: &q8}, "token_embd.weight", square, untied, gguf.Q4_K},
		{Choices{Output: &q8}, "output.weight", square, untied, gguf.Q8_0},
		{Choices{Output: &q8, Embedding: &q5}, "token_embd.weight", square, tied, gguf.Q5_K},
		{Choices{Embedding: &q5}, "output.weight", square, untied, gguf.Q6_K},
		{Choices{Tensors: []Choice{choice("blk.3=q8_0"), choice("qkv=F16")}}, "blk.3.attn_qkv.weight", square, tied, gguf.Q8_0},
		{Choices{Tensors: []Choice{choice("blk.3=q8_0"), choice("qkv=F16")}}, "blk.4.attn_qkv.weight", square, tied, gguf.F16},
		{Choices{Tensors: []Choice{choice("^token=Q2_K")}, Embedding: &q5}, "token_embd.weight", square, tied, gguf.Q2_K},
		{Choices{Tensors: []Choice{choice("norm=Q2_K")}}, "blk.3.attn_norm.weight", []int{256}, tied, gguf.F32},
		{Choices{Tensors: []Choice{choice("qkv=Q6_K")}}, "blk.3.attn_qkv.weight", []int{32, 64}, tied, gguf.Q8_0},
	} {
		if got, _ := x.c.TensorType(recipe, x.name, x.ne, gguf.BF16, x.m); got != x.want {
			t.Errorf("%d: %s: %v, want %v", i, x.name, got, x.want)
		}
	}
	c := Choices{Tensors: []Choice{choice("a" + "b=F16"), choice("x=F16")}}
	if u, ok := c.Unused([]string{"ab"}); !ok || u.Name.String() != "x" {
		t.Errorf("unused %v, %v", u, ok)
	}
	if _, ok := c.Unused([]string{"ab", "x"}); ok {
		t.Error("all are used")
	}
}

func TestParseChoice(t *testing.T) {
	c, err := ParseChoice("a=b=q4_0")
	if err != nil || c.Name.String() != "a=b" || c.Type != gguf.Q4_0 {
		t.Errorf("%+v, %v", c, err)
	}
	for text, want := range map[string]string{
		"":            "want REGEX=TYPE",
		"=Q4_0":       "want REGEX=TYPE",
		"ffn":         "want REGEX=TYPE",
		"ffn=Q9":      `unknown tensor type "Q9"`,
		"(=Q4_0":      "missing closing )",
		"ffn=IQ2_XXS": "can be read but not written",
	} {
		if _, err := ParseChoice(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
}
