package recipes

import (
	"strings"
	"testing"

	"mptgo/gguf"
	"mptgo/quantize"
)

func TestParse(t *testing.T) {
	for _, want := range All() {
		for _, name := range []string{want.Name, strings.ToLower(want.Name)} {
			if got, err := Parse(name); err != nil || got != want {
				t.Errorf("%q: got %v, %v", name, got, err)
			}
		}
		if f, ok := quantize.Lookup(want.Base); !ok || f.Encode == nil {
			t.Errorf("%s: %v cannot be written", want.Name, want.Base)
		}
	}
	for name, want := range map[string]string{"Q4_K": "Q4_K_M", "q5_k": "Q5_K_M", "Q3_K": "Q3_K_M", "7": "Q8_0", "0": "F32", "15": "Q4_K_M", "37": "TQ2_0"} {
		if got, err := Parse(name); err != nil || got.Name != want {
			t.Errorf("%q: got %v, %v, want %s", name, got, err, want)
		}
	}
	for _, name := range []string{"", "-7", "7.0", "4", "99", "Q6_K_M", "Q4_K_"} {
		if got, err := Parse(name); err == nil {
			t.Errorf("%q: got %v", name, got)
		}
	}
	_, err := Parse("Q4")
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
		r, err := Parse(c.recipe)
		if err != nil {
			t.Fatal(err)
		}
		got, note := r.TensorType(c.name, c.ne, c.src, c.m)
		if got != c.want || note != "" {
			t.Errorf("%s: %s %v: got %v %q, want %v", c.recipe, c.name, c.ne, got, note, c.want)
		}
	}
}

// TestMixes holds the types of all matrices of a model of 24 blocks, tied or not,
// against what llama-quantize made of one in February 2025. In a row stand the
// types of attn_qkv, attn_output, ffn_up, ffn_down, the output matrix and the
// embedding; ffn_down is that of the blocks 0, 1, 4, 5 and 21.
func TestMixes(t *testing.T) {
	for _, c := range []struct {
		recipe  string
		imatrix bool
		want    string
	}{
		{"Q2_K", false, "Q2_K Q3_K Q2_K Q3_K Q3_K Q3_K Q3_K Q3_K Q6_K Q2_K"},
		{"Q2_K_S", true, "Q2_K Q2_K Q2_K Q4_K Q4_K Q2_K Q2_K Q2_K Q6_K Q2_K"},
		{"Q3_K_S", false, "Q3_K Q3_K Q3_K Q3_K Q3_K Q3_K Q3_K Q3_K Q6_K Q3_K"},
		{"Q3_K_M", false, "Q4_K Q4_K Q3_K Q5_K Q4_K Q4_K Q4_K Q4_K Q6_K Q3_K"},
		{"Q3_K_L", false, "Q4_K Q5_K Q3_K Q5_K Q5_K Q5_K Q5_K Q5_K Q6_K Q3_K"},
		{"Q4_K_S", false, "Q4_K Q4_K Q4_K Q5_K Q5_K Q4_K Q4_K Q4_K Q6_K Q4_K"},
		{"Q4_K_M", false, "Q5_K Q4_K Q4_K Q6_K Q6_K Q4_K Q6_K Q6_K Q6_K Q4_K"},
		{"Q5_K_S", false, "Q5_K Q5_K Q5_K Q5_K Q5_K Q5_K Q5_K Q5_K Q6_K Q5_K"},
		{"Q5_K_M", false, "Q6_K Q5_K Q5_K Q6_K Q6_K Q5_K Q6_K Q6_K Q6_K Q5_K"},
		{"Q6_K", false, "Q6_K Q6_K Q6_K Q6_K Q6_K Q6_K Q6_K Q6_K Q6_K Q6_K"},
		{"IQ4_NL", false, "IQ4_NL IQ4_NL IQ4_NL Q5_K Q5_K IQ4_NL IQ4_NL IQ4_NL Q6_K IQ4_NL"},
		{"IQ4_NL", true, "IQ4_NL IQ4_NL IQ4_NL IQ4_NL IQ4_NL IQ4_NL IQ4_NL IQ4_NL Q6_K IQ4_NL"},
		{"IQ4_XS", false, "IQ4_XS IQ4_XS IQ4_XS Q5_K Q5_K IQ4_XS IQ4_XS IQ4_XS Q6_K IQ4_XS"},
		{"IQ4_XS", true, "IQ4_XS IQ4_XS IQ4_XS IQ4_XS IQ4_XS IQ4_XS IQ4_XS IQ4_XS Q6_K IQ4_XS"},
		{"IQ3_XXS", false, "IQ3_XXS IQ3_S IQ3_XXS Q4_K Q4_K Q3_K Q3_K Q3_K Q5_K IQ3_S"},
		{"IQ3_XXS", true, "IQ3_XXS IQ3_S IQ3_XXS IQ3_XXS IQ3_XXS IQ3_XXS IQ3_XXS IQ3_XXS Q5_K IQ3_S"},
		{"IQ3_XS", false, "IQ3_S IQ3_S IQ3_XXS IQ3_S IQ3_S IQ3_S IQ3_S IQ3_S Q6_K IQ3_S"},
		{"IQ3_S", false, "IQ3_S IQ3_S IQ3_S IQ3_S IQ3_S IQ3_S IQ3_S IQ3_S Q6_K IQ3_S"},
		{"IQ3_M", false, "Q4_K Q4_K IQ3_S Q4_K Q4_K IQ3_S IQ3_S IQ3_S Q6_K IQ3_S"},
		{"IQ2_M", true, "IQ2_S IQ3_S IQ2_S IQ3_S IQ3_S IQ2_S IQ2_S IQ2_S Q5_K IQ3_S"},
		{"TQ1_0", false, "TQ1_0 TQ1_0 TQ1_0 TQ1_0 TQ1_0 TQ1_0 TQ1_0 TQ1_0 Q6_K Q4_K"},
		{"TQ2_0", false, "TQ2_0 TQ2_0 TQ2_0 TQ2_0 TQ2_0 TQ2_0 TQ2_0 TQ2_0 Q6_K Q4_K"},
		{"Q5_0", true, "Q5_0 Q5_0 Q5_0 Q5_1 Q5_1 Q5_0 Q5_0 Q5_0 Q6_K Q5_0"},
	} {
		r, err := Parse(c.recipe)
		if err != nil {
			t.Fatal(err)
		}
		m := ModelInfo{Blocks: 24, Imatrix: c.imatrix}
		var got []string
		typ := func(name string, m ModelInfo) {
			x, _ := r.TensorType(name, []int{256, 256}, gguf.F16, m)
			got = append(got, x.String())
		}
		for _, part := range []string{"5.attn_qkv", "5.attn_output", "5.ffn_up", "0.ffn_down", "1.ffn_down", "4.ffn_down", "5.ffn_down", "21.ffn_down"} {
			typ("blk."+part+".weight", m)
		}
		typ("output.weight", m)
		typ("token_embd.weight", m)
		if s := strings.Join(got, " "); s != c.want {
			t.Errorf("%s, imatrix %v:\n got %s\nwant %s", c.recipe, c.imatrix, s, c.want)
		}
		m.Tied, got = true, got[:8]
		typ("token_embd.weight", m)
		if got[8] != strings.Fields(c.want)[8] {
			t.Errorf("%s: tied: got %s", c.recipe, got[8])
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
		{"Q2_K", "blk.0.ffn_up.weight", 96, gguf.IQ4_NL, "Q2_K blocks of 256: IQ4_NL instead"},
		{"Q3_K_S", "blk.0.ffn_up.weight", 96, gguf.IQ4_NL, "Q3_K blocks of 256: IQ4_NL instead"},
		{"IQ3_S", "blk.0.ffn_up.weight", 96, gguf.IQ4_NL, "IQ3_S blocks of 256: IQ4_NL instead"},
		{"IQ3_XXS", "blk.0.ffn_up.weight", 96, gguf.IQ4_NL, "IQ3_XXS blocks of 256: IQ4_NL instead"},
		{"IQ2_M", "blk.0.ffn_up.weight", 96, gguf.IQ4_NL, "IQ2_S blocks of 256: IQ4_NL instead"},
		{"IQ4_XS", "blk.0.ffn_up.weight", 96, gguf.IQ4_NL, "IQ4_XS blocks of 256: IQ4_NL instead"},
		{"Q4_K_M", "blk.0.ffn_up.weight", 96, gguf.Q5_0, "Q4_K blocks of 256: Q5_0 instead"},
		{"Q4_K_M", "blk.0.attn_qkv.weight", 96, gguf.Q5_1, "Q5_K blocks of 256: Q5_1 instead"},
		{"Q4_K_M", "blk.1.ffn_down.weight", 96, gguf.Q8_0, "Q6_K blocks of 256: Q8_0 instead"},
		{"Q4_K_M", "blk.0.ffn_up.weight", 100, gguf.F16, "Q4_K blocks of 256: F16 instead"},
		{"TQ1_0", "blk.0.ffn_up.weight", 96, gguf.Q4_0, "TQ1_0 blocks of 256: Q4_0 instead"},
		{"TQ2_0", "token_embd.weight", 96, gguf.Q5_0, "Q4_K blocks of 256: Q5_0 instead"},
		{"IQ3_XXS", "output.weight", 96, gguf.Q8_0, "Q5_K blocks of 256: Q8_0 instead"},
		{"IQ4_NL", "blk.0.ffn_up.weight", 80, gguf.F16, "IQ4_NL blocks of 32: F16 instead"},
	} {
		r, err := Parse(c.recipe)
		if err != nil {
			t.Fatal(err)
		}
		got, note := r.TensorType(c.name, []int{c.ne0, 64}, gguf.BF16, ModelInfo{Blocks: 2})
		if got != c.want || !strings.HasSuffix(note, c.note) || (note == "") != (c.note == "") {
			t.Errorf("%s: %s of %d: got %v %q, want %v %q", c.recipe, c.name, c.ne0, got, note, c.want, c.note)
		}
	}
}

// TestRecipeSearch: the simple types have ggml's bytes unless something else is
// asked for.
func TestRecipeSearch(t *testing.T) {
	for name, want := range map[string]quantize.Search{"Q4_0": quantize.SearchReference, "Q5_1": quantize.SearchReference, "Q8_0": quantize.SearchReference, "Q4_K_M": quantize.SearchBetter, "IQ4_XS": quantize.SearchBetter} {
		r, err := Parse(name)
		if err != nil {
			t.Fatal(err)
		}
		if got := r.Search(quantize.SearchAuto); got != want {
			t.Errorf("%s: %v, want %v", name, got, want)
		}
		if r.Search(quantize.SearchReference) != quantize.SearchReference || r.Search(quantize.SearchBetter) != quantize.SearchBetter {
			t.Errorf("%s: a choice is not respected", name)
		}
	}
}
