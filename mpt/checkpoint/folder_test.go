package checkpoint

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// tinyDigest is that of the weights of hf-tiny.
const tinyDigest = "4a9de20745938d8c6271d9c39673216fa2041e2196da66eb8095b4a7f0b57d2c"

// saved is a tensor of a forged safetensors file.
type saved struct {
	name, dtype string
	shape       []int
	data        []byte
}

// tinyWeights are the tensors of hf-tiny, with their names in the file.
func tinyWeights(t testing.TB) (all []saved) {
	t.Helper()
	c, err := OpenSafetensors(filepath.Join(caseDir("hf-tiny"), "model.safetensors"))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	for _, x := range c.Tensors() {
		b := make([]byte, x.Bytes())
		if err := x.ReadRows(b, 0, x.Rows()); err != nil {
			t.Fatal(err)
		}
		all = append(all, saved{x.Name, x.DType, x.Shape, b})
	}
	return all
}

// safetensorsWith is a file of tensors and metadata.
func safetensorsWith(t testing.TB, metadata map[string]string, all ...saved) []byte {
	t.Helper()
	header, data := map[string]any{}, []byte(nil)
	if metadata != nil {
		header["__metadata__"] = metadata
	}
	for _, x := range all {
		header[x.name] = map[string]any{"dtype": x.dtype, "shape": x.shape, "data_offsets": []int{len(data), len(data) + len(x.data)}}
		data = append(data, x.data...)
	}
	h, err := json.Marshal(header)
	if err != nil {
		t.Fatal(err)
	}
	return append(append(binary.LittleEndian.AppendUint64(nil, uint64(len(h))), h...), data...)
}

// renamedTo returns tensors under other names.
func renamedTo(all []saved, to func(name string) string) []saved {
	all = slices.Clone(all)
	for i := range all {
		all[i].name = to(all[i].name)
	}
	return all
}

// onlyHead returns the tensors with the embedding under the name of the output matrix.
func onlyHead(all []saved) []saved {
	return renamedTo(all, func(name string) string { return strings.Replace(name, "transformer.wte.", "lm_head.", 1) })
}

// indexOf is an index of shards.
func indexOf(t testing.TB, where map[string]string) []byte {
	t.Helper()
	b, err := json.Marshal(map[string]any{"metadata": map[string]any{"total_size": 1}, "weight_map": where})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// inFile says that all tensors are in a file.
func inFile(all []saved, file string) map[string]string {
	where := map[string]string{}
	for _, x := range all {
		where[x.name] = file
	}
	return where
}

// A kept is a folder that holds the weights of hf-tiny in an odd way.
type kept struct {
	name  string
	files map[string][]byte
	note  string // part of a note, or ""
}

func oddFolders(t *testing.T) []kept {
	all := tinyWeights(t)
	plain, torch := safetensorsWith(t, nil, all...), readCase(t, "hf-legacy-bin", "pytorch_model.bin")
	old := safetensorsWith(t, nil, renamedTo(all, func(n string) string { return n + ".old" })...)
	const index, binIndex = "model.safetensors.index.json", "pytorch_model.bin.index.json"
	wte := all[slices.IndexFunc(all, func(x saved) bool { return x.name == "transformer.wte.weight" })]
	rest := slices.DeleteFunc(slices.Clone(all), func(x saved) bool { return x.name == wte.name })
	twice := inFile(all, "a.safetensors")
	withHead := inFile(all, "a.safetensors")
	withHead["lm_head.weight"] = "a.safetensors"
	headFor := inFile(rest, "a.safetensors")
	headFor[wte.name] = "a.safetensors"
	list := []kept{
		{"stale index, shards gone", map[string][]byte{"model.safetensors": plain, index: indexOf(t, inFile(all, "gone.safetensors"))}, "model.safetensors.index.json is not read"},
		{"stale index, shards there", map[string][]byte{"model.safetensors": plain, "a.safetensors": old, index: indexOf(t, inFile(all, "a.safetensors"))}, "is not read"},
		{"stale index that cannot be read", map[string][]byte{"model.safetensors": plain, index: []byte("{")}, "is not read"},
		{"index of the single file", map[string][]byte{"model.safetensors": plain, index: indexOf(t, inFile(all, "model.safetensors"))}, ""},
		{"stale index of torch", map[string][]byte{"pytorch_model.bin": torch, binIndex: indexOf(t, inFile(all, "gone.bin"))}, "pytorch_model.bin.index.json is not read"},
		{"index before torch", map[string][]byte{"a.safetensors": plain, "pytorch_model.bin": old, index: indexOf(t, inFile(all, "a.safetensors"))}, ""},
		{"safetensors before torch", map[string][]byte{"model.safetensors": plain, "pytorch_model.bin": old, binIndex: []byte("{")}, ""},

		{"output matrix only", map[string][]byte{"model.safetensors": safetensorsWith(t, map[string]string{"format": "pt"}, onlyHead(all)...)}, "under the name of the output matrix only"},
		{"output matrix with a map", map[string][]byte{"model.safetensors": safetensorsWith(t, map[string]string{"transformer.wte.weight": "lm_head.weight"}, onlyHead(all)...)}, "+lm_head"},
		{"embedding with a map", map[string][]byte{"model.safetensors": safetensorsWith(t, map[string]string{"lm_head.weight": "transformer.wte.weight"}, all...)}, "+lm_head"},
		{"a map to what is not there", map[string][]byte{"model.safetensors": safetensorsWith(t, map[string]string{"lm_head.weight": "x", "a": "lm_head.weight"}, all...)}, ""},
		{"output matrix only, wrapped", map[string][]byte{"model.safetensors": safetensorsWith(t, nil, renamedTo(onlyHead(all), func(n string) string { return "module." + n })...)}, "under the name"},
		{"output matrix only in the index", map[string][]byte{"a.safetensors": plain, index: indexOf(t, withHead)}, "lists lm_head.weight, which is in none of the files"},
		{"embedding only in the index", map[string][]byte{"a.safetensors": safetensorsWith(t, nil, onlyHead(all)...), index: indexOf(t, headFor)}, "lists wte.weight, which is in none"},
		{"output matrix only in a file", map[string][]byte{"a.safetensors": safetensorsWith(t, nil, append(all, saved{"lm_head.weight", wte.dtype, wte.shape, wte.data})...), index: indexOf(t, inFile(all, "a.safetensors"))}, "+lm_head"},

		{"names with ./", map[string][]byte{"a.safetensors": plain, index: indexOf(t, inFile(all, "././/a.safetensors"))}, ""},
		{"equal copies in two shards", map[string][]byte{"a.safetensors": plain, "b.safetensors": safetensorsWith(t, nil, wte, rest[0]), index: indexOf(t, func() map[string]string { twice[rest[0].name] = "b.safetensors"; return twice }())}, "is there twice, with the same values"},
		{"equal copies under two names", map[string][]byte{"model.safetensors": safetensorsWith(t, nil, append(all, saved{"module.transformer.wte.weight", wte.dtype, wte.shape, wte.data})...)}, `"wte.weight" is there twice`},

		{"torch under a safetensors name", map[string][]byte{"model.safetensors": torch}, "model.safetensors is a torch file"},
		{"safetensors under a torch name", map[string][]byte{"pytorch_model.bin": plain}, "pytorch_model.bin is a safetensors file"},
		{"torch shards under safetensors names", map[string][]byte{"a.safetensors": torch, index: indexOf(t, inFile(all, "a.safetensors"))}, "a.safetensors is a torch file"},
	}
	for _, prefix := range []string{"ema_model.", "ema_model.module.", "module.ema.", "averaged_model.model.", "state.ema.", "a.b.c.d.e."} {
		named := renamedTo(all, func(n string) string { return prefix + n })
		bias := saved{prefix + "transformer.blocks.0.attn.attn_bias", wte.dtype, wte.shape, wte.data}
		list = append(list, kept{"all begin with " + prefix, map[string][]byte{"model.safetensors": safetensorsWith(t, nil, append(named, bias)...)}, "the names of all tensors begin with"},
			kept{"shards that begin with " + prefix, map[string][]byte{"a.safetensors": safetensorsWith(t, nil, named...), index: indexOf(t, inFile(named, "a.safetensors"))}, "begin with"})
	}
	averaged := append(renamedTo(all, func(n string) string { return "module." + n }), saved{"n_averaged", "I64", []int{}, make([]byte, 8)})
	list = append(list, kept{"averaged by torch", map[string][]byte{"model.safetensors": safetensorsWith(t, nil, averaged...)}, ""})
	for _, dtype := range []string{"U16", "U32", "U64", "C64", "F8_E8M0", "F8_E4M3FNUZ", "F4", "F6_E2M3", "I4", "F1024"} {
		n := map[string]int{"U16": 2, "U32": 4, "U64": 8, "C64": 8}[dtype]
		odd := saved{"transformer.blocks.0.attn.attn_bias", dtype, []int{2}, make([]byte, max(2*n, 2))}
		list = append(list, kept{"a buffer of " + dtype, map[string][]byte{"model.safetensors": safetensorsWith(t, nil, append(all, odd)...)}, ""})
	}
	return list
}

// TestOddFolders reads the same weights from folders that hold them in every odd way.
func TestOddFolders(t *testing.T) {
	config := readCase(t, "hf-tiny", "config.json")
	for _, k := range oddFolders(t) {
		t.Run(k.name, func(t *testing.T) {
			k.files["config.json"] = config
			c, err := Open(folder(t, k.files))
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			if note, ok := strings.CutPrefix(k.note, "+"); ok { // a second name of the embedding
				head, wte := c.byName[note+".weight"], c.byName["wte.weight"]
				if same, err := head.Equal(wte); !same || err != nil {
					t.Errorf("%s is not the embedding: %v", note, err)
				}
				c.tensors = slices.DeleteFunc(c.tensors, func(x *Tensor) bool { return x == head })
				k.note = ""
			}
			if got := digest(t, c); got != tinyDigest {
				t.Errorf("%d tensors, other weights", len(c.Tensors()))
			}
			if notes := strings.Join(c.Notes(), "\n"); !strings.Contains(notes, k.note) || k.note == "" && notes != "" {
				t.Errorf("notes %q, want %q", notes, k.note)
			}
		})
	}
}

// TestFileAsSource opens one file of weights, whatever its name, beside a configuration.
func TestFileAsSource(t *testing.T) {
	files := map[string][]byte{
		"config.json":             readCase(t, "hf-tiny", "config.json"),
		"ep0-ba10-rank0.pt":       readCase(t, "hf-legacy-bin", "pytorch_model.bin"),
		"model.fp16.safetensors":  readCase(t, "hf-tiny", "model.safetensors"),
		"last.ckpt":               readCase(t, "hf-tiny", "model.safetensors"),
		"model-00001-of-00001.st": readCase(t, "hf-tiny", "model.safetensors"),
		"m-00001-of-00002.st":     readCase(t, "hf-tiny", "model.safetensors"),
	}
	dir := folder(t, files)
	for name := range files {
		c, err := Open(filepath.Join(dir, name))
		switch {
		case name == "config.json":
			if err == nil || !strings.Contains(err.Error(), "this is not a file that torch.save wrote") {
				t.Errorf("%s: %v", name, err)
			}
			continue
		case name == "m-00001-of-00002.st":
			if !errors.Is(err, ErrFormat) || !strings.Contains(err.Error(), "is one of 2 shards: give the folder") {
				t.Errorf("%s: %v", name, err)
			}
			continue
		case err != nil:
			t.Errorf("%s: %v", name, err)
			continue
		}
		if digest(t, c) != tinyDigest || c.Dir() != dir {
			t.Errorf("%s: other weights", name)
		}
		c.Close()
	}
	if err := os.Remove(filepath.Join(dir, "config.json")); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(filepath.Join(dir, "last.ckpt")); !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), "last.ckpt holds weights only; the model's config.json") {
		t.Error(err)
	}
}

// TestNoWeights lists what there is instead.
func TestNoWeights(t *testing.T) {
	config, plain := readCase(t, "hf-tiny", "config.json"), readCase(t, "hf-tiny", "model.safetensors")
	for want, files := range map[string][]string{
		`no index of shards: file does not exist`:                                                       {"tokenizer.json", "training_args.bin", "optimizer.pt", "rng_state_0.pth"},
		`there is "model.fp16.safetensors" (to read a file under another name, give the file itself`:    {"model.fp16.safetensors", "scheduler.pt"},
		`there is "consolidated.safetensors", "pytorch_model.pt" (to`:                                   {"pytorch_model.pt", "consolidated.safetensors"},
		`there is "MODEL.SAFETENSORS" (to read a file under another name, give the file itself`:         {"MODEL.SAFETENSORS", "Optimizer.PT"},
		`there is "PyTorch_Model.Bin" (to`:                                                              {"PyTorch_Model.Bin"},
		`there is "model.safetensors.part", which a download has not finished: file`:                    {"model.safetensors.part", "notes.part"},
		`there is "pytorch_model.bin.incomplete", which a download has not finished: file`:              {"pytorch_model.bin.incomplete"},
		`there is "adapter_model.safetensors" of a LoRA adapter: file`:                                  {"adapter_model.safetensors"},
		`shards; there is "model-00001-of-00001.safetensors" (to`:                                       {"model-00001-of-00001.safetensors"},
		`"1.pt", "2.pt", "3.pt", "4.pt", "5.pt", "6.pt", "7.pt", "8.pt", 2 more`:                        {"1.pt", "2.pt", "3.pt", "4.pt", "5.pt", "6.pt", "7.pt", "8.pt", "9.pt", "a.pt"},
		`there is the folder "checkpoint-500", the folder "global_step10", "q.gguf": file does not exi`: {"checkpoint-500/", "global_step10/", "q.gguf"},
	} {
		dir := folder(t, map[string][]byte{"config.json": config})
		for _, name := range files {
			if d, ok := strings.CutSuffix(name, "/"); ok {
				if err := os.Mkdir(filepath.Join(dir, d), 0o777); err != nil {
					t.Fatal(err)
				}
				continue
			}
			b := plain
			if strings.HasSuffix(name, ".gguf") {
				b = []byte("GGUF")
			}
			write(t, dir, name, b)
		}
		if _, err := Open(dir); !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %v\nwant %s", files, err, want)
		}
	}
}

// TestDangling says of links to what is not there that they are that, for every file.
func TestDangling(t *testing.T) {
	for _, name := range []string{"config.json", "model.safetensors", "model.safetensors.index.json", "pytorch_model.bin", "generation_config.json", "a.safetensors"} {
		dir := folder(t, map[string][]byte{"config.json": readCase(t, "hf-tiny", "config.json"), "model.safetensors": readCase(t, "hf-tiny", "model.safetensors")})
		if name != "config.json" && name != "generation_config.json" {
			remove(t, dir, "model.safetensors")
		} else if name == "config.json" {
			remove(t, dir, name)
		}
		if name == "a.safetensors" {
			write(t, dir, "model.safetensors.index.json", indexOf(t, map[string]string{"wte.weight": name}))
		}
		if err := os.Symlink("../../blobs/abc", filepath.Join(dir, name)); err != nil {
			t.Skip(err)
		}
		c, err := Open(dir)
		if err == nil && name == "generation_config.json" {
			_, err = c.File(name)
			c.Close()
		}
		if want := filepath.Join(dir, name) + " is a link to ../../blobs/abc, which does not exist"; err == nil || !strings.Contains(err.Error(), want) || errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestRefusedFolders names what cannot be read.
func TestRefusedFolders(t *testing.T) {
	all := tinyWeights(t)
	other := saved{"module." + all[0].name, all[0].dtype, all[0].shape, slices.Clone(all[0].data)}
	other.data[5] ^= 1
	short := saved{other.name, "F32", []int{1}, make([]byte, 4)}
	wide := saved{other.name, "F7", []int{1}, make([]byte, 4)}
	for want, file := range map[string][]byte{
		"is also in":     safetensorsWith(t, nil, append(all, other)...),
		"is also in ":    safetensorsWith(t, nil, append(all, short)...),
		"is also in  ":   safetensorsWith(t, nil, append(all, wide)...),
		"a web page":     []byte("<!DOCTYPE html><html>"),
		"with gzip":      []byte("\x1f\x8b\x08 and more"),
		"an HDF5 file":   []byte("\x89HDF\r\n\x1a\n and more"),
		"a GGUF file":    []byte("GGUF and more"),
		"file is empty":  {},
		"does not fit":   safetensorsWith(t, nil, all...)[:700],
		"truncated or d": safetensorsWith(t, nil, all...)[:70000],
	} {
		_, err := Open(folder(t, map[string][]byte{"config.json": readCase(t, "hf-tiny", "config.json"), "model.safetensors": file}))
		if !errors.Is(err, ErrFormat) || !strings.Contains(err.Error(), strings.TrimSpace(want)) {
			t.Errorf("%s: %v", want, err)
		}
	}
}

// TestOtherWeights names the weights that lie beside those that cannot be read: an
// interrupted download may come first in the order of transformers.
func TestOtherWeights(t *testing.T) {
	plain, torch := readCase(t, "hf-tiny", "model.safetensors"), readCase(t, "hf-legacy-bin", "pytorch_model.bin")
	const index, binIndex = "model.safetensors.index.json", "pytorch_model.bin.index.json"
	const empty = "the file is empty, as a download that was interrupted leaves it"
	for _, x := range []struct {
		files map[string][]byte
		want  []string
	}{
		{map[string][]byte{"model.safetensors": {}, "pytorch_model.bin": torch}, []string{empty, "; pytorch_model.bin lies beside it and is read once model.safetensors is gone"}},
		{map[string][]byte{"model.safetensors": plain[:1000], "pytorch_model.bin": torch}, []string{"truncated", "pytorch_model.bin lies beside it"}},
		{map[string][]byte{"model.safetensors": []byte("version https://git-lfs"), "pytorch_model.bin": torch}, []string{"git-lfs", "pytorch_model.bin lies beside it"}},
		{map[string][]byte{"model.safetensors": {}, binIndex: {}}, []string{empty, binIndex + " lies beside it"}},
		{map[string][]byte{index: {}, "pytorch_model.bin": torch}, []string{index + ": malformed file: " + empty, "is read once " + index + " is gone"}},
		{map[string][]byte{index: []byte("{"), "pytorch_model.bin": torch}, []string{"JSON", "pytorch_model.bin lies beside it"}},
		{map[string][]byte{"pytorch_model.bin": {}, binIndex: {}}, []string{empty, binIndex + " lies beside it"}},
		{map[string][]byte{"a.st": {}, index: []byte(`{"weight_map":{"wte.weight":"a.st"}}`)}, []string{"a.st: malformed file: " + empty, "download it again"}},
	} {
		x.files["config.json"] = readCase(t, "hf-tiny", "config.json")
		_, err := Open(folder(t, x.files))
		for _, want := range x.want {
			if !errors.Is(err, ErrFormat) || !strings.Contains(err.Error(), want) {
				t.Errorf("got %v\nwant %s", err, want)
			}
		}
		if strings.Contains(fmt.Sprint(err), "lies beside") != (len(x.files) > 2 && x.files["a.st"] == nil) {
			t.Errorf("got %v", err)
		}
	}
}

// TestSeveralSets refuses several sets of weights in one file, and names them.
func TestSeveralSets(t *testing.T) {
	all := tinyWeights(t)
	set := func(prefix string) []saved { return renamedTo(all, func(n string) string { return prefix + n }) }
	step := saved{"step", "I64", []int{}, make([]byte, 8)}
	for want, tensors := range map[string][]saved{
		`one without anything before the names, one with "ema_model."`: append(set("model."), set("ema_model.")...),
		`one with "ema_model.", one with "online_model."`:              append(append(set("online_model."), set("ema_model.module.")...), step),
	} {
		dir := folder(t, map[string][]byte{"config.json": readCase(t, "hf-tiny", "config.json"), "model.safetensors": safetensorsWith(t, nil, tensors...)})
		if _, err := Open(dir); !errors.Is(err, ErrFormat) || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}

// TestWrappedNames takes away what wrappers put into names, in any order.
func TestWrappedNames(t *testing.T) {
	for _, format := range []string{
		"module.%s", "model.%s", "base_model.model.%s", "_orig_mod.%s", "module._orig_mod.%s", "_orig_mod.module.model.%s", "_forward_module.model.%s",
		"model._fsdp_wrapped_module.%s", "_fsdp_wrapped_module._fpw_module.%s", "model._orig_mod.base_model.model.module.%s", "base_model.model.model.%s",
	} {
		for name, want := range map[string]string{
			"transformer.wte.weight": "wte.weight",
			"lm_head.weight":         "lm_head.weight",
			"transformer.blocks.3._fsdp_wrapped_module._checkpoint_wrapped_module.attn.Wqkv.weight": "blocks.3.attn.Wqkv.weight",
			"transformer.blocks.3._checkpoint_wrapped_module._orig_mod.ffn.up_proj.bias":            "blocks.3.ffn.up_proj.bias",
			"transformer.blocks.3.ffn._orig_mod.down_proj.base_layer.weight":                        "blocks.3.ffn.down_proj.weight",
			"transformer.blocks.3.mlp.mlp_up.base_layer.base_layer.weight":                          "blocks.3.ffn.up_proj.weight",
			"transformer._orig_mod.ln_f.weight":                                                     "norm_f.weight",
			"transformer.wte.base_layer.weight":                                                     "wte.weight",
			"transformer.blocks.0.module.norm_1.weight":                                             "blocks.0.norm_1.weight",
		} {
			full := fmt.Sprintf(format, name)
			if got := CanonicalName(full); got != want {
				t.Errorf("%s: %s, want %s", full, got, want)
			}
		}
	}
	for _, name := range []string{"modules.wte.weight", "wte.base_layers.weight", "blocks.0.attn.model.weight", "models.wte.weight"} {
		if got := CanonicalName(name); got != name {
			t.Errorf("%s became %s", name, got)
		}
	}
}
