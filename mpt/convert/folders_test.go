package convert

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestSameModelNoted writes the model hf-tiny in ways that are worth a note: the files must
// be equal.
func TestSameModelNoted(t *testing.T) {
	want := convertBytes(t, forged(t, tiny(t), nil), Options{Type: "Q8_0"})
	rename := func(to func(name string) string) func(ws []weight) []weight {
		return func(ws []weight) []weight {
			for i := range ws {
				ws[i].name = to(ws[i].name)
			}
			return ws
		}
	}
	linear := func(name string) bool { return strings.Contains(name, "attn.") || strings.Contains(name, "ffn.") }
	for _, c := range []struct {
		name   string
		change func(ws []weight) []weight
		note   string
	}{
		{"output matrix only", rename(func(n string) string { return strings.Replace(n, "wte.", "lm_head.", 1) }), "under the name of the output matrix only"},
		{"base_layer", rename(func(n string) string {
			if linear(n) {
				n = strings.Replace(n, ".weight", ".base_layer.weight", 1)
			}
			return "base_model.model.transformer." + n
		}), ""},
		{"compiled and wrapped", rename(func(n string) string {
			return "module._orig_mod.transformer." + strings.Replace(n, ".ffn.", "._checkpoint_wrapped_module.ffn.", 1)
		}), ""},
		{"twice", func(ws []weight) []weight {
			w := *find(ws, "norm_f.weight")
			w.name = "transformer.norm_f.weight"
			return append(ws, w)
		}, `"norm_f.weight" is there twice`},
		{"a copy of the embedding in float64", func(ws []weight) []weight {
			w := *find(ws, "wte.weight")
			w.name = "lm_head.weight"
			asDoubles(&w)
			return append(ws, w)
		}, ""},
		{"state of eight bits", func(ws []weight) []weight {
			return append(ws, weight{"blocks.0.attn._extra_state", "U8", []int{2}, make([]byte, 2)})
		}, ""},
	} {
		got, log := logged(t, forged(t, c.change(tiny(t)), nil), "Q8_0")
		if !bytes.Equal(got, want) || !strings.Contains(log, c.note) || c.note == "" && log != "" {
			t.Errorf("%s: a different file, or the note %q", c.name, log)
		}
	}
}

// TestFileOfWeights converts a file as it converts its folder.
func TestFileOfWeights(t *testing.T) {
	dir := modified(t, "hf-tiny", nil)
	want := convertBytes(t, dir, Options{Type: "F16"})
	for _, name := range []string{"ep0-ba10-rank0.pt", "model.fp16.safetensors", "weights"} {
		if err := os.Rename(filepath.Join(dir, "model.safetensors"), filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
		src := filepath.Join(dir, name)
		if got := convertBytes(t, src, Options{Type: "F16"}); !bytes.Equal(got, want) {
			t.Errorf("%s: a different file", name)
		}
		if s, err := Examine(src); err != nil || s.Exact != "F32" || !IsCheckpoint(src) {
			t.Errorf("%s: %+v, %v", name, s, err)
		}
		for _, dst := range []string{src, filepath.Join(dir, "config.json")} {
			if _, err := Convert(context.Background(), src, dst, Options{Type: "F16", Force: true}); err == nil {
				t.Errorf("%s was replaced", dst)
			}
		}
		if err := os.Rename(src, filepath.Join(dir, "model.safetensors")); err != nil {
			t.Fatal(err)
		}
	}
	link := filepath.Join(dir, "latest.pt")
	if err := os.Symlink("gone.pt", link); err != nil {
		t.Skip(err)
	}
	if _, err := Convert(context.Background(), link, filepath.Join(t.TempDir(), "x.gguf"), Options{Type: "F16"}); err == nil || !strings.Contains(err.Error(), "is a link to gone.pt") {
		t.Error(err)
	}
}

// TestUnmerged refuses models with an adapter in them, whatever its names.
func TestUnmerged(t *testing.T) {
	for name, want := range map[string]string{
		"blocks.0.attn.Wqkv.lora_A.weight":                    "an unmerged adapter",
		"blocks.0.attn.Wqkv.lora_B.default.weight":            "an unmerged adapter",
		"wte.lora_embedding_A.default":                        "an unmerged adapter",
		"blocks.0.ffn.up_proj.lora_magnitude_vector.weight":   "an unmerged adapter",
		"norm_f.modules_to_save.default.weight":               "an unmerged adapter",
		"norm_f.original_module.weight":                       "an unmerged adapter",
		"_fsdp_wrapped_module._flat_param":                    "FSDP has flattened",
		"blocks.0._fsdp_wrapped_module.flat_param":            "FSDP has flattened",
		"blocks.0.attn.Wqkv.qweight":                          "quantised by another program",
		"blocks.0.attn.Wqkv.parametrizations.weight.original": "not part of the model",
	} {
		dir := forged(t, append(tiny(t), weight{"base_model.model.transformer." + name, "F32", []int{1}, make([]byte, 4)}), nil)
		_, err := Convert(context.Background(), dir, filepath.Join(t.TempDir(), "x.gguf"), Options{Type: "F16"})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestAdapterBesideModel converts the model, says that the adapter is left alone, and
// merges it when it is asked to.
func TestAdapterBesideModel(t *testing.T) {
	want := convertBytes(t, modified(t, "hf-tiny", nil), Options{Type: "F16"})
	dir := modified(t, "hf-tiny", nil)
	for _, name := range []string{"adapter_config.json", "adapter_model.safetensors"} {
		b, err := os.ReadFile(filepath.Join(caseDir("lora-all"), name))
		if err != nil {
			t.Fatal(err)
		}
		put(t, dir, name, b)
	}
	got, log := logged(t, dir, "F16")
	if !bytes.Equal(got, want) || !strings.Contains(log, "the adapter that lies beside the model (adapter_config.json) is not merged into it") {
		t.Errorf("a different file, or the note %q", log)
	}
	merged := func(base, adapter string) ([]byte, string) {
		var log strings.Builder
		dst := filepath.Join(t.TempDir(), "x.gguf")
		opt := Options{Type: "F16", Logf: func(f string, a ...any) { fmt.Fprintf(&log, f+"\n", a...) }}
		if _, err := Merge(context.Background(), base, []AdapterFile{{adapter, 1}}, dst, opt); err != nil {
			t.Fatal(err)
		}
		b, err := os.ReadFile(dst)
		if err != nil {
			t.Fatal(err)
		}
		return b, log.String()
	}
	beside, log := merged(dir, dir)
	apart, _ := merged(modified(t, "hf-tiny", nil), caseDir("lora-all"))
	if !bytes.Equal(beside, apart) || strings.Contains(log, "is not merged") {
		t.Errorf("merged with itself: a different file, or the note %q", log)
	}
}

// TestTyingSaid refuses a missing output matrix where the configuration has one.
func TestTyingSaid(t *testing.T) {
	untied := map[string]any{"tie_word_embeddings": false}
	only := tiny(t)
	find(only, "wte.weight").name = "lm_head.weight"
	for _, c := range []struct {
		ws   []weight
		want string
	}{{tiny(t), "tensor lm_head.weight is missing"}, {only, "tensor wte.weight is missing"}} {
		_, err := Convert(context.Background(), forged(t, c.ws, untied), filepath.Join(t.TempDir(), "x.gguf"), Options{Type: "F16"})
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v, want %s", err, c.want)
		}
	}
	odd := append(tiny(t), weight{"lm_head.weight", "F32", []int{1, 64}, make([]byte, 256)})
	if _, err := Convert(context.Background(), forged(t, odd, nil), filepath.Join(t.TempDir(), "x.gguf"), Options{Type: "F16"}); err == nil ||
		errors.Is(err, os.ErrNotExist) || !strings.Contains(err.Error(), "lm_head.weight has the shape [1 64]") {
		t.Error(err)
	}
}
