package tokenizer

import (
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"mptgo/gguf"
	"mptgo/internal/check"
)

// write makes a GGUF file of the given metadata and opens it.
func write(t testing.TB, meta []gguf.KV) *gguf.File {
	t.Helper()
	path := filepath.Join(t.TempDir(), "vocab.gguf")
	w, err := gguf.Create(path, meta, nil, gguf.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Commit(); err != nil {
		t.Fatal(err)
	}
	f, err := gguf.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

// mpt returns the metadata of an MPT model with the vocabulary v.
func mptMeta(v *Vocab) []gguf.KV {
	return append([]gguf.KV{{Key: "general.architecture", Value: "mpt"}}, v.Meta()...)
}

func TestMetaRoundTrip(t *testing.T) {
	for name, change := range map[string]func(v *Vocab){
		"plain":      func(v *Vocab) {},
		"no ids":     func(v *Vocab) { v.BOS, v.UNK, v.PAD = None, None, None },
		"end":        func(v *Vocab) { v.EOG = []int32{3} },
		"ends":       func(v *Vocab) { v.EOG = []int32{4, 3, 9} },
		"templates":  func(v *Vocab) { v.Templates = map[string]string{"rag": "{{ r }}", "tool_use": "{{ t }}"} },
		"normalized": func(v *Vocab) { v.Normalized = []int32{} },
		"all": func(v *Vocab) {
			v.PAD, v.AddBOS, v.ChatTemplate, v.Pre, v.Normalized = 1, true, "{{ x }}", PreGPT2, []int32{1}
		},
	} {
		want := loadVocab(t, "testdata/tiny.tokenizer.json")
		if err := want.Pad(512); err != nil {
			t.Fatal(err)
		}
		change(want)
		got, err := vocabFromGGUF(write(t, mptMeta(want)))
		if err != nil {
			t.Errorf("%s: %v", name, err)
		} else if !reflect.DeepEqual(got, want) {
			t.Errorf("%s: got %v, want %v", name, got, want)
		}
	}
}

func TestGoldensThroughGGUF(t *testing.T) {
	all := goldens(t)
	v := loadVocab(t, check.Shared(t, "testdata", "tokenizer", "mpt-chat.tokenizer.json"))
	if err := v.Pad(50432); err != nil {
		t.Fatal(err)
	}
	tok, err := FromGGUF(write(t, mptMeta(v)))
	if err != nil {
		t.Fatal(err)
	}
	for _, g := range all {
		if ids := tok.Encode(g.Text, parse); !slices.Equal(ids, g.ChatIDs) {
			t.Errorf("%q: ids %v, want %v", g.Text, ids, g.ChatIDs)
		}
	}
	if got := tok.EOGs(); !slices.Equal(got, []int32{0, 50278}) || !tok.IsEOG(50278) || tok.IsEOG(50277) {
		t.Errorf("ends of generation: %v", got)
	}
}

// replace returns meta with the value of a key replaced, added, or removed if
// the value is nil.
func replace(meta []gguf.KV, key string, value any) []gguf.KV {
	meta = slices.DeleteFunc(slices.Clone(meta), func(kv gguf.KV) bool { return kv.Key == key })
	if value != nil {
		meta = append(meta, gguf.KV{Key: key, Value: value})
	}
	return meta
}

// Files of llama.cpp: padding that is called user-defined, no pre-tokenizer,
// ids as other integers, ends of a turn and of a message.
func TestFromGGUFOfLlama(t *testing.T) {
	v := loadVocab(t, "testdata/tiny.tokenizer.json")
	v.Tokens = append(v.Tokens, "[PAD500]", "[PAD9]")
	v.Types = append(v.Types, UserDefined, UserDefined)
	meta := replace(mptMeta(v), keyPre, nil)
	meta = replace(meta, keyEOS, int32(1))
	meta = replace(meta, keyEOT, uint64(7))
	meta = replace(meta, keyEOM, uint16(8))
	tok, err := FromGGUF(write(t, meta))
	if err != nil {
		t.Fatal(err)
	}
	ids := tok.Encode("[PAD500][PAD9]cafe\u0301", parse)
	if slices.Contains(ids, 500) || !slices.Contains(ids, 501) || !strings.HasSuffix(tok.Decode(ids), "café") {
		t.Errorf("%v, %q", ids, tok.Decode(ids))
	}
	if got := tok.EOGs(); tok.EOS() != 1 || !slices.Equal(got, []int32{0, 1, 7, 8}) {
		t.Errorf("eos %d, ends of generation %v", tok.EOS(), got)
	}
}

func TestFromGGUFRefuses(t *testing.T) {
	good := mptMeta(loadVocab(t, "testdata/tiny.tokenizer.json"))
	for _, c := range []struct {
		key   string
		value any
		want  string
	}{
		{keyModel, nil, keyModel},
		{keyModel, "llama", keyScores},
		{keyModel, "bert", `"bert" is not supported`},
		{keyPre, "default", `"default"`},
		{keyTokens, nil, keyTokens},
		{keyTokens, []int32{1}, keyTokens},
		{keyTypes, []int32{1, 1}, "2 token types for 500 tokens"},
		{keyMerges, nil, keyMerges},
		{keyMerges, []string{"ab"}, "not a pair"},
		{keyBOS, uint32(1 << 31), "bos id"},
		{keyEOS, "0", keyEOS},
		{keyAddEOS, true, keyAddEOS},
		{keyEOG, []int32{-5}, "end of generation id -5"},
	} {
		if _, err := FromGGUF(write(t, replace(good, c.key, c.value))); err == nil || !strings.Contains(err.Error(), c.want) && !beyond32(err) {
			t.Errorf("%s = %v: error %v, want one that contains %q", c.key, c.value, err, c.want)
		}
	}
	other := replace(replace(good, "general.architecture", "gpt2"), keyPre, nil)
	if _, err := FromGGUF(write(t, other)); err == nil || !strings.Contains(err.Error(), keyPre) {
		t.Errorf("another architecture without a pre-tokenizer: %v", err)
	}
}
