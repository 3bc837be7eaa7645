package convert

import (
	"context"
	"fmt"
	"math"
	"path/filepath"
	"slices"
	"testing"

	"mptgo/gguf"
	"mptgo/internal/check"
	"mptgo/quantize"
	"mptgo/quantize/imatrix"
	"mptgo/quantize/recipes"
)

// TestMixesOfStories converts rows of a trained model by mixes that hold all types with
// blocks of 256 between them, and bounds the error of every matrix by its type.
func TestMixesOfStories(t *testing.T) {
	if testing.Short() {
		t.Skip("takes seconds")
	}
	// Root mean square of the error over that of the values: about twice what
	// codes of that many bits leave of normal values.
	bound := map[gguf.Type]float64{
		gguf.Q6_K: 0.03, gguf.Q5_K: 0.06, gguf.Q4_K: 0.12, gguf.Q3_K: 0.25, gguf.Q2_K: 0.5,
		gguf.IQ4_NL: 0.12, gguf.IQ4_XS: 0.12, gguf.IQ3_S: 0.25, gguf.IQ3_XXS: 0.35, gguf.IQ2_S: 0.5,
		gguf.TQ1_0: 1, gguf.TQ2_0: 1, gguf.F32: 0,
	}
	dir := check.Shared(t, "models", "mpt-stories")
	ck := openCase(t, dir)
	seen := map[gguf.Type]bool{}
	for _, name := range []string{"Q6_K", "Q4_K_M", "Q2_K", "IQ4_XS", "IQ4_NL", "IQ3_XS", "IQ2_M", "TQ1_0", "TQ2_0"} {
		f := convertOne(t, dir, name)
		for _, n := range sourceNames(ck.Config.NLayers) {
			if blockOf(n[0]) != 1 {
				continue
			}
			x := mustTensor(t, f, n[0])
			seen[x.Type] = true
			got, want := make([]float32, x.Rows()*x.Shape[0]), sourceFloats(t, ck, n[1])
			if err := quantize.DecodeRow(x.Type, got, x.Data()); err != nil {
				t.Fatal(err)
			}
			if e := relativeError(got, want[:len(got)]); !(e <= bound[x.Type]) {
				t.Errorf("%s: %s (%v): error %.3f, at most %v", name, x.Name, x.Type, e, bound[x.Type])
			}
		}
	}
	for typ := range bound {
		if !seen[typ] {
			t.Errorf("no mix holds %v", typ)
		}
	}
}

// someRows is how many rows of a matrix are converted: rows are encoded by themselves,
// and all of them take ten times as long to say the same.
const someRows = 32

// convertOne converts the beginnings of the matrices of block 1 of a checkpoint.
func convertOne(t *testing.T, dir, name string) *gguf.File {
	t.Helper()
	recipe, err := recipes.Parse(name)
	if err != nil {
		t.Fatal(err)
	}
	dst, opt := filepath.Join(t.TempDir(), "out.gguf"), Options{Type: name}.withDefaults(recipe)
	if recipe.NeedsImatrix("", recipe.Base) {
		opt.Imatrix = equalImatrix()
	}
	p, done, err := open(dir, dst, recipe, opt)
	if err != nil {
		t.Fatal(err)
	}
	defer done()
	p.tensors = slices.DeleteFunc(p.tensors, func(o output) bool { return blockOf(o.info.Name) != 1 })
	for _, o := range p.tensors {
		if len(o.info.Shape) == 2 {
			o.info.Shape[1], o.parts[0].rows = someRows, someRows
		}
	}
	if _, err := p.write(context.Background(), dst, opt); err != nil {
		t.Fatal(err)
	}
	return mustOpen(t, dst)
}

// equalImatrix is one of mpt-stories in which all columns count alike.
func equalImatrix() *imatrix.Matrix {
	m := imatrix.New(1)
	for i := range 8 {
		for part, n := range map[string]int{"attn_qkv": 512, "attn_output": 512, "ffn_up": 512, "ffn_down": 2048} {
			m.Entries[fmt.Sprintf("blk.%d.%s.weight", i, part)] = &imatrix.Entry{Sum2: slices.Repeat([]float64{1}, n), Rows: 1}
		}
	}
	return m
}

func relativeError(got, want []float32) float64 {
	var e, s float64
	for i, v := range want {
		d := float64(got[i]) - float64(v)
		e += d * d
		s += float64(v) * float64(v)
	}
	return math.Sqrt(e / s)
}
