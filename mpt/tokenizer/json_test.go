package tokenizer

import (
	"encoding/json"
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"

	"mptgo/internal/check"
)

func TestParseJSON(t *testing.T) {
	v := loadVocab(t, "testdata/tiny.tokenizer.json")
	if v.Model != ModelBPE || v.Pre != PreMPT || len(v.Tokens) != 500 || len(v.Merges) != 242 || v.Normalized != nil {
		t.Errorf("model %q, pre %q, %d tokens, %d merges, normalized %v", v.Model, v.Pre, len(v.Tokens), len(v.Merges), v.Normalized)
	}
	if v.BOS != 0 || v.EOS != 0 || v.UNK != 0 || v.PAD != None || v.AddBOS {
		t.Errorf("bos %d, eos %d, unk %d, pad %d, add bos %v", v.BOS, v.EOS, v.UNK, v.PAD, v.AddBOS)
	}
	if v.Types[0] != Control || v.Types[1] != Control || v.Types[2] != Normal || v.Merges[0] != "Ġ Ġ" {
		t.Errorf("types %v, first merge %q", v.Types[:3], v.Merges[0])
	}
}

func TestParseJSONOfMPT(t *testing.T) {
	for name, want := range map[string]int{"gpt-neox-20b": 50277, "mpt-chat": 50279} {
		v := loadVocab(t, check.Shared(t, "testdata", "tokenizer", name+".tokenizer.json"))
		if len(v.Tokens) != want || len(v.Merges) != 50009 || v.Normalized != nil {
			t.Errorf("%s: %d tokens, %d merges, normalized %v", name, len(v.Tokens), len(v.Merges), v.Normalized)
		}
		if v.Types[50254] != UserDefined || v.Tokens[50276] != "  " {
			t.Errorf("%s: runs of spaces: %v, %q", name, v.Types[50254], v.Tokens[50276])
		}
		if err := v.Pad(50432); err != nil {
			t.Error(err)
		}
		if last := v.Tokens[50431]; len(v.Tokens) != 50432 || last != "[PAD50431]" || v.Types[50431] != Unused {
			t.Errorf("%s: padded to %d, %q", name, len(v.Tokens), last)
		}
		if err := v.Pad(50431); err == nil {
			t.Errorf("%s: padded to fewer rows", name)
		}
	}
}

// edit returns the tiny tokenizer.json after a change to one of its parts.
func edit(t testing.TB, change func(file map[string]any)) []byte {
	t.Helper()
	var file map[string]any
	if err := json.Unmarshal(read(t, "testdata/tiny.tokenizer.json"), &file); err != nil {
		t.Fatal(err)
	}
	change(file)
	b, err := json.Marshal(file)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

type object = map[string]any

// refused lists settings that would change ids and what the error names.
var refused = []struct {
	name   string
	change func(file object)
}{
	{"NFKC", func(f object) { f["normalizer"] = object{"type": "NFKC"} }},
	{"Lowercase", func(f object) {
		f["normalizer"] = object{"type": "Sequence", "normalizers": []any{object{"type": "NFC"}, object{"type": "Lowercase"}}}
	}},
	{"Metaspace", func(f object) { f["pre_tokenizer"] = object{"type": "Metaspace"} }},
	{"pre_tokenizer []", func(f object) { f["pre_tokenizer"] = nil }},
	{"Split", func(f object) {
		f["pre_tokenizer"] = object{"type": "Sequence", "pretokenizers": []any{object{"type": "Split"}, object{"type": "ByteLevel"}}}
	}},
	{"add_prefix_space", func(f object) { f["pre_tokenizer"].(object)["add_prefix_space"] = true }},
	{"use_regex", func(f object) { f["pre_tokenizer"].(object)["use_regex"] = false }},
	{"new_setting", func(f object) { f["pre_tokenizer"].(object)["new_setting"] = 1 }},
	{"new_setting", func(f object) { f["new_setting"] = 1 }},
	{"new_setting", func(f object) { f["model"].(object)["new_setting"] = 1 }},
	{"Unigram", func(f object) { f["model"].(object)["type"] = "Unigram" }},
	{"dropout", func(f object) { f["model"].(object)["dropout"] = 0.1 }},
	{"continuing_subword_prefix", func(f object) { f["model"].(object)["continuing_subword_prefix"] = "##" }},
	{"end_of_word_suffix", func(f object) { f["model"].(object)["end_of_word_suffix"] = "</w>" }},
	{"neither a type nor merges", func(f object) { delete(f["model"].(object), "type"); delete(f["model"].(object), "merges") }},
	{"ignore_merges", func(f object) { f["model"].(object)["ignore_merges"] = true }},
	{"merge 0", func(f object) { f["model"].(object)["merges"] = []any{[]any{"a", "b", "c"}} }},
	{"merge 0", func(f object) { f["model"].(object)["merges"] = []any{[]any{"a b", "c"}} }},
	{"out of range", func(f object) { f["model"].(object)["vocab"].(object)["new"] = 1 << 30 }},
	{"out of range", func(f object) { f["model"].(object)["vocab"].(object)["new"] = -1 }},
	{"same id 77", func(f object) { f["model"].(object)["vocab"].(object)["new"] = 77 }},
	{"same id 7", func(f object) { addToken(f, object{"id": 7, "content": "<x>"}) }},
	{"vocabulary says 0", func(f object) { addToken(f, object{"id": 500, "content": "<|endoftext|>"}) }},
	{"out of range", func(f object) { addToken(f, object{"id": int64(1 << 40), "content": "<x>"}) }},
	{"WordPiece", func(f object) { f["decoder"] = object{"type": "WordPiece"} }},
	{"decoder []", func(f object) { f["decoder"] = nil }},
	{"BertProcessing", func(f object) { f["post_processor"] = object{"type": "BertProcessing"} }},
	{"template", func(f object) {
		f["post_processor"] = object{"type": "TemplateProcessing", "single": []any{part("Sequence", "A"), part("SpecialToken", "<|endoftext|>")}}
	}},
	{"<none>", func(f object) {
		f["post_processor"] = object{"type": "TemplateProcessing", "single": []any{part("SpecialToken", "<none>"), part("Sequence", "A")}}
	}},
}

func part(kind, id string) object { return object{kind: object{"id": id, "type_id": 0}} }

func addToken(f object, token object) { f["added_tokens"] = append(f["added_tokens"].([]any), token) }

// beyond32 reports whether a number is refused because it does not fit an int of 32 bits.
func beyond32(err error) bool {
	return math.MaxInt == math.MaxInt32 && (strings.Contains(err.Error(), "of type int") || strings.Contains(err.Error(), "does not fit int"))
}

func TestParseJSONRefuses(t *testing.T) {
	for _, c := range refused {
		_, err := ParseJSON(edit(t, c.change))
		if err == nil || !strings.Contains(err.Error(), c.name) && !beyond32(err) {
			t.Errorf("error %v, want one that names %q", err, c.name)
		}
	}
	for _, s := range []string{"", "{", "[]", "null", "{}", "{} {}", "\"\xff\"", `{"model":{"type":"BPE"}}`} {
		if _, err := ParseJSON([]byte(s)); err == nil {
			t.Errorf("%q: no error", s)
		}
	}
}

// Settings that say the same in other words change nothing.
func TestParseJSONAccepts(t *testing.T) {
	want := loadVocab(t, "testdata/tiny.tokenizer.json")
	for name, change := range map[string]func(f object){
		"sequences": func(f object) {
			f["normalizer"] = object{"type": "Sequence", "normalizers": []any{f["normalizer"]}}
			f["pre_tokenizer"] = object{"type": "Sequence", "pretokenizers": []any{f["pre_tokenizer"]}}
			f["decoder"] = object{"type": "Sequence", "decoders": []any{f["decoder"]}}
			f["post_processor"] = object{"type": "Sequence", "processors": []any{f["post_processor"]}}
		},
		"plain template": func(f object) {
			f["post_processor"] = object{"type": "TemplateProcessing", "single": []any{part("Sequence", "A")}, "pair": []any{}, "special_tokens": object{}}
		},
		"no post-processor": func(f object) { f["post_processor"] = nil },
		"old settings":      func(f object) { delete(f["pre_tokenizer"].(object), "use_regex") },
		"truncation":        func(f object) { f["truncation"] = object{"max_length": 512} },
		"no type":           func(f object) { delete(f["model"].(object), "type") },
		"byte_fallback":     func(f object) { f["model"].(object)["byte_fallback"] = true },
		"merges as strings": func(f object) {
			lines := []any{"#version: 0.2"}
			for _, p := range f["model"].(object)["merges"].([]any) {
				lines = append(lines, p.([]any)[0].(string)+" "+p.([]any)[1].(string))
			}
			f["model"].(object)["merges"] = lines
		},
	} {
		v, err := ParseJSON(edit(t, change))
		if err == nil {
			err = v.Configure(Beside{})
		}
		if err != nil {
			t.Errorf("%s: %v", name, err)
		} else if !reflect.DeepEqual(v, want) {
			t.Errorf("%s: another vocabulary", name)
		}
	}
}

func TestTemplateWithBOS(t *testing.T) {
	v, err := ParseJSON(edit(t, func(f object) {
		f["post_processor"] = object{"type": "TemplateProcessing", "single": []any{part("SpecialToken", "<|padding|>"), part("Sequence", "A")}}
	}))
	if err != nil {
		t.Fatal(err)
	}
	if !v.AddBOS || v.BOS != 1 {
		t.Errorf("add bos %v, bos %d", v.AddBOS, v.BOS)
	}
}

func TestNoNormalizer(t *testing.T) {
	v, err := ParseJSON(edit(t, func(f object) { f["normalizer"] = nil }))
	if err != nil {
		t.Fatal(err)
	}
	tok, err := New(v)
	if err != nil {
		t.Fatal(err)
	}
	const text = "cafe\u0301"
	if got := tok.Decode(tok.Encode(text, EncodeOptions{})); v.Pre != PreGPT2 || got != text {
		t.Errorf("pre %q, %+q", v.Pre, got)
	}
}

// Ids that no token has are unused; tokens spelled <|like this|> are control
// tokens; unusual stages are noted.
func TestAddedTokens(t *testing.T) {
	v, err := ParseJSON(edit(t, func(f object) {
		addToken(f, object{"id": 502, "content": "<|im_end|>", "normalized": true})
		addToken(f, object{"id": 503, "content": "<x>"})
	}))
	if err != nil {
		t.Fatal(err)
	}
	if v.Tokens[501] != "[PAD501]" || v.Types[501] != Unused || v.Types[502] != Control || v.Types[503] != UserDefined {
		t.Errorf("%q, types %v", v.Tokens[500:], v.Types[500:])
	}
	if !slices.Equal(v.Normalized, []int32{502}) {
		t.Errorf("normalized %v", v.Normalized)
	}
	tok, err := New(v)
	if err != nil {
		t.Fatal(err)
	}
	if ids := tok.Encode("<x><|im_end|>[PAD501]", parse); ids[0] != 503 || ids[1] != 502 || slices.Contains(ids, 501) {
		t.Errorf("%v", ids)
	}
	if got := tok.Decode([]int32{502, 501, 503}); got != "<|im_end|><x>" {
		t.Errorf("decoded %q", got)
	}
}

func TestNewRefuses(t *testing.T) {
	for name, change := range map[string]func(v *Vocab){
		"0 scores for":    func(v *Vocab) { v.Model = "llama" },
		`"wordpiece"`:     func(v *Vocab) { v.Model = "wordpiece" },
		`"llama-bpe"`:     func(v *Vocab) { v.Pre = "llama-bpe" },
		"token types":     func(v *Vocab) { v.Types = v.Types[1:] },
		"unknown type 9":  func(v *Vocab) { v.Types[5] = 9 },
		"bos id 500":      func(v *Vocab) { v.BOS = 500 },
		"eos id -2":       func(v *Vocab) { v.EOS = -2 },
		"generation id":   func(v *Vocab) { v.EOG = []int32{-1} },
		"normalized":      func(v *Vocab) { v.Normalized = []int32{500} },
		"no bos id":       func(v *Vocab) { v.AddBOS, v.BOS = true, None },
		"are both":        func(v *Vocab) { v.Tokens[70] = v.Tokens[80] },
		"byte 0x21":       func(v *Vocab) { v.Tokens[2] = "!!!!" },
		"not a pair":      func(v *Vocab) { v.Merges[3] = "ab" },
		`no token "aq !"`: func(v *Vocab) { v.Merges[3] = "a q !" },
		"repeats merge 2": func(v *Vocab) { v.Merges[3] = v.Merges[2] },
	} {
		v := loadVocab(t, "testdata/tiny.tokenizer.json")
		change(v)
		if _, err := New(v); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("error %v, want one that contains %q", err, name)
		}
	}
}

func FuzzParseJSON(f *testing.F) {
	f.Add(read(f, "testdata/tiny.tokenizer.json"))
	f.Add([]byte(`{"model":{"type":"BPE","vocab":{"a":0},"merges":[]},"pre_tokenizer":{"type":"ByteLevel"},"decoder":{"type":"ByteLevel"}}`))
	f.Add([]byte(`{"added_tokens":[{"id":3,"content":"x"}],"pre_tokenizer":{"type":"Sequence","pretokenizers":[{"type":"ByteLevel"}]}}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		check.Bounded(t, len(b), func() { tryJSON(t, b) })
	})
}

// tryJSON reads a tokenizer.json and, if that goes well, encodes a text.
func tryJSON(t *testing.T, b []byte) {
	v, err := ParseJSON(b)
	if err != nil {
		return
	}
	if err := v.Configure(Beside{}); err != nil {
		t.Fatal(err)
	}
	tok, err := New(v)
	if err != nil {
		return
	}
	ids := tok.Encode(string(b), parse)
	for _, id := range ids {
		if id < 0 || int(id) >= tok.Size() {
			t.Fatalf("id %d of %d", id, tok.Size())
		}
	}
	tok.Decode(ids)
}
