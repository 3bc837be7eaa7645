package lora

import (
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"mptgo/gguf"
	"mptgo/internal/check"
	"mptgo/mpt/checkpoint"
)

func mustOpen(t testing.TB, path string) *Adapter {
	t.Helper()
	a, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { a.Close() })
	return a
}

// floats returns the values of a matrix.
func floats(t testing.TB, m *Matrix) []float32 {
	t.Helper()
	v, err := m.Floats()
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// Scales and ranks as PEFT computes them; the first pattern that matches counts.
func TestScales(t *testing.T) {
	const wqkv, down = "blocks.0.attn.Wqkv", "blocks.1.ffn.down_proj"
	for _, c := range []struct {
		name    string
		config  map[string]any
		ranks   [2]int
		scales  [2]float64
		filedAs float32
	}{
		{"defaults", map[string]any{}, [2]int{8, 8}, [2]float64{1, 1}, 8},
		{"nulls", map[string]any{"r": 4, "lora_alpha": 6, "rank_pattern": nil, "use_rslora": nil}, [2]int{4, 4}, [2]float64{1.5, 1.5}, 6},
		{"rslora", map[string]any{"peft_type": "LORA", "r": 4, "lora_alpha": 6, "use_rslora": true}, [2]int{4, 4}, [2]float64{3, 3}, 12},
		{"short keys", map[string]any{"r": 4, "lora_alpha": 4, "rank_pattern": map[string]any{"down_proj": 2}, "alpha_pattern": map[string]any{"Wqkv": 8}},
			[2]int{4, 2}, [2]float64{2, 2}, 8},
		{"regexes", map[string]any{"r": 4, "lora_alpha": 4, "alpha_pattern": map[string]any{`transformer\.blocks\.[1-9]\..*`: 16}}, [2]int{4, 4}, [2]float64{1, 4}, 4},
		{"not the end", map[string]any{"r": 4, "lora_alpha": 4, "alpha_pattern": map[string]any{"Wq": 8, "proj": 9}}, [2]int{4, 4}, [2]float64{1, 1}, 4},
	} {
		t.Run(c.name, func(t *testing.T) {
			tensors := append(halvesOf(wqkv, c.ranks[0], 6, 18), halvesOf(down, c.ranks[1], 24, 6)...)
			a := mustOpen(t, folder(t, c.config, tensors...))
			if len(a.Pairs) != 2 {
				t.Fatalf("%d pairs", len(a.Pairs))
			}
			slices.SortFunc(a.Pairs, func(a, b Pair) int { return strings.Compare(a.Target, b.Target) })
			for i, want := range []string{"blk.0.attn_qkv.weight", "blk.1.ffn_down.weight"} {
				p := a.Pairs[i]
				if p.Target != want || p.Rank != c.ranks[i] || p.Scale != c.scales[i] {
					t.Errorf("%s of rank %d, scale %v, want %s, %d, %v", p.Target, p.Rank, p.Scale, want, c.ranks[i], c.scales[i])
				}
			}
			if got := a.Alpha(); got != c.filedAs {
				t.Errorf("alpha %v in a file, want %v", got, c.filedAs)
			}
		})
	}
}

// Patterns count in the order of the file, which a map does not keep.
func TestOrderOfPatterns(t *testing.T) {
	dir := folder(t, nil, halvesOf("blocks.0.attn.Wqkv", 8, 6, 18)...)
	for want, pattern := range map[float64]string{2: `{"Wqkv": 16, "attn.Wqkv": 24, "a": 1}`, 3: `{"attn.Wqkv": 24, "Wqkv": 16, "a": 1}`} {
		put(t, filepath.Join(dir, configName), []byte(`{"alpha_pattern": `+pattern+`}`))
		if got := mustOpen(t, dir).Pairs[0].Scale; got != want {
			t.Errorf("%s: scale %v, want %v", pattern, got, want)
		}
	}
}

// The same adapter in every form that tensors come in.
func TestForms(t *testing.T) {
	want := halvesOf("blocks.3.ffn.up_proj", 2, 3, 4)
	config := map[string]any{"r": 2}
	check := func(name string, a *Adapter) {
		t.Helper()
		p := a.Pairs[0]
		if len(a.Pairs) != 1 || p.Target != "blk.3.ffn_up.weight" || p.In != 3 || p.Out != 4 || p.Rank != 2 {
			t.Errorf("%s: %+v", name, a.Pairs)
		}
		for i, m := range []*Matrix{p.A, p.B} {
			for k, v := range floats(t, m) {
				if v != 1+float32(k)/8 {
					t.Errorf("%s: half %d: value %d is %v", name, i, k, v)
				}
			}
		}
	}
	for _, dtype := range []string{"F32", "F16", "BF16", "F64"} {
		tensors := slices.Clone(want)
		tensors[0].dtype, tensors[1].dtype = dtype, dtype
		check(dtype, mustOpen(t, folder(t, config, tensors...)))
	}
	for _, names := range [][2]string{
		{base + "blocks.3.ffn.up_proj.lora_A.default.weight", base + "blocks.3.ffn.up_proj.lora_B.default.weight"},
		{"base_model.model.model.transformer.blocks.3.ffn.up_proj.lora_A.weight", "base_model.model.model.transformer.blocks.3.ffn.up_proj.lora_B.weight"},
		{base + "blocks.3.mlp.mlp_up.lora_A.weight", base + "blocks.3.mlp.mlp_up.lora_B.weight"},
	} {
		tensors := slices.Clone(want)
		tensors[0].name, tensors[1].name = names[0], names[1]
		check(names[0], mustOpen(t, folder(t, config, tensors...)))
	}
	dir := folder(t, config, want...)
	toTorch(t, dir, want...)
	check("torch", mustOpen(t, dir))
	check("GGUF", mustOpen(t, file(t, keys(), tensor{name: "blk.3.ffn_up.weight.lora_a", shape: []int{2, 3}}, tensor{name: "blk.3.ffn_up.weight.lora_b", shape: []int{4, 2}})))
}

// Every module that can be changed.
func TestModules(t *testing.T) {
	var tensors []tensor
	want := []string{"output.weight", "token_embd.weight"}
	for module, name := range linears {
		tensors = append(tensors, halvesOf("blocks.11."+module, 8, 5, 7)...)
		want = append(want, "blk.11."+name+".weight")
	}
	tensors = append(tensors, tensor{name: base + "wte.lora_embedding_A", shape: []int{8, 9}}, tensor{name: base + "wte.lora_embedding_B", shape: []int{5, 8}},
		tensor{name: "base_model.model.lm_head.lora_A.weight", shape: []int{8, 5}}, tensor{name: "base_model.model.lm_head.lora_B.weight", shape: []int{9, 8}})
	a := mustOpen(t, folder(t, map[string]any{}, tensors...))
	var got []string
	for i := range a.Pairs {
		p := &a.Pairs[i]
		got = append(got, p.Target)
		if p.IsTable() {
			if p.In != 9 || p.Out != 5 || p.A.Rows != 9 || p.A.Cols != 8 {
				t.Errorf("embedding: %d tokens, width %d, table %d x %d", p.In, p.Out, p.A.Rows, p.A.Cols)
			}
			if v := floats(t, p.A); v[1] != 1+9./8 || v[8] != 1+1./8 {
				t.Error("the table is not transposed")
			}
		}
	}
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

// The two features that need merging are read and named.
func TestMergeOnly(t *testing.T) {
	if err := mustOpen(t, folder(t, map[string]any{}, halvesOf("blocks.0.attn.Wqkv", 8, 6, 18)...)).MergeOnly(); err != nil {
		t.Error(err)
	}
	for _, name := range []string{".lora_magnitude_vector", ".lora_magnitude_vector.weight", ".lora_magnitude_vector.default.weight"} {
		dora := append(halvesOf("blocks.0.attn.Wqkv", 8, 6, 18), tensor{name: base + "blocks.0.attn.Wqkv" + name, shape: []int{18}})
		for i := range dora[:2] {
			if strings.Contains(name, "default") {
				dora[i].name = strings.TrimSuffix(dora[i].name, "weight") + "default.weight"
			}
		}
		a := mustOpen(t, folder(t, map[string]any{"use_dora": true}, dora...))
		if err := a.MergeOnly(); err == nil || !errors.Is(err, errors.ErrUnsupported) || !strings.Contains(err.Error(), "use_dora") {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, target := range map[string]string{
		"norm_f.weight":                               "output_norm.weight",
		"wte.modules_to_save.default.weight":          "token_embd.weight",
		"blocks.2.norm_1.modules_to_save.weight":      "blk.2.attn_norm.weight",
		"blocks.2.attn.q_ln.bias":                     "blk.2.attn_q_norm.bias",
		"blocks.2.attn.out_proj.weight":               "blk.2.attn_output.weight",
		"blocks.2.norm_2.modules_to_save.lora.weight": "blk.2.ffn_norm.weight",
	} {
		a := mustOpen(t, folder(t, map[string]any{"modules_to_save": []string{"x"}}, tensor{name: base + name, shape: []int{6}}))
		if len(a.Whole) != 1 || a.Whole[0].Target != target {
			t.Errorf("%s: %+v", name, a.Whole)
		}
		if err := a.MergeOnly(); err == nil || !strings.Contains(err.Error(), target+" (modules_to_save)") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Modules that the configuration promises and the file does not hold are spoken of.
func TestModulesToSave(t *testing.T) {
	tensors := append(halvesOf("blocks.0.attn.Wqkv", 8, 6, 18), tensor{name: base + "norm_f.weight", shape: []int{6}})
	for name, want := range map[string]int{"norm_f": 0, "wte": 1, "Wqkv": 1, "norm": 1} {
		a := mustOpen(t, folder(t, map[string]any{"modules_to_save": []string{name}}, tensors...))
		if len(a.Notes) != want || want > 0 && !strings.Contains(a.Notes[0], fmt.Sprintf("modules_to_save names %q", name)) {
			t.Errorf("%s: %q", name, a.Notes)
		}
	}
}

// An initialisation that changes the base model is spoken of.
func TestNotes(t *testing.T) {
	for how, want := range map[any]int{true: 0, "gaussian": 0, "mica": 0, "pissa": 1, "pissa_niter_4": 1, "olora": 1, "loftq": 1, "corda": 1, "CorDA": 1} {
		a := mustOpen(t, folder(t, map[string]any{"init_lora_weights": how}, halvesOf("blocks.0.attn.Wqkv", 8, 6, 18)...))
		if len(a.Notes) != want {
			t.Errorf("%v: %q", how, a.Notes)
		}
	}
}

// bad is an adapter that must be refused.
type bad struct {
	name   string
	config map[string]any
	extra  []tensor // beside, or of the same name in the place of, a good pair
	want   string
	is     error
}

func TestBadFolders(t *testing.T) {
	const qkv = base + "blocks.0.attn.Wqkv"
	for _, c := range []bad{
		{"other kind", map[string]any{"peft_type": "IA3"}, nil, `peft_type is "IA3", only LORA`, errors.ErrUnsupported},
		{"kind is a number", map[string]any{"peft_type": 3}, nil, "peft_type: 3 where a string is expected", ErrFormat},
		{"r is text", map[string]any{"r": "eight"}, nil, `r: "eight" where a number is expected`, ErrFormat},
		{"no rank", map[string]any{"r": 0}, nil, "a rank (r, rank_pattern) of 0", ErrFormat},
		{"part of a rank", map[string]any{"rank_pattern": map[string]any{"x": 1.5}}, nil, "of 1.5", ErrFormat},
		{"no alpha", map[string]any{"lora_alpha": 0}, nil, "lora_alpha, alpha_pattern) of 0", ErrFormat},
		{"huge alpha", map[string]any{"alpha_pattern": map[string]any{"x": 1e300}}, nil, "of 1e+300", ErrFormat},
		{"pattern", map[string]any{"alpha_pattern": map[string]any{"(?<!x)y": 1}}, nil, "is not a pattern that is understood", ErrFormat},
		{"other rank", map[string]any{"r": 4}, nil, "Wqkv.lora_A.weight has rank 8, adapter_config.json says 4", ErrFormat},
		{"transposed", map[string]any{"fan_in_fan_out": "maybe"}, nil, `fan_in_fan_out: "maybe" where true or false is expected`, ErrFormat},
		{"lora_bias", map[string]any{"lora_bias": true}, nil, "a bias of B (lora_bias) is not supported", errors.ErrUnsupported},
		{"token indices", map[string]any{"trainable_token_indices": []int{1}}, nil, "trained tokens of the embedding (trainable_token_indices)", errors.ErrUnsupported},
		{"aLoRA", map[string]any{"alora_invocation_tokens": []int{1}}, nil, "activated LoRA (alora_invocation_tokens)", errors.ErrUnsupported},
		{"QA-LoRA", map[string]any{"use_qalora": true}, nil, "QA-LoRA (use_qalora)", errors.ErrUnsupported},
		{"replicated", map[string]any{"layer_replication": [][]int{{0, 1}}}, nil, "replicated layers (layer_replication)", errors.ErrUnsupported},
		{"parameters", map[string]any{"target_parameters": []string{"x"}}, nil, "changes of single parameters", errors.ErrUnsupported},
		{"of the future", map[string]any{"use_future": true}, nil, "use_future is set to true, and this version does not know", errors.ErrUnsupported},
		{"no B", nil, []tensor{{name: base + "blocks.1.attn.Wqkv.lora_A.weight", shape: []int{8, 6}}}, "B of transformer.blocks.1.attn.Wqkv is missing", ErrFormat},
		{"no A", nil, []tensor{{name: base + "blocks.1.attn.Wqkv.lora_B.weight", shape: []int{18, 8}}}, "A of transformer.blocks.1.attn.Wqkv is missing", ErrFormat},
		{"ranks differ", nil, []tensor{{name: qkv + ".lora_B.weight", shape: []int{18, 4}}}, "blk.0.attn_qkv.weight: A has rank 8, B has rank 4", ErrFormat},
		{"three dimensions", nil, []tensor{{name: qkv + ".lora_B.weight", shape: []int{18, 8, 1}}}, "have the shapes", ErrFormat},
		{"integers", nil, []tensor{{name: qkv + ".lora_B.weight", shape: []int{18, 8}, dtype: "I32"}}, "weights of type I32", errors.ErrUnsupported},
		{"other model", map[string]any{"base_model_name_or_path": "meta/llama"}, halvesOf("layers.0.self_attn.q_proj", 8, 6, 6),
			`module "layers.0.self_attn.q_proj" is not one of an MPT model that an adapter can change (the adapter was made for meta/llama)`, ErrFormat},
		{"norm", nil, halvesOf("blocks.0.norm_1", 8, 6, 6), `module "blocks.0.norm_1"`, ErrFormat},
		{"linear embedding", nil, halvesOf("wte", 8, 6, 6), "lora_A is not supported", errors.ErrUnsupported},
		{"table of a projection", nil, []tensor{{name: qkv + ".lora_embedding_A", shape: []int{8, 6}}}, "lora_embedding_A is not supported", errors.ErrUnsupported},
		{"bias of B", nil, []tensor{{name: qkv + ".lora_B.bias", shape: []int{18}}}, "a bias of B (lora_bias)", errors.ErrUnsupported},
		{"bias tensor", nil, []tensor{{name: qkv + ".bias", shape: []int{18}}}, "changed biases are not supported", errors.ErrUnsupported},
		{"base weights of others", nil, []tensor{{name: base + "layers.0.base_layer.weight", shape: []int{18, 6}}}, "is not part of an MPT model", ErrFormat},
		{"replaced twice", nil, []tensor{{name: base + "wte.weight", shape: []int{18, 6}}, {name: base + "wte.base_layer.weight", shape: []int{18, 6}}}, "token_embd.weight is replaced twice", ErrFormat},
		{"magnitude unasked", nil, []tensor{{name: qkv + ".lora_magnitude_vector", shape: []int{18}}}, "but use_dora is not set", ErrFormat},
		{"no magnitude", map[string]any{"use_dora": true}, nil, "has no lora_magnitude_vector", ErrFormat},
		{"magnitude", map[string]any{"use_dora": true}, []tensor{{name: qkv + ".lora_magnitude_vector", shape: []int{17}}}, "has 17 values for 18 rows", ErrFormat},
		{"two adapters", nil, []tensor{{name: base + "blocks.1.attn.Wqkv.lora_A.other.weight", shape: []int{8, 6}}}, "belongs to another adapter", ErrFormat},
		{"twice", nil, []tensor{{name: "blocks.0.attn.Wqkv.lora_A.weight", shape: []int{8, 6}}}, "are the same", ErrFormat},
		{"changed and replaced", nil, []tensor{{name: qkv + ".weight", shape: []int{18, 6}}}, "is changed and replaced", ErrFormat},
	} {
		t.Run(c.name, func(t *testing.T) {
			tensors := halvesOf("blocks.0.attn.Wqkv", 8, 6, 18)
			for _, x := range c.extra {
				tensors = slices.DeleteFunc(tensors, func(y tensor) bool { return y.name == x.name })
				tensors = append(tensors, x)
			}
			config := c.config
			if config == nil {
				config = map[string]any{}
			}
			mustRefuse(t, folder(t, config, tensors...), c.want, c.is)
		})
	}
}

// mustRefuse fails the test unless path cannot be opened for the given reason.
func mustRefuse(t *testing.T, path, want string, is error) {
	t.Helper()
	a, err := Open(path)
	if err == nil {
		a.Close()
		t.Fatalf("opened, want %q", want)
	}
	if !strings.Contains(err.Error(), want) || !errors.Is(err, is) || !strings.HasPrefix(err.Error(), "lora: ") {
		t.Errorf("got %v, want %q that wraps %v", err, want, is)
	}
}

func TestBrokenFolders(t *testing.T) {
	damage := func(f func(dir string)) string {
		dir := folder(t, map[string]any{}, halvesOf("blocks.0.attn.Wqkv", 8, 6, 18)...)
		f(dir)
		return dir
	}
	weights := func(dir string) string { return filepath.Join(dir, "adapter_model.safetensors") }
	mustRefuse(t, filepath.Join(t.TempDir(), "nowhere"), "nowhere", fs.ErrNotExist)
	mustRefuse(t, t.TempDir(), "not an adapter: there is no adapter_config.json", ErrFormat)
	mustRefuse(t, damage(func(dir string) { os.Rename(filepath.Join(dir, configName), filepath.Join(dir, "config.json")) }), "a checkpoint folder, not an adapter", ErrFormat)
	mustRefuse(t, damage(func(dir string) { os.Remove(weights(dir)) }), "there is neither adapter_model.safetensors nor adapter_model.bin", fs.ErrNotExist)
	mustRefuse(t, damage(func(dir string) { put(t, filepath.Join(dir, configName), []byte("[]")) }), "not a JSON object", ErrFormat)
	mustRefuse(t, damage(func(dir string) {
		put(t, filepath.Join(dir, configName), []byte("version https://git-lfs.github.com/spec/v1\n"))
	}), "git-lfs pointer", ErrFormat)
	for _, cut := range []int{4, 100, 20} {
		if _, err := Open(damage(func(dir string) {
			b, err := os.ReadFile(weights(dir))
			if err != nil {
				t.Fatal(err)
			}
			put(t, weights(dir), b[:len(b)-cut])
		})); err == nil || !strings.Contains(err.Error(), "truncated") {
			t.Errorf("%d bytes less: %v", cut, err)
		}
	}
	repeated := folder(t, map[string]any{}, halvesOf("blocks.0.attn.Wqkv", 8, 6, 18)...)
	toTorch(t, repeated, tensor{name: base + "wte.lora_embedding_A", shape: []int{8, 1 << 20}, values: []float32{1}})
	mustRefuse(t, repeated, "repeats elements", checkpoint.ErrFormat)
	empty := folder(t, map[string]any{})
	mustRefuse(t, empty, "there are no tensors of an adapter in it", ErrFormat)
	if _, err := Open(weights(damage(func(string) {}))); err == nil || !strings.Contains(err.Error(), "name its folder") {
		t.Error(err)
	}
}

func TestBadFiles(t *testing.T) {
	const qkv = "blk.0.attn_qkv.weight"
	a, b := tensor{name: qkv + ".lora_a", shape: []int{2, 6}}, tensor{name: qkv + ".lora_b", shape: []int{18, 2}}
	kv := func(key string, value any) []gguf.KV { return keys(gguf.KV{Key: key, Value: value}) }
	for _, c := range []struct {
		name    string
		meta    []gguf.KV
		tensors []tensor
		want    string
		is      error
	}{
		{"model", kv("general.type", "model"), []tensor{a, b}, "a model, not an adapter", ErrFormat},
		{"no type", kv("general.type", nil), []tensor{a, b}, "a model, not an adapter", ErrFormat},
		{"imatrix", kv("general.type", "imatrix"), []tensor{a, b}, `a file of type "imatrix"`, ErrFormat},
		{"llama", kv("general.architecture", "llama"), []tensor{a, b}, `for models of architecture "llama"`, ErrFormat},
		{"other kind", kv("adapter.type", "vera"), []tensor{a, b}, `an adapter of type "vera"`, errors.ErrUnsupported},
		{"aLoRA", kv("adapter.alora.invocation_tokens", []uint32{1}), []tensor{a, b}, "activated LoRA", errors.ErrUnsupported},
		{"alpha NaN", kv("adapter.lora.alpha", float32(math.NaN())), []tensor{a, b}, "adapter.lora.alpha is NaN", ErrFormat},
		{"alpha text", kv("adapter.lora.alpha", "8"), []tensor{a, b}, "adapter.lora.alpha", gguf.ErrFormat},
		{"no B", keys(), []tensor{a}, "tensor " + qkv + ".lora_b is missing", ErrFormat},
		{"no A", keys(), []tensor{b}, "tensor " + qkv + ".lora_a is missing", ErrFormat},
		{"ranks", keys(), []tensor{a, {name: b.name, shape: []int{18, 3}}}, "A has rank 2, B has rank 3", ErrFormat},
		{"suffix", keys(), []tensor{a, b, {name: "blk.0.ffn_up.weight", shape: []int{2, 2}}}, `tensor "blk.0.ffn_up.weight" is neither .lora_a nor .lora_b`, ErrFormat},
		{"bias", keys(), []tensor{{name: "blk.0.attn_qkv.bias.lora_a", shape: []int{2, 6}}}, "only matrices (.weight) can be changed", ErrFormat},
		{"nothing", keys(), nil, "no tensors of an adapter", ErrFormat},
	} {
		t.Run(c.name, func(t *testing.T) { mustRefuse(t, file(t, c.meta, c.tensors...), c.want, c.is) })
	}
	whole := file(t, keys(), a, b)
	data, err := os.ReadFile(whole)
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range []int{3, 40, len(data) / 2, len(data) - 40} {
		put(t, whole, data[:n])
		mustRefuse(t, whole, "adapter.gguf", gguf.ErrFormat)
	}
	norm := mustOpen(t, file(t, keys(), a, b, tensor{name: "blk.0.attn_norm.weight", shape: []int{6}}))
	if err := norm.MergeOnly(); err == nil || !strings.Contains(err.Error(), "blk.0.attn_norm.weight") {
		t.Errorf("a norm that llama.cpp would ignore: %v", err)
	}
	for alpha, want := range map[any]float64{float32(8): 4, float32(0): 1, nil: 1} {
		if got := mustOpen(t, file(t, kv("adapter.lora.alpha", alpha), a, b)).Pairs[0].Scale; got != want {
			t.Errorf("alpha %v: scale %v, want %v", alpha, got, want)
		}
	}
}

// Values that are no numbers are found when they are read.
func TestNotFinite(t *testing.T) {
	for i, v := range []float64{math.NaN(), math.Inf(1), math.Inf(-1)} {
		tensors := halvesOf("blocks.0.attn.Wqkv", 8, 2, 3)
		tensors[1].values = make([]float32, 24)
		tensors[1].values[8*i+i] = float32(v)
		_, err := mustOpen(t, folder(t, map[string]any{}, tensors...)).Pairs[0].B.Floats()
		if want := fmt.Sprintf("row %d, column %d is %v", i, i, float32(v)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
}

// The references are read.
func TestCases(t *testing.T) {
	for name, pairs := range map[string]int{"lora-all": 8, "lora-rank-pattern": 4, "lora-rslora-attn": 2} {
		a := mustOpen(t, filepath.Join("..", "testdata", "cases", name))
		if len(a.Pairs) != pairs || a.Format != "PEFT" || a.MergeOnly() != nil {
			t.Errorf("%s: %d pairs, %s", name, len(a.Pairs), a.Format)
		}
	}
}

// No configuration makes the reader panic or loop, and what it accepts has sane numbers.
func FuzzConfig(f *testing.F) {
	for _, text := range []string{`{}`, `{"r": 4, "rank_pattern": {"a": 1, "b.*": 2}, "alpha_pattern": {"a": 1, "a": 2}}`, `{"alpha_pattern": {"(": 1}}`,
		`{"peft_type": "LORA", "use_rslora": true, "init_lora_weights": "pissa", "bias": null}`, `{"rank_pattern": {"x": {"y": [1]}}}`} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		var c *config
		var err error
		check.Bounded(t, len(b), func() { c, err = parseConfig(b) })
		if err != nil {
			return
		}
		const module = "transformer.blocks.0.attn.Wqkv"
		if r, a := c.rank(module), c.alpha(module); r < 1 || !finite(a) || a == 0 {
			t.Errorf("rank %d, alpha %v", r, a)
		}
	})
}
