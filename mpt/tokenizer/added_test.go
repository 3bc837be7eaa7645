package tokenizer

import (
	"slices"
	"strings"
	"testing"

	"mptgo/internal/check"
)

// Tokens that are added to a sentencepiece model are cut out of a text before it.
func TestAddedToSentencepiece(t *testing.T) {
	v := spVocab(t, "bpe-bytes")
	n := int32(len(v.Tokens))
	err := v.Configure(Beside{
		AddedTokens: []byte(`{"[PAD]": 620, "<|im_start|>": 621, "<tab>": 622, "END": 623}`),
		Config:      []byte(`{"eos_token": "</s>", "pad_token": "[PAD]", "additional_special_tokens": ["<|im_start|>", "er", "END"]}`),
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := v.Pad(700); err != nil {
		t.Fatal(err)
	}
	direct, err := New(v)
	if err != nil {
		t.Fatal(err)
	}
	again, err := FromGGUF(write(t, mptMeta(v)))
	if err != nil {
		t.Fatal(err)
	}
	for _, tok := range []*Tokenizer{direct, again} {
		if tok.PAD() != n || tok.EOS() != 2 {
			t.Errorf("padding %d, eos %d", tok.PAD(), tok.EOS())
		}
		const text = "a<tab>a<|im_start|>a<br>aENDer"
		a := tok.Encode("a", EncodeOptions{})
		br, _ := tok.ID("<br>")
		er, _ := tok.ID("er")
		inner, _ := tok.ID("a")
		ids := tok.Encode(text, parse)
		want := slices.Concat(a, []int32{n + 2}, a, []int32{n + 1}, a, []int32{br, inner}, []int32{n + 3, er})
		if !slices.Equal(ids, want) || tok.Decode(ids) != text {
			t.Errorf("parsed %v, want %v: %q", ids, want, tok.Decode(ids))
		}
		ids = tok.Encode(text+"[PAD650]", EncodeOptions{})
		if slices.Contains(ids, n+1) || slices.Contains(ids, n+3) || slices.Contains(ids, er) || !slices.Contains(ids, n+2) || slices.Contains(ids, 650) {
			t.Errorf("plain: %v", ids)
		}
	}
}

func TestAddTokensRefuses(t *testing.T) {
	for text, want := range map[string]string{
		`[]`:           "added_tokens.json",
		`{"xyz": 622}`: `token 622 "xyz": the ids up to there are not all in use`,
		`{"x": 622}`:   `token "x" has the id 622 here and 572 in the vocabulary`,
		`{"x": 5}`:     `token 5 is "x" here and`,
		`{"xyz": -1}`:  `token -1 "xyz"`,
		`{"<unk>": 0}`: "",
	} {
		err := spVocab(t, "bpe-bytes").Configure(Beside{AddedTokens: []byte(text)})
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s: error %v, want %q", text, err, want)
		}
	}
	for text, want := range map[string]string{
		`{"legacy": false}`:           "legacy false",
		`{"add_prefix_space": false}`: "add_prefix_space false",
		`{"bos_token": "nope"}`:       `no token "nope"`,
	} {
		if err := spVocab(t, "bpe-bytes").Configure(Beside{Config: []byte(text)}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v, want %q", text, err, want)
		}
	}
}

// A file without types of tokens is read as if it had them.
func TestTypesAreGuessed(t *testing.T) {
	vocabs := map[string]*Vocab{
		"tiny": loadVocab(t, "testdata/tiny.tokenizer.json"),
		"neox": loadVocab(t, check.Shared(t, "testdata", "tokenizer", "gpt-neox-20b.tokenizer.json")),
		"chat": loadVocab(t, check.Shared(t, "testdata", "tokenizer", "mpt-chat.tokenizer.json")),
		"bpe":  spVocab(t, "bpe"), // but for its user-defined pieces, which llama.cpp calls normal as well
	}
	for name, v := range vocabs {
		if err := v.Pad(len(v.Tokens) + 9); err != nil {
			t.Fatal(err)
		}
		want := slices.Clone(v.Types)
		for id, typ := range want {
			if v.sentencepiece() && typ == UserDefined {
				want[id] = Normal
			}
		}
		got, err := vocabFromGGUF(write(t, replace(mptMeta(v), keyTypes, nil)))
		if err != nil {
			t.Fatal(err)
		}
		for id, typ := range got.Types {
			if typ != want[id] {
				t.Errorf("%s: token %d %q is %v, want %v", name, id, v.Tokens[id], typ, want[id])
			}
		}
	}
}
