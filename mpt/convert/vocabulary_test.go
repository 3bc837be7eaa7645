package convert

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"mptgo/internal/check"
	"mptgo/mpt/tokenizer"
)

func TestVocabulary(t *testing.T) {
	dir := modified(t, "hf-tiny", nil)
	put(t, dir, "generation_config.json", []byte(`{"bos_token_id": 0, "eos_token_id": [0, 5], "pad_token_id": 1}`))
	put(t, dir, "tokenizer_config.json", []byte(`{"eos_token": "<|endoftext|>", "chat_template": "from the configuration"}`))
	f := mustConvert(t, dir, Options{Type: "Q8_0"})
	tok, err := tokenizer.FromGGUF(f)
	if err != nil {
		t.Fatal(err)
	}
	if tok.Size() != 512 || tok.BOS() != 0 || tok.EOS() != 0 || !slices.Equal(tok.EOGs(), []int32{0, 5}) {
		t.Errorf("size %d, bos %d, eos %d, eog %v", tok.Size(), tok.BOS(), tok.EOS(), tok.EOGs())
	}
	if pad := mustGet[uint32](t, f, "tokenizer.ggml.padding_token_id"); pad != 1 {
		t.Errorf("padding id %d", pad)
	}
	if s := mustGet[string](t, f, "tokenizer.chat_template"); s != "from the configuration" {
		t.Errorf("template %q", s)
	}

	put(t, dir, "chat_template.jinja", []byte("from a file of its own"))
	put(t, dir, "generation_config.json", []byte(`{"eos_token_id": 7}`))
	f = mustConvert(t, dir, Options{Type: "Q8_0"})
	if s := mustGet[string](t, f, "tokenizer.chat_template"); s != "from a file of its own" {
		t.Errorf("template %q", s)
	}
	if tok, err = tokenizer.FromGGUF(f); err != nil || !tok.IsEOG(7) || !tok.IsEOG(0) {
		t.Errorf("one id: %v", err)
	}
}

// TestPadding gives the model more rows than the tokenizer has tokens.
func TestPadding(t *testing.T) {
	ws := tiny(t)
	w := find(ws, "wte.weight")
	w.shape, w.data = []int{515, 64}, append(slices.Clone(w.data), make([]byte, 3*64*4)...)
	dir := forged(t, ws, nil)
	f, log := logged(t, dir, "F16")
	if len(f) == 0 || log != "config.json: vocab_size is 512, but the embedding has 515 rows; the embedding counts\n" {
		t.Errorf("log %q", log)
	}
	tok, err := tokenizer.FromGGUF(mustConvert(t, dir, Options{Type: "F16"}))
	if err != nil {
		t.Fatal(err)
	}
	if text, typ := tok.Token(514); tok.Size() != 515 || text != "[PAD514]" || typ != tokenizer.Unused {
		t.Errorf("%d tokens, the last is %q, %v", tok.Size(), text, typ)
	}
}

// TestStories converts the trained model, which has all files.
func TestStories(t *testing.T) {
	if testing.Short() {
		t.Skip("60 MB")
	}
	f := mustConvert(t, check.Shared(t, "models", "mpt-stories"), Options{Type: "Q4_0"})
	tok, err := tokenizer.FromGGUF(f)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(tok.EOGs(), []int32{0, 8191}) || mustGet[string](t, f, "tokenizer.chat_template") == "" {
		t.Errorf("eog %v", tok.EOGs())
	}
}

// Sentencepiece models, under either name, beside a tokenizer.json that is not
// supported, and with tokens that were added.
func TestSentencepieceVocabulary(t *testing.T) {
	for _, c := range []struct{ model, name, beside, want string }{
		{"bpe", "tokenizer.model", "", "llama"},
		{"unigram", "spiece.model", "", "t5"},
		{"bpe", "tokenizer.model", `{"model": {"type": "BPE", "byte_fallback": true}}`, "llama"},
	} {
		dir := modified(t, "hf-tiny", nil)
		model, err := os.ReadFile(filepath.Join("..", "tokenizer", "testdata", "sentencepiece", c.model+".model"))
		if err != nil {
			t.Fatal(err)
		}
		put(t, dir, c.name, model)
		put(t, dir, "added_tokens.json", []byte(`{"<|im_end|>": 420}`))
		put(t, dir, "tokenizer_config.json", []byte(`{"pad_token": "<|im_end|>"}`))
		os.Remove(filepath.Join(dir, "tokenizer.json"))
		if c.model == "unigram" {
			os.Remove(filepath.Join(dir, "special_tokens_map.json"))
		}
		if c.beside != "" {
			put(t, dir, "tokenizer.json", []byte(c.beside))
		}
		f := mustConvert(t, dir, Options{Type: "Q8_0", Logf: func(format string, args ...any) {
			if c.beside == "" || !strings.Contains(format, "is read instead") {
				t.Errorf(format, args...)
			}
		}})
		tok, err := tokenizer.FromGGUF(f)
		if err != nil {
			t.Fatal(err)
		}
		v, err := tokenizer.ParseSentencepiece(model)
		if err != nil {
			t.Fatal(err)
		}
		direct, err := tokenizer.New(v)
		if err != nil {
			t.Fatal(err)
		}
		const text = " Once upon  a time <br>\u2603 the"
		want, got := direct.Encode(text, tokenizer.EncodeOptions{}), tok.Encode(text, tokenizer.EncodeOptions{})
		if !slices.Equal(got, want) || tok.Size() != 512 || tok.PAD() != 420 || !tok.IsEOG(420) || mustGet[string](t, f, "tokenizer.ggml.model") != c.want {
			t.Errorf("%s: %v, want %v; size %d, padding %d", c.name, got, want, tok.Size(), tok.PAD())
		}
	}
}
