package convert

import (
	"bytes"
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"mptgo/gguf"
)

// logged converts a checkpoint and returns the file's bytes and what was logged.
func logged(t *testing.T, dir, typ string) ([]byte, string) {
	t.Helper()
	var log strings.Builder
	b := convertBytes(t, dir, Options{Type: typ, Logf: func(f string, a ...any) { fmt.Fprintf(&log, f+"\n", a...) }})
	return b, log.String()
}

// TestSameModel writes the model hf-tiny in other ways: the files must be equal.
func TestSameModel(t *testing.T) {
	want := convertBytes(t, forged(t, tiny(t), nil), Options{Type: "Q8_0"})
	split := func(ws []weight) []weight {
		for i := range 2 {
			name := fmt.Sprintf("blocks.%d.attn.", i)
			w := find(ws, name+"Wqkv.weight")
			n := len(w.data) / 3
			for j, x := range []string{"Wq", "Wk", "Wv"} {
				ws = append(ws, weight{name + x + ".weight", "F32", []int{64, 64}, w.data[j*n:][:n]})
			}
			ws = without(ws, name+"Wqkv.weight")
		}
		return ws
	}
	for _, c := range []struct {
		name   string
		change func(ws []weight) []weight
		fields map[string]any
	}{
		{"unfused projections", split, map[string]any{"attn_config.fused_qkv": false}},
		{"float64", func(ws []weight) []weight {
			for i := range ws {
				asDoubles(&ws[i])
			}
			return ws
		}, nil},
		{"with buffers", func(ws []weight) []weight {
			return append(ws, weight{"transformer.attn_bias", "F32", []int{1}, make([]byte, 4)}, weight{"blocks.0.attn.rotary_emb.inv_freq", "F32", []int{1}, make([]byte, 4)})
		}, nil},
		{"with a copy of the embedding", func(ws []weight) []weight {
			return append(ws, weight{"lm_head.weight", "F32", []int{512, 64}, find(ws, "wte.weight").data})
		}, nil},
		{"scale and compensation", func(ws []weight) []weight { return ws }, map[string]any{"attn_config.softmax_scale": 0.25, "logit_scale": 1.0}},
	} {
		got, log := logged(t, forged(t, c.change(tiny(t)), c.fields), "Q8_0")
		if !bytes.Equal(got, want) || log != "" {
			t.Errorf("%s: a different file, or a note: %s", c.name, log)
		}
	}
}

func TestHead(t *testing.T) {
	ws := tiny(t)
	other := bytes.Clone(find(ws, "wte.weight").data)
	other[1] ^= 1
	ws = append(ws, weight{"lm_head.weight", "F32", []int{512, 64}, other})

	_, log := logged(t, forged(t, ws, nil), "F32")
	if !strings.Contains(log, "lm_head.weight differs from wte.weight: it is kept as an output matrix of its own") {
		t.Errorf("tied with another head: log %q", log)
	}
	for _, fields := range []map[string]any{nil, {"tie_word_embeddings": true}, {"tie_word_embeddings": false}} {
		f := mustConvert(t, forged(t, ws, fields), Options{Type: "F32"})
		last := f.Tensors()[len(f.Tensors())-1]
		if last.Name != "output.weight" || !bytes.Equal(last.Data(), other) {
			t.Errorf("%v: the last tensor is %s", fields, last.Name)
		}
	}
}

// TestUnderflow counts the weights that F16 cannot hold because they are small, and
// refuses one that it cannot hold because it is large.
func TestUnderflow(t *testing.T) {
	ws := tiny(t)
	w := find(ws, "blocks.0.ffn.up_proj.weight")
	for i, x := range []float32{1e-9, -1e-9, 0, 6e-8, 65519} {
		putFloat(w, i, x)
	}
	dir := forged(t, ws, nil)
	for _, c := range []struct {
		typ  string
		want int64
	}{{"F16", 2}, {"BF16", 0}, {"F32", 0}, {"Q8_0", 0}} {
		s, err := Convert(context.Background(), dir, filepath.Join(t.TempDir(), "x.gguf"), Options{Type: c.typ})
		if err != nil || s.Underflows != c.want {
			t.Errorf("%s: %+v, %v", c.typ, s, err)
		}
	}
	if _, log := logged(t, dir, "F16"); !strings.Contains(log, "2 of 131392 weights are too small for F16") {
		t.Errorf("log %q", log)
	}
}

func TestUnderflows(t *testing.T) {
	f16 := []byte{0, 0, 0, 0x80, 0, 0, 1, 0}
	for _, c := range []struct {
		typ gguf.Type
		src []byte
	}{
		{gguf.BF16, []byte{0, 0, 0, 0x80, 1, 0, 1, 0x33}},
		{gguf.F32, []byte{0, 0, 0, 0, 0, 0, 0, 0x80, 1, 0, 0, 0, 0, 0, 1, 0x33}},
	} {
		if n := underflows(f16, c.src, c.typ); n != 1 {
			t.Errorf("%v: %d underflows, want only the third value", c.typ, n)
		}
	}
}

// TestFallback converts a model whose rows do not divide into blocks.
func TestFallback(t *testing.T) {
	f, log := logged(t, caseDir("hf-tiny"), "Q4_0")
	if len(f) == 0 || !strings.Contains(log, "token_embd.weight: rows of 64 values do not divide into Q6_K blocks of 256: Q8_0 instead") {
		t.Errorf("log %q", log)
	}
}
