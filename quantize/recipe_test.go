package quantize

import (
	"strings"
	"testing"

	"mptgo/gguf"
)

func TestParseRecipe(t *testing.T) {
	for _, want := range Recipes() {
		for _, name := range []string{want.Name, strings.ToLower(want.Name)} {
			if got, err := ParseRecipe(name); err != nil || got != want {
				t.Errorf("%q: got %v, %v", name, got, err)
			}
		}
		if f, ok := Lookup(want.Base); !ok || f.Encode == nil {
			t.Errorf("%s: %v cannot be written", want.Name, want.Base)
		}
	}
	_, err := ParseRecipe("Q4")
	for _, part := range []string{`"Q4"`, "F16, ", "Q4_0"} {
		if err == nil || !strings.Contains(err.Error(), part) {
			t.Errorf("got %v, want %q in it", err, part)
		}
	}
}

func TestRecipeTensorType(t *testing.T) {
	square, tied := []int{256, 256}, ModelInfo{Blocks: 24, Tied: true}
	untied, imatrix := ModelInfo{Blocks: 24}, ModelInfo{Blocks: 24, Imatrix: true}
	for _, c := range []struct {
		recipe, name string
		ne           []int
		src          gguf.Type
		m            ModelInfo
		want         gguf.Type
	}{
		// Vectors and what counts as one.
		{"Q4_0", "blk.3.attn_norm.weight", []int{256}, gguf.BF16, tied, gguf.F32},
		{"Q4_0", "blk.3.attn_norm.weight", []int{256, 2}, gguf.BF16, tied, gguf.F32},
		{"Q4_0", "blk.3.attn_qkv.bias", []int{768}, gguf.F16, tied, gguf.F32},
		{"Q4_0", "blk.3.ffn.act.scales", []int{1024}, gguf.F16, tied, gguf.F32},
		{"F16", "position_embd.weight", square, gguf.F16, tied, gguf.F32},
		{"F16", "blk.3.attn_output.weight", []int{256, 1, 1}, gguf.BF16, tied, gguf.F32},
		{"F16", "blk.3.attn_output.weight", []int{256, 1, 2}, gguf.BF16, tied, gguf.F16},
		{"F16", "some.matrix", square, gguf.BF16, tied, gguf.BF16},
		// Float recipes make no exceptions.
		{"F32", "token_embd.weight", square, gguf.BF16, tied, gguf.F32},
		{"F16", "token_embd.weight", square, gguf.BF16, tied, gguf.F16},
		{"BF16", "output.weight", []int{7, 7}, gguf.F32, untied, gguf.BF16},
		// The matrix that makes the logits.
		{"Q4_0", "token_embd.weight", square, gguf.BF16, tied, gguf.Q6_K},
		{"Q4_0", "token_embd.weight", square, gguf.BF16, untied, gguf.Q4_0},
		{"Q4_0", "output.weight", square, gguf.BF16, untied, gguf.Q6_K},
		{"Q4_1", "output.weight", square, gguf.BF16, untied, gguf.Q6_K},
		{"Q5_0", "output.weight", square, gguf.BF16, untied, gguf.Q6_K},
		{"Q5_1", "output.weight", square, gguf.BF16, untied, gguf.Q6_K},
		{"Q8_0", "output.weight", square, gguf.BF16, untied, gguf.Q8_0},
		{"Q6_K", "token_embd.weight", square, gguf.BF16, tied, gguf.Q6_K},
		// The rest, and the blocks that an importance matrix favours.
		{"Q4_0", "blk.3.attn_qkv.weight", square, gguf.BF16, tied, gguf.Q4_0},
		{"Q5_1", "blk.3.ffn_up.weight", square, gguf.BF16, tied, gguf.Q5_1},
		{"Q4_0", "blk.2.ffn_down.weight", square, gguf.BF16, imatrix, gguf.Q4_1},
		{"Q5_0", "blk.2.ffn_down.weight", square, gguf.BF16, imatrix, gguf.Q5_1},
		{"Q4_0", "blk.3.ffn_down.weight", square, gguf.BF16, imatrix, gguf.Q4_0},
		{"Q4_0", "blk.2.ffn_up.weight", square, gguf.BF16, imatrix, gguf.Q4_0},
		{"Q4_0", "blk.2.ffn_down.weight", square, gguf.BF16, untied, gguf.Q4_0},
		{"Q8_0", "blk.2.ffn_down.weight", square, gguf.BF16, imatrix, gguf.Q8_0},
	} {
		r, err := ParseRecipe(c.recipe)
		if err != nil {
			t.Fatal(err)
		}
		got, note := r.TensorType(c.name, c.ne, c.src, c.m)
		if got != c.want || note != "" {
			t.Errorf("%s: %s %v: got %v %q, want %v", c.recipe, c.name, c.ne, got, note, c.want)
		}
	}
}

func TestRecipeFallback(t *testing.T) {
	for _, c := range []struct {
		recipe, name string
		ne0          int
		want         gguf.Type
		note         string
	}{
		{"Q4_0", "output.weight", 96, gguf.Q8_0, "output.weight: rows of 96 values do not divide into Q6_K blocks of 256: Q8_0 instead"},
		{"Q4_0", "output.weight", 80, gguf.F16, "output.weight: rows of 80 values do not divide into Q6_K blocks of 256: F16 instead"},
		{"Q8_0", "output.weight", 80, gguf.F16, "Q8_0 blocks of 32: F16 instead"},
		{"Q4_0", "blk.0.ffn_up.weight", 80, gguf.F16, "Q4_0 blocks of 32: F16 instead"},
		{"Q6_K", "blk.0.ffn_up.weight", 96, gguf.Q8_0, "Q6_K blocks of 256: Q8_0 instead"},
		{"Q6_K", "blk.0.ffn_up.weight", 100, gguf.F16, "Q6_K blocks of 256: F16 instead"},
		{"Q6_K", "blk.0.ffn_up.weight", 512, gguf.Q6_K, ""},
	} {
		r, err := ParseRecipe(c.recipe)
		if err != nil {
			t.Fatal(err)
		}
		got, note := r.TensorType(c.name, []int{c.ne0, 64}, gguf.BF16, ModelInfo{Blocks: 2})
		if got != c.want || !strings.HasSuffix(note, c.note) || (note == "") != (c.note == "") {
			t.Errorf("%s: %s of %d: got %v %q, want %v %q", c.recipe, c.name, c.ne0, got, note, c.want, c.note)
		}
	}
}
