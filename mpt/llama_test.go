package mpt_test

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"mptgo/gguf"
	"mptgo/mpt"
	"mptgo/mpt/convert"
	"mptgo/mpt/tokenizer"
)

// oldFile writes the file at path again as other programs would have written it:
// with other metadata, and with a copy of the embedding as the output matrix.
func oldFile(t *testing.T, path string, doubled bool, change func(meta []gguf.KV) []gguf.KV) string {
	t.Helper()
	f, err := gguf.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var infos []gguf.TensorInfo
	var data [][]byte
	for _, x := range f.Tensors() {
		infos, data = append(infos, x.Info()), append(data, x.Data())
		if doubled && x.Name == "token_embd.weight" {
			twin := x.Info()
			twin.Name = "output.weight"
			infos, data = append(infos, twin), append(data, x.Data())
		}
	}
	out := filepath.Join(t.TempDir(), "old.gguf")
	w, err := gguf.Create(out, change(slices.Clone(f.Meta())), infos, gguf.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for i, b := range data {
		if _, err := w.WriteAt(i, b, 0); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Commit(); err != nil {
		t.Fatal(err)
	}
	return out
}

// lacking returns a change that removes keys.
func lacking(names ...string) func([]gguf.KV) []gguf.KV {
	return func(meta []gguf.KV) []gguf.KV {
		return slices.DeleteFunc(meta, func(kv gguf.KV) bool {
			return slices.ContainsFunc(names, func(n string) bool { return strings.HasSuffix(kv.Key, n) })
		})
	}
}

// userDefinedPadding gives unused tokens the type that they had before 2024.
func userDefinedPadding(meta []gguf.KV) []gguf.KV {
	for i, kv := range meta {
		if kv.Key == "tokenizer.ggml.token_type" {
			types := slices.Clone(kv.Value.([]int32))
			for id, typ := range types {
				if typ == 5 {
					types[id] = 4
				}
			}
			meta[i].Value = types
		}
	}
	return meta
}

// Files of MPT models as versions of llama.cpp have written them since October 2023
// give the same tokens and logits as ours.
func TestFilesOfLlama(t *testing.T) {
	const tied = "hf-tiny"
	for _, c := range []struct {
		name    string
		dir     string // of a case
		doubled bool
		change  func([]gguf.KV) []gguf.KV
	}{
		{"as today", tied, false, lacking("general.file_type", "head_count_kv")},
		{"of 2023", tied, true, lacking("tokenizer.ggml.pre", "general.type", "general.file_type", "head_count_kv", "add_bos_token", "unknown_token_id")},
		{"without ids", tied, true, lacking("bos_token_id", "eos_token_id", "unknown_token_id", "tokenizer.ggml.pre")},
		{"without types", tied, false, lacking("tokenizer.ggml.token_type")},
		{"padding", tied, false, userDefinedPadding},
		{"multi-query", "lf-mqa", false, lacking("head_count_kv")},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := caseDir(t, c.dir)
			file := converted(t, dir, "F32")
			want, got := opened(t, file), opened(t, oldFile(t, file, c.doubled, c.change))
			a, b := want.Tokenizer(), got.Tokenizer()
			ids := b.Encode("Once upon a time<|endoftext|>[PAD510]é", tokenizer.EncodeOptions{ParseSpecial: true})
			if !slices.Equal(ids, a.Encode("Once upon a time<|endoftext|>[PAD510]é", tokenizer.EncodeOptions{ParseSpecial: true})) || a.EOS() != b.EOS() || a.BOS() != b.BOS() || !slices.Equal(a.EOGs(), b.EOGs()) {
				t.Errorf("ids %v, eos %d, ends %v", ids, b.EOS(), b.EOGs())
			}
			if want.Config().KVHeads != got.Config().KVHeads {
				t.Errorf("%d heads of keys and values, want %d", got.Config().KVHeads, want.Config().KVHeads)
			}
			x, y := allLogits(t, want, ids), allLogits(t, got, ids)
			for i := range x {
				if !slices.Equal(x[i], y[i]) {
					t.Fatalf("other logits after token %d", i)
				}
			}
			// Such a file can be converted further, too.
			out := filepath.Join(t.TempDir(), "again.gguf")
			if _, err := convert.Convert(t.Context(), got.File().Name(), out, convert.Options{Type: "Q8_0"}); err != nil {
				t.Error(err)
			}
			opened(t, out, mpt.Threads(1))
		})
	}
}
