package convert

import (
	"context"
	"errors"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"mptgo/mpt/checkpoint"
)

// badSource is a checkpoint that must be refused.
type badSource struct {
	name string
	dir  func(t *testing.T) string
	want string
	is   error // what the error wraps, if anything
}

// change returns a badSource that is hf-tiny with other weights.
func change(name string, f func(ws []weight) []weight, want string, is error) badSource {
	return badSource{name, func(t *testing.T) string { return forged(t, f(tiny(t)), nil) }, want, is}
}

// config returns a badSource that is hf-tiny with another configuration.
func config(name string, fields map[string]any, want string, is error) badSource {
	return badSource{name, func(t *testing.T) string { return modified(t, "hf-tiny", fields) }, want, is}
}

// file returns a badSource that is hf-tiny with another file, or without it.
func file(name, path, content, want string, is error) badSource {
	return badSource{name, func(t *testing.T) string {
		dir := modified(t, "hf-tiny", nil)
		if content == "" {
			os.Remove(filepath.Join(dir, path))
		} else {
			put(t, dir, path, []byte(content))
		}
		return dir
	}, want, is}
}

func extra(name string) func([]weight) []weight {
	return func(ws []weight) []weight { return append(ws, weight{name, "F32", []int{1}, make([]byte, 4)}) }
}

func edited(name string, f func(w *weight)) func([]weight) []weight {
	return func(ws []weight) []weight { f(find(ws, name)); return ws }
}

const up0 = "blocks.0.ffn.up_proj.weight"

func badSources() []badSource {
	missing := func(name string) func([]weight) []weight {
		return func(ws []weight) []weight { return without(ws, name) }
	}
	unsupported, format := errors.ErrUnsupported, checkpoint.ErrFormat
	return []badSource{
		config("family", map[string]any{"model_type": "llama"}, `model_type "llama": only mpt`, unsupported),
		config("features", map[string]any{"attn_config.kv_dim": 64, "prefix_lm": true}, "cross-attention (kv_dim), prefix_lm", unsupported),
		config("no positions", map[string]any{"attn_config.alibi": false, "learned_pos_emb": true}, "tensor wpe.weight is missing", format),
		config("no biases", map[string]any{"no_bias": false}, "tensor blocks.0.attn.Wqkv.bias is missing, against no_bias in config.json", format),
		config("no biases of queries", map[string]any{"attention_bias": true}, "Wqkv.bias is missing, against attention_bias", format),
		config("no norm of queries", map[string]any{"attn_config.qk_ln": true}, "tensor blocks.0.attn.q_ln.weight is missing", format),
		config("no gate", map[string]any{"ffn_config": map[string]any{"ffn_type": "mptglu"}}, "tensor blocks.0.ffn.gate_proj.weight is missing", format),
		config("fewer keys", map[string]any{"attn_config.attn_type": "multiquery_attention"}, "config.json calls for [96 64]", format),
		config("layers", map[string]any{"n_layers": 3}, "tensor blocks.2.norm_1.weight is missing", format),
		config("fewer layers", map[string]any{"n_layers": 1}, "tensor blocks.1.", format),
		config("width", map[string]any{"d_model": 128}, "has the shape [512 64], config.json calls for [512 128]", format),
		config("feed-forward", map[string]any{"expansion_ratio": 3}, "ffn.up_proj.weight has the shape [256 64], config.json calls for [192 64]", format),
		config("untied", map[string]any{"tie_word_embeddings": false}, "tensor lm_head.weight is missing", format),

		change("no embedding", missing("wte.weight"), "tensor wte.weight is missing", format),
		change("no norm", missing("norm_f.weight"), "tensor norm_f.weight is missing", format),
		change("no projection", missing("blocks.1.attn.Wqkv.weight"), "blocks.1.attn.Wq.weight is missing (nor is there a fused", format),
		change("shape", edited(up0, func(w *weight) { w.shape = []int{64, 256} }), up0+" has the shape [64 256]", format),
		change("integers", edited(up0, func(w *weight) { w.dtype = "I32" }), "weights of type I32", unsupported),
		change("fp8", edited(up0, func(w *weight) { w.dtype, w.data = "F8_E4M3", w.data[:len(w.data)/4] }), "weights of type F8_E4M3", unsupported),
		change("NaN", edited(up0, func(w *weight) { putFloat(w, 777, float32(math.NaN())) }), "tensor blk.0.ffn_up.weight: rows from 0: ", nil),
		change("infinity", edited("norm_f.weight", func(w *weight) { putFloat(w, 3, float32(math.Inf(-1))) }), "tensor output_norm.weight: ", nil),
		change("too large for F16", edited(up0, func(w *weight) { putFloat(w, 64, 70000) }), "row 1: column 0: the value is too large for F16; use BF16 or F32", nil),

		change("positions", extra("wpe.weight"), "wpe.weight is not part of the model", format),
		change("bias", extra("blocks.0.attn.Wqkv.bias"), "Wqkv.bias is there, against no_bias", format),
		change("qk norm", extra("blocks.0.attn.q_ln.weight"), "q_ln.weight is not part of the model", format),
		change("gate", extra("blocks.0.ffn.gate_proj.weight"), "gate_proj.weight is not part of the model", format),
		change("GPTQ", extra("blocks.0.attn.Wqkv.qweight"), "quantised by another program", unsupported),
		change("AWQ", extra("blocks.0.ffn.act.scales"), "act.scales has the shape [1], config.json calls for [256]", format),
		change("classifier", extra("score.weight"), "a classification head", unsupported),
		change("stranger", extra("blocks.0.attn.odd.weight"), "blocks.0.attn.odd.weight is not part of the model that config.json describes", format),

		file("no tokenizer", "tokenizer.json", "", "tokenizer.json", fs.ErrNotExist),
		file("bad tokenizer", "tokenizer.json", "{", "tokenizer", nil),
		file("bad generation config", "generation_config.json", `{"eos_token_id": "x"}`, "generation_config.json: malformed file", format),
		file("id outside", "generation_config.json", `{"eos_token_id": [0, 512]}`, "id 512 is outside the vocabulary of 512 tokens", nil),
		{"sentencepiece", func(t *testing.T) string {
			dir := modified(t, "hf-tiny", nil)
			os.Remove(filepath.Join(dir, "tokenizer.json"))
			put(t, dir, "tokenizer.model", []byte("x"))
			return dir
		}, "tokenizer.model: tokenizer: sentencepiece model: not a well-formed", nil},
		{"more tokens than rows", func(t *testing.T) string {
			ws := tiny(t)
			w := find(ws, "wte.weight")
			w.shape, w.data = []int{100, 64}, w.data[:100*64*4]
			return forged(t, ws, map[string]any{"vocab_size": 100})
		}, "tokens do not fit an embedding of 100 rows", nil},
		{"not there", func(t *testing.T) string { return filepath.Join(t.TempDir(), "none") }, "none", fs.ErrNotExist},
		{"a file that is no GGUF", func(t *testing.T) string { return filepath.Join(caseDir("hf-tiny"), "tokenizer.json") }, "a source is a GGUF file or the folder of a checkpoint", nil},
	}
}

func TestBadSources(t *testing.T) {
	for _, c := range badSources() {
		t.Run(c.name, func(t *testing.T) {
			out := t.TempDir()
			_, err := Convert(context.Background(), c.dir(t), filepath.Join(out, "x.gguf"), Options{Type: "F16"})
			if err == nil || !strings.Contains(err.Error(), c.want) || !strings.HasPrefix(err.Error(), "convert: ") {
				t.Errorf("got  %v\nwant %s", err, c.want)
			}
			if c.is != nil && !errors.Is(err, c.is) {
				t.Errorf("%v does not wrap %v", err, c.is)
			}
			empty(t, out)
		})
	}
}

// empty fails the test if a folder has anything in it.
func empty(t *testing.T, dir string) {
	t.Helper()
	left, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range left {
		t.Errorf("%s was left behind", e.Name())
	}
}

func TestUnknownType(t *testing.T) {
	_, err := Convert(context.Background(), caseDir("hf-tiny"), filepath.Join(t.TempDir(), "x"), Options{Type: "Q3"})
	if err == nil || !strings.Contains(err.Error(), `"Q3": choose one of F32, F16`) {
		t.Error(err)
	}
}

func TestExistingOutput(t *testing.T) {
	dst := filepath.Join(t.TempDir(), "x.gguf")
	put(t, filepath.Dir(dst), "x.gguf", []byte("precious"))
	_, err := Convert(context.Background(), caseDir("hf-tiny"), dst, Options{Type: "Q8_0"})
	if !errors.Is(err, fs.ErrExist) || !strings.Contains(err.Error(), "allow to replace it") {
		t.Errorf("an existing output: %v", err)
	}
	if b, _ := os.ReadFile(dst); string(b) != "precious" {
		t.Error("the existing output was changed")
	}
	if _, err := Convert(context.Background(), caseDir("hf-tiny"), dst, Options{Type: "Q8_0", Force: true}); err != nil {
		t.Fatal(err)
	}
	mustOpen(t, dst)
}

// TestOutputIsInput refuses to replace what it reads, with Force too.
func TestOutputIsInput(t *testing.T) {
	src := modified(t, "hf-tiny", nil)
	for _, name := range []string{"model.safetensors", "config.json"} {
		dst := filepath.Join(src, name)
		before, err := os.ReadFile(dst)
		if err != nil {
			t.Fatal(err)
		}
		_, err = Convert(context.Background(), src, dst, Options{Type: "F16", Force: true})
		if err == nil || !strings.Contains(err.Error(), "a file of the checkpoint") {
			t.Errorf("%s: %v", name, err)
		}
		if after, _ := os.ReadFile(dst); string(after) != string(before) {
			t.Errorf("%s was changed", name)
		}
	}
	for range 2 { // beside the checkpoint is a good place, the second time too
		if _, err := Convert(context.Background(), src, filepath.Join(src, "x.gguf"), Options{Type: "F16", Force: true}); err != nil {
			t.Error(err)
		}
	}
}

func TestNoOutputFolder(t *testing.T) {
	_, err := Convert(context.Background(), caseDir("hf-tiny"), filepath.Join(t.TempDir(), "no", "x.gguf"), Options{Type: "Q8_0"})
	if !errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
}

// TestCancel interrupts a conversion before and in the middle.
func TestCancel(t *testing.T) {
	out := t.TempDir()
	dst := filepath.Join(out, "x.gguf")
	ctx, cancel := context.WithCancel(context.Background())
	_, err := Convert(ctx, caseDir("hf-tiny"), dst, Options{Type: "F32", Threads: 2, Progress: func(done, total int64) {
		if done > total/2 {
			cancel()
		}
	}})
	if !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), "not finished") {
		t.Errorf("cancelled in the middle: %v", err)
	}
	empty(t, out)
	if _, err = Convert(ctx, caseDir("hf-tiny"), dst, Options{Type: "F32"}); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled before the start: %v", err)
	}
	empty(t, out)
}

// TestLateFailure truncates a shard after it was opened.
func TestLateFailure(t *testing.T) {
	dir, out := modified(t, "hf-tiny", nil), t.TempDir()
	_, err := Convert(context.Background(), dir, filepath.Join(out, "x.gguf"), Options{Type: "F32", Threads: 1, Progress: func(done, total int64) {
		if err := os.Truncate(filepath.Join(dir, "model.safetensors"), 2000); err != nil {
			t.Error(err)
		}
	}})
	if !errors.Is(err, checkpoint.ErrFormat) || !strings.Contains(err.Error(), "the file ended at byte") {
		t.Errorf("a file that shrinks: %v", err)
	}
	empty(t, out)
}

// TestNoSpace converts a model that is larger than any disk here.
func TestNoSpace(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("space is reserved on Linux only")
	}
	out := t.TempDir()
	_, err := Convert(context.Background(), hugeModel(t), filepath.Join(out, "x.gguf"), Options{Type: "F32"})
	if err == nil || !strings.Contains(err.Error(), "reserve") {
		t.Errorf("no space: %v", err)
	}
	empty(t, out)
}
