package mpt_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"mptgo/gguf"
	"mptgo/mpt"
	"mptgo/mpt/checkpoint"
	"mptgo/mpt/convert"
)

// grown is hf-tiny with another number of tokens: random rows, and a tokenizer that has
// the given ones behind its own.
type grown struct {
	rows   int
	values []float32 // of the embedding
	config map[string]any
	tokens []byte // tokenizer.json
}

func grow(t *testing.T, rows int, first bool, tokens ...string) grown {
	t.Helper()
	g := grown{rows: rows, values: embeddingOf(t, tiny)}
	r := rand.New(rand.NewPCG(5, uint64(rows)))
	for len(g.values) < rows*64 {
		g.values = append(g.values, float32(r.NormFloat64()/8))
	}
	g.values = g.values[:rows*64]
	if !first { // the old rows change, too
		for i := range g.values {
			g.values[i] *= 1.5
		}
	}
	readJSON(t, filepath.Join(tiny, "config.json"), &g.config)
	g.config["vocab_size"] = rows
	var tok map[string]any
	readJSON(t, filepath.Join(tiny, "tokenizer.json"), &tok)
	added := tok["added_tokens"].([]any)
	next := 512
	for _, text := range tokens {
		one := map[string]any{}
		for k, v := range added[0].(map[string]any) {
			one[k] = v
		}
		one["id"], one["content"] = next, text
		added = append(added, one)
		next++
	}
	tok["added_tokens"] = added
	g.tokens = marshal(t, tok)
	return g
}

func readJSON(t *testing.T, path string, v any) {
	t.Helper()
	b, err := os.ReadFile(path)
	if err == nil {
		err = json.Unmarshal(b, v)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func marshal(t *testing.T, v any) []byte {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// embeddingOf returns the embedding of a checkpoint of float32.
func embeddingOf(t *testing.T, dir string) []float32 {
	t.Helper()
	ck, err := checkpoint.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer ck.Close()
	x, _ := ck.Tensor("wte.weight")
	b := make([]byte, x.Bytes())
	if err := x.ReadRows(b, 0, x.Rows()); err != nil {
		t.Fatal(err)
	}
	v := make([]float32, len(b)/4)
	for i := range v {
		v[i] = math.Float32frombits(binary.LittleEndian.Uint32(b[4*i:]))
	}
	return v
}

// folder is the model as a checkpoint of its own.
func (g *grown) folder(t *testing.T) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), fmt.Sprintf("hf-tiny-%d", g.rows)) // converted tells folders apart by it
	if err := os.CopyFS(dir, os.DirFS(tiny)); err != nil {
		t.Fatal(err)
	}
	ck, err := checkpoint.Open(tiny)
	if err != nil {
		t.Fatal(err)
	}
	defer ck.Close()
	tensors := []forged{factor("wte.weight", []int{g.rows, 64}, g.values)}
	for name, v := range readFloats(t, ck) {
		if x, _ := ck.Tensor(name); name != "wte.weight" {
			tensors = append(tensors, factor(name, x.Shape, v))
		}
	}
	writeSafetensors(t, filepath.Join(dir, "model.safetensors"), tensors...)
	put(t, dir, "config.json", marshal(t, g.config))
	put(t, dir, "tokenizer.json", g.tokens)
	return dir
}

func readFloats(t *testing.T, ck *checkpoint.Checkpoint) map[string][]float32 {
	t.Helper()
	all := map[string][]float32{}
	for _, x := range ck.Tensors() {
		b := make([]byte, x.Bytes())
		if err := x.ReadRows(b, 0, x.Rows()); err != nil {
			t.Fatal(err)
		}
		v := make([]float32, len(b)/4)
		for i := range v {
			v[i] = math.Float32frombits(binary.LittleEndian.Uint32(b[4*i:]))
		}
		all[x.Name] = v
	}
	return all
}

// pairOf is a change of a projection.
func pairOf(seed uint64) []forged {
	r := rand.New(rand.NewPCG(seed, 1))
	a := factor("base_model.model.transformer.blocks.0.attn.Wqkv.lora_A.weight", []int{2, 64}, make([]float32, 128))
	b := factor("base_model.model.transformer.blocks.0.attn.Wqkv.lora_B.weight", []int{192, 2}, make([]float32, 384))
	for _, v := range [][]float32{a.values, b.values} {
		for i := range v {
			v[i] = float32(r.NormFloat64() / 8)
		}
	}
	return []forged{a, b}
}

// adapter is an adapter with the embedding under the given names, and a tokenizer if that
// is wanted.
func (g *grown) adapter(t *testing.T, tokenizer bool, config map[string]any, names ...string) string {
	t.Helper()
	tensors := pairOf(7)
	for _, name := range names {
		tensors = append(tensors, factor("base_model.model."+name, []int{g.rows, 64}, g.values))
	}
	all := map[string]any{"r": 2}
	for k, v := range config {
		all[k] = v
	}
	dir := forgeFolder(t, all, tensors...)
	if tokenizer {
		put(t, dir, "tokenizer.json", g.tokens)
	}
	return dir
}

// mergedWith merges an adapter and returns the file and what was logged.
func mergedWith(t *testing.T, base, adapter, typ string) (file, log string, err error) {
	t.Helper()
	var text strings.Builder
	file = filepath.Join(t.TempDir(), "merged.gguf")
	opt := convert.Options{Type: typ, Logf: func(f string, a ...any) { fmt.Fprintf(&text, f+"\n", a...) }}
	_, err = convert.Merge(context.Background(), base, []convert.AdapterFile{{Path: adapter, Scale: 1}}, file, opt)
	return file, text.String(), err
}

// sameFile fails the test unless two model files hold the same tensors and vocabularies.
func sameFile(t *testing.T, got, want string) {
	t.Helper()
	a, b := opened(t, got), opened(t, want)
	if x, y := a.File().Tensors(), b.File().Tensors(); len(x) != len(y) {
		t.Fatalf("%d tensors, want %d", len(x), len(y))
	}
	for _, y := range b.File().Tensors() {
		x, ok := a.File().Tensor(y.Name)
		if !ok || x.Type != y.Type || !slices.Equal(x.Shape, y.Shape) || !bytes.Equal(x.Data(), y.Data()) {
			t.Errorf("%s differs", y.Name)
		}
	}
	tokens := func(m *mpt.Model) []string {
		v, err := gguf.Get[[]string](m.File(), "tokenizer.ggml.tokens")
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	if !slices.Equal(tokens(a), tokens(b)) {
		t.Error("the vocabularies differ")
	}
}

const wteName = "transformer.wte.weight"

// TestResizedEmbedding merges adapters whose embedding has more or fewer rows: the result is
// that of the model made so, with the change of the projection merged.
func TestResizedEmbedding(t *testing.T) {
	plain := forgeFolder(t, map[string]any{"r": 2}, pairOf(7)...)
	for _, c := range []struct {
		name  string
		model grown
		names []string
	}{
		{"two tokens more", grow(t, 514, true, "<|user|>", "<|bot|>"), []string{wteName}},
		{"modules_to_save", grow(t, 514, true, "<|user|>", "<|bot|>"), []string{"transformer.wte.modules_to_save.default.weight", "transformer.wte.original_module.weight"}},
		{"trained, too", grow(t, 514, false, "<|user|>", "<|bot|>"), []string{wteName}},
		{"both of the tied", grow(t, 514, false, "<|user|>", "<|bot|>"), []string{wteName, "lm_head.weight"}},
		{"padded to a multiple", grow(t, 576, true, "<|user|>"), []string{wteName}},
		{"below a change", grow(t, 513, true, "<|x|>"), []string{"transformer.wte.base_layer.weight"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			want := merged(t, c.model.folder(t), "F32", convert.AdapterFile{Path: plain, Scale: 1})
			adapter := c.model.adapter(t, true, nil, c.names...)
			for _, base := range []string{tiny, converted(t, tiny, "F32")} {
				got, log, err := mergedWith(t, base, adapter, "")
				if err != nil {
					t.Fatal(err)
				}
				sameFile(t, got, want)
				if !strings.Contains(log, fmt.Sprintf("has %d rows where the model had 512", c.model.rows)) || strings.Contains(log, "each becomes a tensor") {
					t.Errorf("log %q", log)
				}
				m := opened(t, got)
				if m.Config().Vocab != c.model.rows {
					t.Errorf("%d tokens", m.Config().Vocab)
				}
			}
			if _, err := opened(t, converted(t, tiny, "F32")).LoadAdapter(adapter); err == nil || !strings.Contains(err.Error(), "which can only be merged") {
				t.Errorf("beside a model: %v", err)
			}
		})
	}
	g := grow(t, 514, true, "<|user|>", "<|bot|>")
	m := opened(t, merged(t, tiny, "", convert.AdapterFile{Path: g.adapter(t, true, nil, wteName), Scale: 1}))
	if id, ok := m.Tokenizer().ID("<|bot|>"); !ok || id != 513 {
		t.Errorf("a new token is %d", id)
	}
}

// TestResizedWithout has no tokenizer beside the adapter, quantised models, and what cannot be.
func TestResizedWithout(t *testing.T) {
	g := grow(t, 520, true)
	adapter := g.adapter(t, false, nil, wteName)
	for _, base := range []string{tiny, converted(t, tiny, "F32"), converted(t, tiny, "Q8_0")} {
		file, log, err := mergedWith(t, base, adapter, "")
		if err != nil {
			t.Fatal(err)
		}
		tokens, err := gguf.Get[[]string](opened(t, file).File(), "tokenizer.ggml.tokens")
		if err != nil || len(tokens) != 520 || tokens[519] != "[PAD519]" || !strings.Contains(log, "no tokenizer beside the adapter") {
			t.Errorf("%s: %d tokens, %v, log %q", base, len(tokens), err, log)
		}
	}
	small, short := grow(t, 300, true), grow(t, 514, true, "<|a|>", "<|b|>", "<|c|>")
	head := forgeFolder(t, map[string]any{"r": 2}, append(pairOf(7), factor("base_model.model.lm_head.weight", []int{514, 64}, grow(t, 514, true).values))...)
	two := forgeFolder(t, map[string]any{"r": 2}, append(pairOf(7), factor("base_model.model.lm_head.weight", []int{514, 64}, grow(t, 514, true).values),
		factor("base_model.model.transformer.wte.weight", []int{513, 64}, grow(t, 513, true).values))...)
	for want, path := range map[string]string{
		"as token 300, the adapter's embedding only 300 rows": small.adapter(t, false, nil, wteName),
		"tokens do not fit an embedding of 514 rows":          short.adapter(t, true, nil, wteName),
		"an output matrix of 514 rows and no embedding":       head,
		"do not belong together":                              two,
	} {
		if _, _, err := mergedWith(t, converted(t, tiny, "F32"), path, ""); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}

// TestResizedUntied resizes both matrices of a model that has two, or none.
func TestResizedUntied(t *testing.T) {
	old, big := grow(t, 512, false), grow(t, 514, true, "<|a|>", "<|b|>")
	old.config["tie_word_embeddings"] = false
	base := old.folder(t)
	tensors := []forged{factor("lm_head.weight", []int{512, 64}, embeddingOf(t, tiny))}
	ck, err := checkpoint.Open(tiny)
	if err != nil {
		t.Fatal(err)
	}
	defer ck.Close()
	for name, v := range readFloats(t, ck) {
		x, _ := ck.Tensor(name)
		tensors = append(tensors, factor(name, x.Shape, v))
	}
	writeSafetensors(t, filepath.Join(base, "model.safetensors"), tensors...)
	head := slices.Clone(big.values)
	slices.Reverse(head)
	both := forgeFolder(t, map[string]any{"r": 2}, append(pairOf(7), factor("base_model.model."+wteName, []int{514, 64}, big.values),
		factor("base_model.model.lm_head.weight", []int{514, 64}, head))...)
	put(t, both, "tokenizer.json", big.tokens)
	for _, typ := range []string{"", "F16"} { // of the folder, and of a tied one
		for _, from := range []string{base, tiny} {
			file, _, err := mergedWith(t, from, both, typ)
			if err != nil {
				t.Fatal(err)
			}
			m := opened(t, file)
			x, ok := m.File().Tensor("output.weight")
			if !ok || x.Shape[1] != 514 || m.Config().Vocab != 514 {
				t.Errorf("%s: %v", from, ok)
			}
			if typ == "" && math.Float32frombits(binary.LittleEndian.Uint32(x.Data())) != head[0] {
				t.Errorf("%s: another output matrix", from)
			}
		}
	}
	if _, _, err := mergedWith(t, base, big.adapter(t, true, nil, wteName), ""); err == nil || !strings.Contains(err.Error(), "an embedding of 514 rows and no output matrix; that of the model has 512 rows") {
		t.Error(err)
	}
}

// TestEmbeddingSavedAlong uses adapters with copies of the model's own weights as if these
// were not there, at run time and merged.
func TestEmbeddingSavedAlong(t *testing.T) {
	same := grow(t, 512, true)
	plain := forgeFolder(t, map[string]any{"r": 2}, pairOf(7)...)
	ids := text(9)
	for _, typ := range []string{"F32", "F16", "BF16", "Q8_0"} {
		file := converted(t, tiny, typ)
		want := allLogits(t, opened(t, file, mpt.LoRA(plain, 0.5)), ids)
		for _, names := range [][]string{{wteName}, {wteName, "lm_head.weight"}, {"transformer.wte.base_layer.weight"}, {"lm_head.modules_to_save.default.weight"}} {
			adapter := same.adapter(t, false, nil, names...)
			m := opened(t, file, mpt.LoRA(adapter, 0.5))
			if got := allLogits(t, m, ids); !slices.EqualFunc(got, want, sameBits) {
				t.Errorf("%s, %q: other logits", typ, names)
			}
			if notes := m.Adapters()[0].Adapter.Notes(); len(notes) != 1 || !strings.Contains(notes[0], "as a copy of the model's own") {
				t.Errorf("%s, %q: notes %q", typ, names, notes)
			}
			got, log, err := mergedWith(t, file, adapter, "")
			if err != nil {
				t.Fatal(err)
			}
			sameFile(t, got, merged(t, file, "", convert.AdapterFile{Path: plain, Scale: 1}))
			if !strings.Contains(log, "as a copy of the model's own") || strings.Contains(log, "each becomes a tensor") {
				t.Errorf("%s, %q: log %q", typ, names, log)
			}
		}
	}
}

// TestTiedTogether keeps two matrices one where the adapter says so.
func TestTiedTogether(t *testing.T) {
	changed := grow(t, 512, false)
	adapter := changed.adapter(t, false, map[string]any{"ensure_weight_tying": true}, wteName)
	want := merged(t, changed.folder(t), "F32", convert.AdapterFile{Path: forgeFolder(t, map[string]any{"r": 2}, pairOf(7)...), Scale: 1})
	both := changed.adapter(t, false, nil, wteName, "lm_head.weight")
	for _, base := range []string{tiny, converted(t, tiny, "F32")} {
		for _, path := range []string{adapter, both} {
			got, log, err := mergedWith(t, base, path, "")
			if err != nil {
				t.Fatal(err)
			}
			sameFile(t, got, want)
			if log != "" && !strings.Contains(log, "chat template") {
				t.Errorf("log %q", log)
			}
		}
	}
}

// TestBelowChangedEmbedding merges an adapter that changes the embedding and brings along
// what lies below the change, of the same size or another: that is the model's own, also
// where the output matrix is tied to it.
func TestBelowChangedEmbedding(t *testing.T) {
	for _, rows := range []int{512, 514} {
		g := grow(t, rows, false)
		r := rand.New(rand.NewPCG(8, 8))
		a := factor("base_model.model.transformer.wte.lora_embedding_A", []int{2, rows}, make([]float32, 2*rows))
		b := factor("base_model.model.transformer.wte.lora_embedding_B", []int{64, 2}, make([]float32, 128))
		for _, v := range [][]float32{a.values, b.values} {
			for i := range v {
				v[i] = float32(r.NormFloat64() / 8)
			}
		}
		below := factor("base_model.model.transformer.wte.base_layer.weight", []int{rows, 64}, g.values)
		want := merged(t, g.folder(t), "F32", convert.AdapterFile{Path: forgeFolder(t, map[string]any{"r": 2}, a, b), Scale: 1})
		for _, base := range []string{tiny, converted(t, tiny, "F32")} {
			got, _, err := mergedWith(t, base, forgeFolder(t, map[string]any{"r": 2}, a, b, below), "")
			if err != nil {
				t.Fatal(err)
			}
			sameFile(t, got, want)
		}
	}
}

// TestTokensInUnusedRows takes the tokenizer of an adapter that has tokens where the model
// has rows that nothing uses, and leaves others alone.
func TestTokensInUnusedRows(t *testing.T) {
	padded := grow(t, 528, true)
	base := padded.folder(t)
	for _, c := range []struct {
		name   string
		tokens []byte
		first  string // token 512 of the merged model
		note   string
	}{
		{"more tokens", grow(t, 528, true, "<|user|>").tokens, "<|user|>", "has tokens for 1 rows of the embedding that the model does not use"},
		{"the same", padded.tokens, "[PAD512]", ""},
		{"of another model", bytes.Replace(padded.tokens, []byte("|endoftext|"), []byte("|other|"), -1), "[PAD512]", "the model keeps its own"},
		{"that cannot be read", []byte("{"), "[PAD512]", "the model keeps its own"},
	} {
		adapter := padded.adapter(t, false, nil)
		put(t, adapter, "tokenizer.json", c.tokens)
		for _, from := range []string{base, converted(t, base, "F32")} {
			file, log, err := mergedWith(t, from, adapter, "")
			if err != nil {
				t.Fatal(err)
			}
			tokens, err := gguf.Get[[]string](opened(t, file).File(), "tokenizer.ggml.tokens")
			if err != nil || tokens[512] != c.first || !strings.Contains(log, c.note) || c.note == "" && log != "" {
				t.Errorf("%s: token 512 is %q, %v, log %q", c.name, tokens[512], err, log)
			}
		}
	}
}
