package tokenizer

import (
	"strings"
	"testing"
)

func TestConfigure(t *testing.T) {
	type ids struct{ bos, eos, unk, pad int }
	for _, c := range []struct {
		files []string
		want  ids
		add   bool
	}{
		{nil, ids{0, 0, 0, None}, false},
		{[]string{`{}`}, ids{0, 0, 0, None}, false},
		{[]string{`{"bos_token":null,"unk_token":null,"eos_token":"<|padding|>"}`}, ids{None, 1, None, None}, false},
		{[]string{`{"eos_token":"<|padding|>"}`, `{"bos_token":"","eos_token":"<|endoftext|>","pad_token":{"content":"<|padding|>","lstrip":false}}`}, ids{None, 0, 0, 1}, false},
		{[]string{`{"add_bos_token":true,"model_max_length":1e30}`}, ids{0, 0, 0, None}, true},
	} {
		v, err := ParseJSON(read(t, "testdata/tiny.tokenizer.json"))
		if err != nil {
			t.Fatal(err)
		}
		b := Beside{}
		for i, f := range c.files {
			*[]*[]byte{&b.Config, &b.SpecialTokens}[i] = []byte(f)
		}
		if err := v.Configure(b); err != nil {
			t.Errorf("%q: %v", c.files, err)
		}
		if got := (ids{v.BOS, v.EOS, v.UNK, v.PAD}); got != c.want || v.AddBOS != c.add {
			t.Errorf("%q: %v, add bos %v, want %v, %v", c.files, got, v.AddBOS, c.want, c.add)
		}
	}
}

func TestConfigureTemplate(t *testing.T) {
	for file, want := range map[string]string{
		`{"chat_template":"{{ x }}"}`: "{{ x }}",
		`{"chat_template":[{"name":"tool","template":"t"},{"name":"default","template":"d"}]}`: "d",
		`{"chat_template":{"default":"d","tool":"t"}}`:                                         "d",
		`{"chat_template":null}`: "",
	} {
		v := loadVocab(t, "testdata/tiny.tokenizer.json")
		if err := v.Configure(Beside{Config: []byte(file)}); err != nil || v.ChatTemplate != want {
			t.Errorf("%s: %q, %v", file, v.ChatTemplate, err)
		}
	}
}

func TestConfigureRefuses(t *testing.T) {
	for file, want := range map[string]string{
		`{"add_prefix_space":true}`:                          "add_prefix_space",
		`{"add_eos_token":true}`:                             "add_eos_token",
		`{"bos_token":"<s>"}`:                                `bos_token: the vocabulary has no token "<s>"`,
		`{"eos_token":7}`:                                    "names no token",
		`{"pad_token":{"content":`:                           "tokenizer_config.json",
		`{"chat_template":7}`:                                "tokenizer_config.json",
		`{"added_tokens_decoder":{"501":{"content":"<s>"}}}`: `token 501 "<s>": the ids up to there are not all in use`,
		`{"added_tokens_decoder":{"0":{"content":"<s>"}}}`:   `token 0 is "<s>" here`,
		`{"added_tokens_decoder":{"zero":{"content":"<|endoftext|>","lstrip":true}}}`: "zero",
	} {
		v := loadVocab(t, "testdata/tiny.tokenizer.json")
		if err := v.Configure(Beside{Config: []byte(file)}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v, want one that contains %q", file, err, want)
		}
	}
}
