package lora

import (
	"encoding/binary"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"mptgo/gguf"
	"mptgo/quantize"
)

// TestFieldsThatChangeNothing reads one adapter with configurations that say the same.
func TestFieldsThatChangeNothing(t *testing.T) {
	for _, c := range []struct {
		fields map[string]any
		note   string
	}{
		{map[string]any{"bias": "all"}, ""},
		{map[string]any{"bias": "lora_only"}, ""},
		{map[string]any{"bias": nil}, ""},
		{map[string]any{"fan_in_fan_out": true}, "fan_in_fan_out is set"},
		{map[string]any{"fan_in_fan_out": "True"}, "fan_in_fan_out is set"},
		{map[string]any{"fan_in_fan_out": 1}, "fan_in_fan_out is set"},
		{map[string]any{"fan_in_fan_out": 0}, ""},
		{map[string]any{"fan_in_fan_out": "false"}, ""},
		{map[string]any{"fan_in_fan_out": ""}, ""},
		{map[string]any{"r": "4", "lora_alpha": "8"}, ""},
		{map[string]any{"r": 4.0, "lora_alpha": " 8.0 "}, ""},
		{map[string]any{"r": 9, "lora_alpha": 3, "rank_pattern": map[string]any{"Wqkv": "4"}, "alpha_pattern": map[string]any{"Wqkv": "8"}}, ""},
		{map[string]any{"use_rslora": "false", "use_dora": 0, "peft_type": "lora"}, ""},
		{map[string]any{"lora_alpha": 4, "use_rslora": "true"}, ""},
		{map[string]any{"ensure_weight_tying": true}, ""},
		{map[string]any{"ensure_weight_tying": "false"}, ""},
		{map[string]any{"lora_bias": false, "trainable_token_indices": nil, "layer_replication": nil}, ""},
		{map[string]any{"modules_to_save": "norm_f"}, `modules_to_save names "norm_f"`},
		{map[string]any{"modules_to_save": []string{}}, ""},
	} {
		config := map[string]any{"r": 4, "lora_alpha": 8}
		for k, v := range c.fields {
			config[k] = v
		}
		a := mustOpen(t, folder(t, config, halvesOf("blocks.0.attn.Wqkv", 4, 6, 18)...))
		if p := a.Pairs[0]; p.Rank != 4 || p.Scale != 2 || a.MergeOnly() != nil {
			t.Errorf("%v: rank %d, scale %v", c.fields, p.Rank, p.Scale)
		}
		if notes := strings.Join(a.Notes, "\n"); !strings.Contains(notes, c.note) || c.note == "" && notes != "" {
			t.Errorf("%v: notes %q", c.fields, notes)
		}
	}
}

// TestFieldsThatSayNothing refuses values that cannot be understood.
func TestFieldsThatSayNothing(t *testing.T) {
	for field, value := range map[string]any{"r": "", "lora_alpha": "x", "use_rslora": "maybe", "fan_in_fan_out": []int{1}, "modules_to_save": 3, "rank_pattern": map[string]any{"a": "b"}} {
		mustRefuse(t, folder(t, map[string]any{field: value}, halvesOf("blocks.0.attn.Wqkv", 8, 6, 18)...), field+": ", ErrFormat)
	}
}

// TestWrapped reads adapters whose names wrappers have changed.
func TestWrapped(t *testing.T) {
	for _, format := range []string{
		"base_model.model.%s", "_orig_mod.base_model.model.%s", "base_model.model._orig_mod.%s", "module.base_model.model.%s", "module._orig_mod.base_model.model.%s",
		"base_model.model._fsdp_wrapped_module.%s", "_forward_module.base_model.model.%s", "model.base_model.model.%s", "%s",
	} {
		for _, name := range []string{"transformer.blocks.0.attn.Wqkv", "transformer.blocks.0._checkpoint_wrapped_module.attn.Wqkv", "transformer.blocks.0._fsdp_wrapped_module.attn._orig_mod.Wqkv"} {
			module := fmt.Sprintf(format, name)
			a := mustOpen(t, folder(t, map[string]any{"r": 2, "lora_alpha": 2, "alpha_pattern": map[string]any{"blocks.0.attn.Wqkv": 6}},
				tensor{name: module + ".lora_A.default.weight", shape: []int{2, 6}}, tensor{name: module + ".lora_B.default.weight", shape: []int{18, 2}}))
			if len(a.Pairs) != 1 || a.Pairs[0].Target != "blk.0.attn_qkv.weight" || a.Pairs[0].Scale != 3 {
				t.Errorf("%s: %+v", module, a.Pairs)
			}
		}
	}
}

// TestWeightsFiles takes the file that PEFT takes, whatever is in it, and lists what there
// is where there is none.
func TestWeightsFiles(t *testing.T) {
	pair := halvesOf("blocks.0.attn.Wqkv", 8, 6, 18)
	both := folder(t, map[string]any{}, pair...)
	put(t, filepath.Join(both, "adapter_model.bin"), []byte("not looked at"))
	mustOpen(t, both)
	move := func(dir, from, to string) string {
		if err := os.Rename(filepath.Join(dir, from), filepath.Join(dir, to)); err != nil {
			t.Fatal(err)
		}
		return dir
	}
	a := mustOpen(t, move(folder(t, map[string]any{}, pair...), "adapter_model.safetensors", "adapter_model.bin"))
	if len(a.Notes) != 1 || !strings.Contains(a.Notes[0], "adapter_model.bin is a safetensors file") {
		t.Errorf("notes %q", a.Notes)
	}
	torch := folder(t, map[string]any{}, pair...)
	toTorch(t, torch, pair...)
	a = mustOpen(t, move(torch, "adapter_model.bin", "adapter_model.safetensors"))
	if len(a.Notes) != 1 || !strings.Contains(a.Notes[0], "adapter_model.safetensors is a torch file") {
		t.Errorf("notes %q", a.Notes)
	}
	if _, err := Open(move(folder(t, map[string]any{}, pair...), "adapter_model.safetensors", "lora.safetensors")); err == nil || !strings.Contains(err.Error(), `; there is "lora.safetensors"`) {
		t.Error(err)
	}
	for _, name := range []string{configName, "adapter_model.safetensors"} {
		dir := folder(t, map[string]any{}, pair...)
		if err := os.Remove(filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink("gone", filepath.Join(dir, name)); err != nil {
			t.Skip(err)
		}
		if _, err := Open(dir); err == nil || !strings.Contains(err.Error(), name+" is a link to gone, which does not exist") || !IsFolder(dir) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// rowsOf are rows of a model: the values of a forged tensor, times factors, as a type.
func rowsOf(t *testing.T, x tensor, typ gguf.Type, search quantize.Search, factor func(int) float32) Rows {
	t.Helper()
	rows, cols := 1, x.shape[len(x.shape)-1]
	if len(x.shape) == 2 {
		rows = x.shape[0]
	}
	size, err := typ.RowBytes(cols)
	if err != nil {
		t.Fatal(err)
	}
	b, v := make([]byte, rows*size), make([]float32, rows*cols)
	for i := range v {
		if v[i] = 1 + float32(i)/8; x.values != nil {
			v[i] = x.values[i]
		}
		if factor != nil {
			v[i] *= factor(i / cols)
		}
	}
	if typ == gguf.F64 {
		for i := range v {
			binary.LittleEndian.PutUint64(b[8*i:], math.Float64bits(float64(v[i])))
		}
	} else if err := search.Encode(typ, b, v, cols, nil); err != nil {
		t.Fatal(err)
	}
	return Rows{typ, rows, cols, func(dst []byte, r0, r1 int) error { copy(dst, b[r0*size:r1*size]); return nil }, factor}
}

// TestIgnore ignores copies of the model's own tensors, in the types that both may have,
// and nothing else.
func TestIgnore(t *testing.T) {
	wave := func(n int) []float32 {
		v := make([]float32, n)
		for i := range v {
			v[i] = float32(math.Sin(float64(i*i))) / 3
		}
		return v
	}
	half := func(r int) float32 { return float32(r%2+1) / 2 }
	wte := tensor{name: base + "wte.weight", shape: []int{4, 256}, values: wave(1024)}
	other := wte
	other.values = wave(1024)
	other.values[777] = 1
	norm := tensor{name: base + "norm_f.weight", shape: []int{64}, values: wave(64)}
	below := func(x tensor) tensor { x.name = strings.Replace(x.name, ".weight", ".base_layer.weight", 1); return x }
	as := func(x tensor, dtype string) tensor { x.dtype = dtype; return x }
	for _, c := range []struct {
		name  string
		saved tensor
		rows  Rows
		note  string // of what is ignored, or ""
	}{
		{"floats", wte, rowsOf(t, wte, gguf.F32, 0, nil), "as a copy of the model's own: token_embd.weight"},
		{"a vector", norm, rowsOf(t, norm, gguf.F32, 0, nil), "as a copy of the model's own: output_norm.weight"},
		{"doubles", wte, rowsOf(t, wte, gguf.F64, 0, nil), "a copy"},
		{"a model in bfloat16", wte, rowsOf(t, wte, gguf.BF16, 0, nil), "a copy"},
		{"a model in half", wte, rowsOf(t, wte, gguf.F16, 0, nil), "a copy"},
		{"trained in bfloat16", as(wte, "BF16"), rowsOf(t, wte, gguf.F32, 0, nil), "a copy"},
		{"trained in half", as(wte, "F16"), rowsOf(t, wte, gguf.F32, 0, nil), "a copy"},
		{"with factors", wte, rowsOf(t, wte, gguf.F32, 0, half), "a copy"},
		{"quantised", wte, rowsOf(t, wte, gguf.Q8_0, quantize.SearchReference, nil), "a copy"},
		{"quantised with factors", wte, rowsOf(t, wte, gguf.Q4_0, quantize.SearchReference, half), "a copy"},
		{"quantised with a search", wte, rowsOf(t, wte, gguf.Q4_K, quantize.SearchBetter, nil), "a copy"},
		{"below a change", below(wte), rowsOf(t, wte, gguf.F32, 0, nil), "a copy"},
		{"below, quantised otherwise", below(other), rowsOf(t, wte, gguf.Q4_K, quantize.SearchBetter, nil), "(base_layer), which are quantised"},

		{"another value", other, rowsOf(t, wte, gguf.F32, 0, nil), ""},
		{"another value in half", as(other, "F16"), rowsOf(t, wte, gguf.F16, 0, nil), ""},
		{"another value, quantised", other, rowsOf(t, wte, gguf.Q8_0, quantize.SearchReference, nil), ""},
		{"another value below a change", below(other), rowsOf(t, wte, gguf.F32, 0, nil), ""},
		{"more rows", tensor{name: wte.name, shape: []int{5, 256}}, rowsOf(t, wte, gguf.F32, 0, nil), ""},
		{"more rows below a change", below(tensor{name: wte.name, shape: []int{5, 256}}), rowsOf(t, wte, gguf.Q8_0, quantize.SearchReference, nil), ""},
		{"not of the model", wte, Rows{}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := mustOpen(t, folder(t, map[string]any{}, append(halvesOf("blocks.0.attn.Wqkv", 8, 6, 18), c.saved)...))
			if err := a.Ignore(func(string) (Rows, bool) { return c.rows, c.rows.Rows > 0 }); err != nil {
				t.Fatal(err)
			}
			notes := strings.Join(a.Notes, "\n")
			if (len(a.Whole) == 0) != (c.note != "") || (a.MergeOnly() == nil) != (c.note != "") || !strings.Contains(notes, c.note) || c.note == "" && notes != "" {
				t.Errorf("%d whole tensors, notes %q", len(a.Whole), notes)
			}
		})
	}
}

// TestCopiesBeside leaves out what PEFT keeps of the model's own beside what replaces it.
func TestCopiesBeside(t *testing.T) {
	tensors := append(halvesOf("blocks.0.attn.Wqkv", 8, 6, 18),
		tensor{name: base + "blocks.0.attn.Wqkv.base_layer.weight", shape: []int{18, 6}},
		tensor{name: base + "wte.original_module.weight", shape: []int{9, 6}},
		tensor{name: base + "norm_f.original_module.weight", shape: []int{6}},
		tensor{name: base + "norm_f.modules_to_save.default.weight", shape: []int{6}})
	a := mustOpen(t, folder(t, map[string]any{}, tensors...))
	if len(a.Whole) != 2 || !strings.Contains(strings.Join(a.Notes, "\n"), "2 of the tensors in the file (original_module)") {
		t.Errorf("%+v, notes %q", a.Whole, a.Notes)
	}
	a.IgnoreBelow()
	if len(a.Whole) != 1 || a.Whole[0].Target != "output_norm.weight" || !strings.Contains(strings.Join(a.Notes, "\n"), "left out, as a copy of the model's own weights (base_layer)") {
		t.Errorf("%+v, notes %q", a.Whole, a.Notes)
	}
}

// TestTiedTogether can only merge changes of both of two tied matrices.
func TestTiedTogether(t *testing.T) {
	table := []tensor{{name: base + "wte.lora_embedding_A", shape: []int{8, 9}}, {name: base + "wte.lora_embedding_B", shape: []int{6, 8}}}
	a := mustOpen(t, folder(t, map[string]any{"ensure_weight_tying": true}, table...))
	if err := a.MergeOnly(); !a.Tied || err == nil || !strings.Contains(err.Error(), "ensure_weight_tying") {
		t.Error(err)
	}
	if err := mustOpen(t, folder(t, map[string]any{}, table...)).MergeOnly(); err != nil {
		t.Error(err)
	}
}

// TestNullScale refuses a rank or an alpha of null: to take the default would give the
// adapter another strength than it was trained with, and say nothing.
func TestNullScale(t *testing.T) {
	for _, key := range []string{"r", "lora_alpha"} {
		dir := folder(t, map[string]any{key: nil}, halvesOf("blocks.0.attn.Wqkv", 8, 6, 18)...)
		mustRefuse(t, dir, key+" is null where a number is expected", ErrFormat)
	}
}
