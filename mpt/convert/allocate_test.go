package convert

import (
	"context"
	"fmt"
	"math"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"mptgo/gguf"
	"mptgo/quantize"
	"mptgo/quantize/recipes"
)

func TestHull(t *testing.T) {
	o := func(bits, e float64) option { return option{gguf.Q8_0, bits, e} }
	got := hull([]option{o(8, 0.1), o(2, 10), o(3, 9), o(4, 2), o(4, 3), o(5, 2.5), o(6, 1)})
	want := []option{o(2, 10), o(4, 2), o(6, 1), o(8, 0.1)}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

// TestChoose compares the choice with the best of all, found by trying them.
func TestChoose(t *testing.T) {
	o := func(bits, e float64) option { return option{gguf.Q8_0, bits, e} }
	all := [][]option{{o(2, 10), o(4, 2), o(6, 1)}, nil, {o(2, 3), o(4, 1), o(6, 0.1)}}
	for _, c := range []struct {
		budget float64
		want   string
	}{{0, "[0 0 0]"}, {2, "[1 0 0]"}, {3, "[1 0 0]"}, {4, "[1 0 1]"}, {6, "[2 0 1]"}, {100, "[2 0 2]"}} {
		if got := fmt.Sprint(choose(all, c.budget)); got != c.want {
			t.Errorf("budget %v: %s, want %s", c.budget, got, c.want)
		}
	}
}

// TestTargetBPW: the files are as large as they were asked to be, the more bits the
// smaller the error, and choices are kept to.
func TestTargetBPW(t *testing.T) {
	src := caseDir("hf-tiny")
	f := mustConvert(t, src, Options{Type: "F32"})
	before := math.Inf(1)
	for _, target := range []float64{5.5, 6, 7, 8, 8.6} {
		var note string
		g := mustConvert(t, src, Options{TargetBPW: target, Logf: func(format string, args ...any) { note = fmt.Sprintf(format, args...) },
			Choices: recipes.Choices{Tensors: []recipes.Choice{mustChoice(t, "blk.0.attn_qkv=Q8_0")}}})
		var bits, values, e float64
		for _, x := range g.Tensors() {
			n := float64(x.Rows() * x.Shape[0])
			bits, values = bits+8*float64(x.Size()), values+n
			got, want := make([]float32, int(n)), make([]float32, int(n))
			if err := quantize.DecodeRow(x.Type, got, x.Data()); err != nil {
				t.Fatal(err)
			}
			y := mustTensor(t, f, x.Name)
			if err := quantize.DecodeRow(y.Type, want, y.Data()); err != nil {
				t.Fatal(err)
			}
			if blockOf(x.Name) >= 0 && len(x.Shape) > 1 {
				e += math.Pow(relativeError(got, want), 2)
			}
		}
		if bpw := bits / values; bpw > target || bpw < target-0.6 {
			t.Errorf("%v bits per weight became %v", target, bpw)
		}
		if !strings.Contains(note, fmt.Sprintf("%.3f bits per weight of a target of %g: ", bits/values, target)) {
			t.Errorf("note %q", note)
		}
		if e > before {
			t.Errorf("%v bits per weight: error %v, with fewer %v", target, e, before)
		}
		before = e
		if x := mustTensor(t, g, "blk.0.attn_qkv.weight"); x.Type != gguf.Q8_0 {
			t.Errorf("a chosen type became %v", x.Type)
		}
	}
}

func mustChoice(t *testing.T, text string) recipes.Choice {
	t.Helper()
	c, err := recipes.ParseChoice(text)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestChoicesRefused(t *testing.T) {
	for want, opt := range map[string]Options{
		"no tensor has a name that matches ffn_gate":             {Type: "Q4_0", Choices: recipes.Choices{Tensors: []recipes.Choice{mustChoice(t, "ffn_gate=Q8_0")}}},
		"a target of 2 bits per weight: the smallest types take": {TargetBPW: 2},
		"a target of -1 bits per weight":                         {TargetBPW: -1},
	} {
		_, err := Convert(context.Background(), caseDir("hf-tiny"), filepath.Join(t.TempDir(), "x.gguf"), opt)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
}

// TestAllocation: what errors cost decides, the file is no larger than the recipe's, and choices are kept to.
func TestAllocation(t *testing.T) {
	src := caseDir("hf-tiny")
	usual := mustConvert(t, src, Options{Type: "Q5_0"})
	costs := map[string][]float64{}
	for _, x := range usual.Tensors() {
		costs[x.Name] = slices.Repeat([]float64{1}, x.Shape[0])
	}
	costs["blk.1.ffn_up.weight"] = slices.Repeat([]float64{1e4}, len(costs["blk.1.ffn_up.weight"]))
	costs["blk.0.ffn_down.weight"] = make([]float64, len(costs["blk.0.ffn_down.weight"]))
	costs["blk.1.ffn_down.weight"] = make([]float64, len(costs["blk.1.ffn_down.weight"]))
	f := mustConvert(t, src, Options{
		Type: "Q5_0", Allocation: &Allocation{Costs: costs},
		Choices: recipes.Choices{Tensors: []recipes.Choice{mustChoice(t, "blk.0.attn_qkv=Q5_1")}},
	})
	for name, want := range map[string]gguf.Type{
		"blk.1.ffn_up.weight": gguf.Q8_0, "blk.0.ffn_down.weight": gguf.Q2_K, "blk.1.ffn_down.weight": gguf.Q2_K,
		"blk.0.attn_qkv.weight": gguf.Q5_1,
	} {
		if got := mustTensor(t, f, name).Type; got != want {
			t.Errorf("%s is %v, want %v", name, got, want)
		}
	}
	if f.Size() > usual.Size() {
		t.Errorf("%d bytes, of the recipe's types %d", f.Size(), usual.Size())
	}
}

// TestCostOf: the weights and the scale make of a share of error what the errors cost.
func TestCostOf(t *testing.T) {
	weights, scale := costOf([]float64{3, 1}, []float32{1, 2, 3, 4}) // two rows
	// All of both rows is error: 3·1²+1·2² and 3·3²+1·4², of which the mean counts.
	if want := (7. + 43) / 2; math.Abs(scale-want) > 1e-9 || weights[0] != 1.5 || weights[1] != 0.5 {
		t.Errorf("weights %v, scale %v, want 1.5 and 0.5, %v", weights, scale, want)
	}
	if weights, scale := costOf(make([]float64, 2), []float32{1, 2}); weights != nil || scale != 0 {
		t.Errorf("costs of nothing: weights %v, scale %v", weights, scale)
	}
}
