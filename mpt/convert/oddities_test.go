package convert

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"mptgo/mpt/tokenizer"
)

// oddity is a folder whose files are not quite as usual: files beside those of hf-tiny,
// whose tokenizer has 500 tokens for 512 rows.
type oddity struct {
	name  string
	files map[string]string // "" removes one
	text  string            // is compared in the converted model and, read from the folder, without it
	ids   []int32
	note  string
	error string
	check func(*tokenizer.Tokenizer) bool
}

const bom = "\ufeff"

func oddities(t *testing.T, dir string) []oddity {
	file := func(name string) string {
		b, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	json500 := file("tokenizer.json")
	vocab, merges := gpt2Files(t, json500)
	added := func(id int, content string) string {
		return strings.Replace(json500, `"added_tokens": [`, fmt.Sprintf(`"added_tokens": [{"id": %d, "content": %q, "special": true},`, id, content), 1)
	}
	utf16 := "\xff\xfe" + strings.Join(strings.Split(file("tokenizer_config.json"), ""), "\x00") + "\x00"
	return []oddity{
		{name: "byte order marks", files: map[string]string{"tokenizer.json": bom + json500, "tokenizer_config.json": bom + file("tokenizer_config.json"),
			"special_tokens_map.json": bom + file("special_tokens_map.json"), "generation_config.json": bom + `{"eos_token_id": 5}`, "added_tokens.json": bom + `{"<|im_end|>": 500}`,
			"chat_template.jinja": bom + "{{ x }}"}, text: "<|im_end|>", ids: []int32{500},
			check: func(tok *tokenizer.Tokenizer) bool {
				return tok.ChatTemplate() == "{{ x }}" && tok.IsEOG(5) && tok.IsEOG(500)
			}},
		{name: "UTF-16", files: map[string]string{"tokenizer_config.json": utf16}, error: "tokenizer_config.json: malformed file: it is UTF-16: save it as UTF-8"},
		{name: "vocab.json and merges.txt", files: map[string]string{"tokenizer.json": "", "vocab.json": vocab, "merges.txt": merges}, text: "th<|endoftext|>", ids: []int32{363, 0}},
		{name: "vocab.json, merges.txt and added_tokens.json", files: map[string]string{"tokenizer.json": "", "vocab.json": vocab, "merges.txt": merges,
			"added_tokens.json": `{"<|im_start|>": 500}`}, text: "th<|im_start|>", ids: []int32{363, 500}},
		{name: "vocab.json alone", files: map[string]string{"tokenizer.json": "", "vocab.json": vocab}, error: "vocab.json is one half of a tokenizer: "},
		{name: "no vocabulary", files: map[string]string{"tokenizer.json": ""}, error: "in tokenizer.model or spiece.model, or in vocab.json and merges.txt"},
		{name: "vocab.json beside tokenizer.json", files: map[string]string{"vocab.json": "{}"}, text: "th", ids: []int32{363}},
		{name: "padding without a row", files: map[string]string{"tokenizer.json": added(512, "[PAD]"), "special_tokens_map.json": `{"pad_token": "[PAD]"}`},
			note: `special_tokens_map.json: pad_token "[PAD]" is left out: it would be token 512`, text: "th", ids: []int32{363}},
		{name: "another token without a row", files: map[string]string{"tokenizer.json": added(512, "<x>")}, error: "513 tokens do not fit an embedding of 512 rows"},
		{name: "a listed token without a row", files: map[string]string{"added_tokens.json": twelve(), "special_tokens_map.json": `{"additional_special_tokens": ["<x>"]}`},
			error: `special_tokens_map.json: additional_special_tokens: "<x>" would be token 512, and the embedding has 512 rows`},
		{name: "rules", files: map[string]string{"tokenizer_config.json": `{"added_tokens_decoder": {"500": {"content": "<x>", "lstrip": true}}}`},
			note: `token 500 "<x>" has lstrip`, text: "  <x>", ids: []int32{500}},
		{name: "eos -1", files: map[string]string{"generation_config.json": `{"eos_token_id": [-1, 5], "pad_token_id": -1, "bos_token_id": -1}`},
			note: "generation_config.json: eos_token_id -1 is no token", check: func(tok *tokenizer.Tokenizer) bool { return slices.Equal(tok.EOGs(), []int32{0, 5}) }},
		{name: "eos outside", files: map[string]string{"generation_config.json": `{"eos_token_id": 512}`}, error: "generation_config.json: eos_token_id 512 is outside the vocabulary of 512 tokens"},
		{name: "eos of a row without a token", files: map[string]string{"generation_config.json": `{"eos_token_id": 511}`}, check: func(tok *tokenizer.Tokenizer) bool { return tok.IsEOG(511) }},
		{name: "padding outside", files: map[string]string{"generation_config.json": `{"pad_token_id": 9999}`}, note: "generation_config.json: pad_token_id 9999 is outside the vocabulary of 512 tokens: it is left out"},
		{name: "bos outside that nothing reads", files: map[string]string{"generation_config.json": `{"bos_token_id": 9999}`}},
		{name: "bos outside", files: map[string]string{"generation_config.json": `{"bos_token_id": 9999}`, "special_tokens_map.json": "", "tokenizer_config.json": `{"bos_token": null}`},
			error: "generation_config.json: bos_token_id 9999 is outside"},
		{name: "templates in files", files: map[string]string{"chat_template.jinja": "main", "additional_chat_templates/rag.jinja": bom + "rag", "additional_chat_templates/tool_use.jinja": "tools",
			"additional_chat_templates/README.md": "no template", "tokenizer_config.json": `{"chat_template": [{"name": "default", "template": "old"}, {"name": "other", "template": "old"}]}`},
			check: func(tok *tokenizer.Tokenizer) bool {
				return tok.ChatTemplate() == "main" && maps.Equal(tok.Templates(), map[string]string{"rag": "rag", "tool_use": "tools"})
			}},
		{name: "templates in files without a main one", files: map[string]string{"additional_chat_templates/rag.jinja": "rag", "tokenizer_config.json": `{"chat_template": "x"}`},
			note: "which transformers would not do", check: func(tok *tokenizer.Tokenizer) bool { return tok.ChatTemplate() == "x" }},
		{name: "the main one among them", files: map[string]string{"additional_chat_templates/default.jinja": "d", "additional_chat_templates/rag.jinja": "rag"},
			check: func(tok *tokenizer.Tokenizer) bool { return tok.ChatTemplate() == "d" && len(tok.Templates()) == 1 }},
		{name: "the template of a processor", files: map[string]string{"chat_template.json": `{"chat_template": "x"}`}, note: "chat_template.json is not read",
			check: func(tok *tokenizer.Tokenizer) bool { return tok.ChatTemplate() == "" }},
	}
}

// gpt2Files returns vocab.json and merges.txt of a tokenizer.json.
func gpt2Files(t *testing.T, tokenizerJSON string) (vocab, merges string) {
	var f struct {
		Model struct {
			Vocab  json.RawMessage
			Merges []json.RawMessage
		}
	}
	if err := json.Unmarshal([]byte(tokenizerJSON), &f); err != nil {
		t.Fatal(err)
	}
	lines := []string{"#version: 0.2"}
	for _, m := range f.Model.Merges {
		var pair []string
		if json.Unmarshal(m, &pair) != nil {
			pair = make([]string, 1)
			json.Unmarshal(m, &pair[0])
		}
		lines = append(lines, strings.Join(pair, " "))
	}
	return string(f.Model.Vocab), strings.Join(lines, "\n") + "\n"
}

// twelve returns an added_tokens.json that fills the rows of hf-tiny.
func twelve() string {
	all := map[string]int{}
	for i := range 12 {
		all[fmt.Sprintf("<%d>", i)] = 500 + i
	}
	b, _ := json.Marshal(all)
	return string(b)
}

func TestOddities(t *testing.T) {
	for _, c := range oddities(t, modified(t, "hf-tiny", nil)) {
		t.Run(c.name, func(t *testing.T) {
			dir := modified(t, "hf-tiny", nil)
			for name, text := range c.files {
				os.Mkdir(filepath.Join(dir, filepath.Dir(name)), 0o755)
				if text == "" {
					os.Remove(filepath.Join(dir, name))
					continue
				}
				put(t, dir, name, []byte(text))
			}
			var notes bytes.Buffer
			logf := func(format string, args ...any) { fmt.Fprintf(&notes, format+"\n", args...) }
			out := filepath.Join(t.TempDir(), "out.gguf")
			_, err := Convert(context.Background(), dir, out, Options{Type: "F16", Logf: logf})
			if c.error != "" {
				if err == nil || !strings.Contains(err.Error(), c.error) {
					t.Errorf("error %v, want %q", err, c.error)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if !strings.Contains(notes.String(), c.note) || c.note == "" && notes.Len() > 0 && !strings.Contains(notes.String(), "as in transformers") {
				t.Errorf("notes %q, want %q", notes.String(), c.note)
			}
			tok, err := tokenizer.FromGGUF(mustOpen(t, out))
			if err != nil {
				t.Fatal(err)
			}
			v, err := ReadVocabulary(dir, func(string, ...any) {})
			if err != nil {
				t.Fatal(err)
			}
			folder, err := tokenizer.New(v)
			if err != nil {
				t.Fatal(err)
			}
			parse := tokenizer.EncodeOptions{ParseSpecial: true}
			if a, b := tok.Encode(c.text, parse), folder.Encode(c.text, parse); !slices.Equal(a, c.ids) || !slices.Equal(b, c.ids) {
				t.Errorf("%q: %v, from the folder %v, want %v", c.text, a, b, c.ids)
			}
			if c.check != nil && !c.check(tok) {
				t.Errorf("template %q, others %q, ends %v", tok.ChatTemplate(), tok.Templates(), tok.EOGs())
			}
		})
	}
}
