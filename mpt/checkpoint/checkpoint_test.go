package checkpoint

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// copyCase copies a reference checkpoint into a folder that a test may damage.
func copyCase(t *testing.T, name string) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS(caseDir(name))); err != nil {
		t.Fatal(err)
	}
	return dir
}

func write(t *testing.T, dir, name string, b []byte) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, name), b, 0o666); err != nil {
		t.Fatal(err)
	}
}

func remove(t *testing.T, dir, name string) {
	t.Helper()
	if err := os.Remove(filepath.Join(dir, name)); err != nil {
		t.Fatal(err)
	}
}

func truncate(t *testing.T, dir, name string) {
	t.Helper()
	path := filepath.Join(dir, name)
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(path, info.Size()*2/3); err != nil {
		t.Fatal(err)
	}
}

func TestOpenErrors(t *testing.T) {
	const index, shard2 = "model.safetensors.index.json", "model-00002-of-00003.safetensors"
	pointer := []byte("version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n")
	reindex := func(change string, to any) func(*testing.T, string) {
		return func(t *testing.T, dir string) {
			b := readCase(t, "hf-bf16-sharded", index)
			where := map[string]any{}
			for _, line := range strings.Split(string(b), "\n") {
				if k, v, ok := strings.Cut(line, ": "); ok && strings.Contains(v, ".safetensors") {
					where[strings.Trim(strings.TrimSpace(k), `"`)] = strings.Trim(v, `",`)
				}
			}
			if where[change] = to; to == nil {
				delete(where, change)
			}
			write(t, dir, index, edit(t, []byte(`{}`), map[string]any{"weight_map": where}))
		}
	}
	const wte = "transformer.wte.weight"
	for _, c := range []struct {
		name, from string
		damage     func(t *testing.T, dir string)
		want       string
		is         error
	}{
		{"no config", "hf-tiny", func(t *testing.T, dir string) { remove(t, dir, "config.json") }, "a checkpoint is a folder that holds config.json", fs.ErrNotExist},
		{"adapter", "hf-tiny", func(t *testing.T, dir string) {
			remove(t, dir, "config.json")
			write(t, dir, "adapter_config.json", []byte("{}"))
		}, "this is a LoRA adapter", errors.ErrUnsupported},
		{"config is a pointer", "hf-tiny", func(t *testing.T, dir string) { write(t, dir, "config.json", pointer) }, "git lfs pull", ErrFormat},
		{"other family", "hf-tiny", func(t *testing.T, dir string) { write(t, dir, "config.json", []byte(`{"model_type": "llama"}`)) }, `"llama": only mpt`, errors.ErrUnsupported},
		{"no weights", "hf-tiny", func(t *testing.T, dir string) { remove(t, dir, "model.safetensors") }, "no weights", fs.ErrNotExist},
		{"weights are a pointer", "hf-tiny", func(t *testing.T, dir string) { write(t, dir, "model.safetensors", pointer) }, "model.safetensors: malformed file: this is a git-lfs pointer", ErrFormat},
		{"truncated file", "hf-tiny", func(t *testing.T, dir string) { truncate(t, dir, "model.safetensors") }, "truncated", ErrFormat},
		{"truncated zip", "hf-bf16-bin", func(t *testing.T, dir string) { truncate(t, dir, "pytorch_model.bin") }, "truncated", ErrFormat},
		{"truncated stream", "hf-legacy-bin", func(t *testing.T, dir string) { truncate(t, dir, "pytorch_model.bin") }, "truncated", ErrFormat},
		{"truncated shard", "hf-bf16-sharded", func(t *testing.T, dir string) { truncate(t, dir, shard2) }, shard2, ErrFormat},
		{"missing shard", "hf-bf16-sharded", func(t *testing.T, dir string) { remove(t, dir, shard2) }, "shard " + shard2, fs.ErrNotExist},
		{"missing torch shard", "hf-f16-bin-sharded", func(t *testing.T, dir string) { remove(t, dir, "pytorch_model-00002-of-00002.bin") }, "which pytorch_model.bin.index.json names, is missing", fs.ErrNotExist},
		{"missing index", "hf-bf16-sharded", func(t *testing.T, dir string) { remove(t, dir, index) }, index + " is missing", fs.ErrNotExist},
		{"bad index", "hf-bf16-sharded", func(t *testing.T, dir string) { write(t, dir, index, []byte(`{"weight_map": 3}`)) }, index, ErrFormat},
		{"empty index", "hf-bf16-sharded", func(t *testing.T, dir string) { write(t, dir, index, []byte(`{}`)) }, "weight_map is missing", ErrFormat},
		{"index points up", "hf-bf16-sharded", reindex(wte, "../model.safetensors"), `in "../model.safetensors", which is not the name of a file in the folder`, ErrFormat},
		{"index points down", "hf-bf16-sharded", reindex(wte, `sub/x.safetensors`), "is not the name of a file", ErrFormat},
		{"index has a Windows path", "hf-bf16-sharded", reindex(wte, `C:\x.safetensors`), "is not the name of a file", ErrFormat},
		{"index points to the root", "hf-bf16-sharded", reindex(wte, "/etc/passwd"), "is not the name of a file", ErrFormat},
		{"index names the wrong shard", "hf-bf16-sharded", reindex(wte, shard2), "do not belong together", ErrFormat},
		{"index omits a tensor", "hf-bf16-sharded", reindex(wte, nil), `tensor "wte.weight" is not listed in`, ErrFormat},
		{"index invents a tensor", "hf-bf16-sharded", reindex("transformer.wpe.weight", shard2), `tensor "wpe.weight", which ` + index + ` lists, is not in it`, ErrFormat},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := copyCase(t, c.from)
			c.damage(t, dir)
			ck, err := Open(dir)
			if err == nil {
				ck.Close()
			}
			if !errors.Is(err, c.is) || !strings.Contains(err.Error(), c.want) || !strings.HasPrefix(err.Error(), "checkpoint: ") {
				t.Errorf("got  %v\nwant %s", err, c.want)
			}
		})
	}
}

// TestPreference opens a folder that holds the same model twice.
func TestPreference(t *testing.T) {
	dir := copyCase(t, "hf-tiny")
	write(t, dir, "pytorch_model.bin", []byte("not looked at"))
	ck, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	ck.Close()
}

func TestFile(t *testing.T) {
	ck, err := Open(caseDir("hf-tiny"))
	if err != nil {
		t.Fatal(err)
	}
	defer ck.Close()
	if b, err := ck.File("tokenizer.json"); err != nil || len(b) == 0 {
		t.Errorf("%d bytes, %v", len(b), err)
	}
	if _, err := ck.File("generation_config.json"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a file that is not there: %v", err)
	}
	if _, err := ck.File("../hf-tiny/config.json"); !errors.Is(err, fs.ErrInvalid) {
		t.Errorf("a file elsewhere: %v", err)
	}
}

func TestCanonical(t *testing.T) {
	for _, c := range [][2]string{
		{"transformer.wte.weight", "wte.weight"},
		{"wte.weight", "wte.weight"},
		{"lm_head.weight", "lm_head.weight"},
		{"model.transformer.blocks.0.norm_1.weight", "blocks.0.norm_1.weight"},
		{"module.model.transformer.norm_f.weight", "norm_f.weight"},
		{"model.module.transformer.norm_f.weight", "norm_f.weight"},
		{"base_model.model.transformer.blocks.11.attn.Wqkv.weight", "blocks.11.attn.Wqkv.weight"},
		{"transformer.blocks.3.ln_2.weight", "blocks.3.norm_2.weight"},
		{"transformer.blocks.3.mlp.mlp_down.weight", "blocks.3.ffn.down_proj.weight"},
		{"transformer.ln_f.weight", "norm_f.weight"},
		{"transformer.blocks.3.norm_attn_norm.attn.out_proj.weight", "blocks.3.attn.out_proj.weight"},
	} {
		if got := canonical(c[0]); got != c[1] {
			t.Errorf("canonical(%q) = %q, want %q", c[0], got, c[1])
		}
	}
}

// TestBuffersAndDuplicates checks what a folder may and may not hold besides the
// model.
func TestBuffersAndDuplicates(t *testing.T) {
	entry := func(name, offsets string) string {
		return `"` + name + `":{"dtype":"F32","shape":[1],"data_offsets":` + offsets + `}`
	}
	config := readCase(t, "hf-tiny", "config.json")
	open := func(entries ...string) (*Checkpoint, error) {
		return Open(folder(t, map[string][]byte{
			"config.json":       config,
			"model.safetensors": safetensorsOf(`{`+strings.Join(entries, ",")+`}`, floats(2)),
		}))
	}
	ck, err := open(entry("transformer.wte.weight", "[0,4]"), entry("transformer.attn_bias", "[4,8]"))
	if err != nil || len(ck.Tensors()) != 1 {
		t.Fatalf("a buffer was not left out: %v", err)
	}
	if _, ok := ck.Tensor("wte.weight"); !ok {
		t.Error("wte.weight was not found")
	}
	ck.Close()
	if _, err := open(entry("transformer.wte.weight", "[0,4]"), entry("wte.weight", "[4,8]")); !errors.Is(err, ErrFormat) || !strings.Contains(err.Error(), "is also in") {
		t.Errorf("the same tensor under two names: %v", err)
	}
}
