package tokenizer

import (
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// beside is a case of files beside the tiny tokenizer, which has 500 tokens.
type beside struct {
	name                   string
	special, config, added string
	rows                   int
	want                   map[string]int // ids, with types where they are not control tokens; -1: no token
	note, error            string
}

var besides = []beside{
	{name: "added", added: `{"<|im_start|>": 500, "<|im_end|>": 501, "<x>": 502}`, want: map[string]int{"<|im_start|>": 500, "<|im_end|>": 501, "<x>": 502}},
	{name: "decoder", config: `{"added_tokens_decoder": {"501": {"content": "<y>", "special": true}, "0": {"content": "<|endoftext|>", "special": true}, "500": {"content": "<x>"}}}`,
		want: map[string]int{"<x>": 500, "<y>": 501}},
	{name: "decoder and the older file", added: `{"<x>": 500, "<z>": 501}`, config: `{"added_tokens_decoder": {"500": {"content": "<x>"}}}`,
		want: map[string]int{"<x>": 500, "<z>": -1}, note: `added_tokens.json: "<z>" is left out`},
	{name: "decoder and a normal token in the older file", added: `{"th": 363}`, config: `{"added_tokens_decoder": {}}`, want: map[string]int{"the": -1}},
	{name: "two spellings of an id", config: `{"added_tokens_decoder": {"500": {"content": "<x>"}, "0500": {"content": "<y>"}}}`, error: `token 500 is "<x>" here and "<y>"`},
	{name: "repeated", added: `{"<|endoftext|>": 0, "<|padding|>": 1}`, want: map[string]int{"<|padding|>": 1}},
	{name: "empty", added: `{"": 500}`, config: `{"additional_special_tokens": ["", null], "pad_token": ""}`},
	{name: "another token", added: `{"<|im_start|>": 7}`, error: `added_tokens.json: token 7 is "<|im_start|>" here and "&" in the vocabulary`},
	{name: "another id", added: `{"<|endoftext|>": 500}`, error: `added_tokens.json: token "<|endoftext|>" has the id 500 here and 0 in the vocabulary`},
	{name: "another id in the decoder", config: `{"added_tokens_decoder": {"500": {"content": "<|padding|>"}}}`, error: `tokenizer_config.json: added_tokens_decoder: token "<|padding|>" has the id 500 here and 1`},
	{name: "twice in the decoder", config: `{"added_tokens_decoder": {"500": {"content": "<x>"}, "501": {"content": "<x>"}}}`, error: `token "<x>" has the id 501 here and 500`},
	{name: "a gap", added: `{"<x>": 503}`, error: `token 503 "<x>": the ids up to there are not all in use`},
	{name: "no object", added: `["<x>"]`, error: "added_tokens.json: json: cannot unmarshal array"},
	{name: "no number", added: `{"<x>": "500"}`, error: "added_tokens.json: json: cannot unmarshal string"},

	{name: "padding", special: `{"pad_token": "[PAD]"}`, want: map[string]int{"[PAD]": 500}, note: `special_tokens_map.json: pad_token "[PAD]" is not in the vocabulary: it becomes token 500`},
	{name: "padding as an object", config: `{"pad_token": {"content": "[PAD]", "lstrip": true, "__type": "AddedToken"}}`, want: map[string]int{"[PAD]": 500}},
	{name: "padding without a row", config: `{"pad_token": "[PAD]"}`, rows: 500, want: map[string]int{"[PAD]": -1}, note: `tokenizer_config.json: pad_token "[PAD]" is left out: it would be token 500, the embedding has 500 rows`},
	{name: "added without a row", added: `{"[PAD]": 500}`, special: `{"pad_token": "[PAD]"}`, rows: 500, want: map[string]int{"[PAD]": -1}, note: "is left out"},
	{name: "mask, cls, sep, unknown", config: `{"mask_token": "<mask>", "cls_token": "<cls>", "sep_token": "<sep>", "unk_token": "<unk>"}`,
		want: map[string]int{"<unk>": 500, "<sep>": 501, "<cls>": 502, "<mask>": 503}},
	{name: "a row for one of two", config: `{"mask_token": "<mask>", "sep_token": "<sep>"}`, rows: 501, want: map[string]int{"<sep>": 500, "<mask>": -1}, note: `mask_token "<mask>" is left out`},
	{name: "a list in the map", special: `{"additional_special_tokens": ["<|user|>", {"content": "<bot>"}], "pad_token": "[PAD]"}`,
		want: map[string]int{"[PAD]": 500, "<|user|>": 501, "<bot>": 502}},
	{name: "lists in both", special: `{"additional_special_tokens": ["<b>", "<a>"]}`, config: `{"additional_special_tokens": ["<a>"], "extra_special_tokens": {"z": "<c>", "a": {"content": "<d>"}}}`,
		want: map[string]int{"<a>": 500, "<b>": 501, "<c>": 502, "<d>": 503}},
	{name: "extra", config: `{"extra_special_tokens": ["<|user|>"]}`, want: map[string]int{"<|user|>": 500}},
	{name: "a list without rows", config: `{"additional_special_tokens": ["<|user|>"]}`, rows: 500,
		error: `tokenizer_config.json: additional_special_tokens: "<|user|>" would be token 500, and the embedding has 500 rows`},
	{name: "a list that is none", config: `{"extra_special_tokens": "<|user|>"}`, error: `tokenizer_config.json: "<|user|>" is no list of tokens`},
	{name: "a normal token", config: `{"additional_special_tokens": ["th"]}`, want: map[string]int{"th": 363}},
	{name: "padding that is also listed", special: `{"pad_token": "<x>", "additional_special_tokens": ["<x>"]}`, rows: 500, error: `pad_token: "<x>" would be token 500`},
	{name: "eos", special: `{"eos_token": "</s>"}`, error: `special_tokens_map.json: eos_token: the vocabulary has no token "</s>"`},
	{name: "bos", config: `{"bos_token": "<s>"}`, error: `tokenizer_config.json: bos_token: the vocabulary has no token "<s>"`},
	{name: "eos in a file that does not count", special: `{"eos_token": "</s>"}`, config: `{"added_tokens_decoder": {}, "eos_token": "<|padding|>"}`, note: "that of tokenizer_config.json counts"},
	{name: "padding in a file that does not count", special: `{"pad_token": "[PAD]"}`, config: `{"added_tokens_decoder": {}}`, want: map[string]int{"[PAD]": -1}, note: `pad_token "[PAD]" is left out`},
	{name: "they differ", special: `{"eos_token": "<|padding|>"}`, config: `{"eos_token": "<|endoftext|>"}`, note: "name different tokens as eos_token: that of special_tokens_map.json counts"},
	{name: "cut off", special: `{"eos_token": `, error: "special_tokens_map.json: unexpected end"},
}

func (c *beside) files(logf func(string, ...any)) Beside {
	b := Beside{Rows: c.rows, Logf: logf}
	for text, into := range map[string]*[]byte{c.special: &b.SpecialTokens, c.config: &b.Config, c.added: &b.AddedTokens} {
		if text != "" {
			*into = []byte(text)
		}
	}
	return b
}

func TestBeside(t *testing.T) {
	for _, c := range besides {
		v, err := ParseJSON(read(t, "testdata/tiny.tokenizer.json"))
		if err != nil {
			t.Fatal(err)
		}
		var notes strings.Builder
		err = v.Configure(c.files(func(format string, args ...any) { fmt.Fprintf(&notes, format+"\n", args...) }))
		if !strings.Contains(notes.String(), c.note) {
			t.Errorf("%s: notes %q, want %q", c.name, notes.String(), c.note)
		}
		if c.error != "" {
			if err == nil || !strings.Contains(err.Error(), c.error) {
				t.Errorf("%s: error %v, want %q", c.name, err, c.error)
			}
			continue
		}
		if err == nil && c.rows > 0 {
			err = v.Pad(c.rows)
		}
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		c.check(t, v)
	}
}

// check holds the ids of the tokenizer, and of the file that is made of it, against
// those that are wanted.
func (c *beside) check(t *testing.T, v *Vocab) {
	direct, err := New(v)
	if err != nil {
		t.Errorf("%s: %v", c.name, err)
		return
	}
	again, err := FromGGUF(write(t, mptMeta(v)))
	if err != nil {
		t.Errorf("%s: %v", c.name, err)
		return
	}
	for _, tok := range []*Tokenizer{direct, again} {
		for _, text := range slices.Sorted(maps.Keys(c.want)) {
			got := tok.Encode("a"+text+"b", parse)
			want := []int32{plainOf(t, "a")[0], int32(c.want[text]), plainOf(t, "b")[0]}
			if c.want[text] < 0 {
				want = plainOf(t, "a"+text+"b")
			}
			if !slices.Equal(got, want) {
				t.Errorf("%s: %q has the ids %v, want %v", c.name, text, got, want)
			}
		}
		if tok.PAD() != None && int(tok.PAD()) >= tok.Size() {
			t.Errorf("%s: padding %d of %d", c.name, tok.PAD(), tok.Size())
		}
	}
}

// The files do the same to a sentencepiece model, which has 620 pieces.
func TestBesideSentencepiece(t *testing.T) {
	v := spVocab(t, "bpe-bytes")
	err := v.Configure(Beside{Config: []byte(`{"added_tokens_decoder": {"620": {"content": "<tab>", "lstrip": true}, "621": {"content": "END", "special": true}},
		"additional_special_tokens": ["<new>"], "pad_token": "[PAD]", "mask_token": "<mask>"}`), Rows: 625})
	if err == nil {
		err = v.Pad(625)
	}
	if err != nil {
		t.Fatal(err)
	}
	tok, err := FromGGUF(write(t, mptMeta(v)))
	if err != nil {
		t.Fatal(err)
	}
	a := tok.Encode("a", EncodeOptions{})
	if got, want := tok.Encode("a  <tab>aENDa<mask><new>", parse), slices.Concat(a, []int32{620}, a, []int32{621}, a, []int32{623, 624}); !slices.Equal(got, want) || tok.PAD() != 622 {
		t.Errorf("%v, want %v; padding %d", got, want, tok.PAD())
	}
}

func TestParseGPT2(t *testing.T) {
	var file struct {
		Model struct {
			Vocab  map[string]int
			Merges [][]string
		}
	}
	if err := json.Unmarshal(read(t, "testdata/tiny.tokenizer.json"), &file); err != nil {
		t.Fatal(err)
	}
	vocab, err := json.Marshal(file.Model.Vocab)
	if err != nil {
		t.Fatal(err)
	}
	var merges strings.Builder
	merges.WriteString("\ufeff#version: 0.2\r\n")
	for _, m := range file.Model.Merges {
		fmt.Fprintf(&merges, "%s %s\r\n", m[0], m[1])
	}
	merges.WriteString("\n")
	want := loadVocab(t, "testdata/tiny.tokenizer.json")
	want.Types[1] = Normal // nothing says that it was added
	for config, pre := range map[string]string{
		"": PreMPT, `{}`: PreMPT, `{"tokenizer_class": "GPTNeoXTokenizerFast"}`: PreMPT, `{"tokenizer_class": "GPT2Tokenizer"}`: PreGPT2,
	} {
		v, err := ParseGPT2(append([]byte("\ufeff"), vocab...), []byte(merges.String()), orNil(config))
		if err == nil {
			err = v.Configure(Beside{Config: orNil(config)})
		}
		want.Pre = pre
		if err != nil || !reflect.DeepEqual(v, want) {
			t.Errorf("%s: another vocabulary, %v", config, err)
		}
	}
	for want, c := range map[string][3]string{
		`"CodeGenTokenizer" does not work with vocab.json and merges.txt alone`: {string(vocab), merges.String(), `{"tokenizer_class": "CodeGenTokenizer"}`},
		"tokenizer_config.json":    {string(vocab), merges.String(), `{`},
		"vocab.json: json":         {"[]", merges.String(), ""},
		"vocab.json: token \"x\"":  {`{"x": 99}`, merges.String(), ""},
		"one of them is not UTF-8": {string(vocab), "\xff", ""},
	} {
		if _, err := ParseGPT2([]byte(c[0]), []byte(c[1]), orNil(c[2])); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
}

func orNil(s string) []byte {
	if s == "" {
		return nil
	}
	return []byte(s)
}

func FuzzBeside(f *testing.F) {
	for _, c := range besides {
		f.Add(c.special, c.config, c.added, c.rows)
	}
	file := read(f, "testdata/tiny.tokenizer.json")
	f.Fuzz(func(t *testing.T, special, config, added string, rows int) {
		v, err := ParseJSON(file)
		if err != nil {
			t.Fatal(err)
		}
		c := beside{special: special, config: config, added: added, rows: min(rows, 1000)}
		if v.Configure(c.files(nil)) != nil {
			return
		}
		if _, err := New(v); err != nil {
			t.Fatal(err)
		}
	})
}
