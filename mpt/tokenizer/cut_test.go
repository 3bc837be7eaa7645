package tokenizer

import (
	"slices"
	"strings"
	"testing"
)

// rules are added to the tiny tokenizer, which has 500 tokens. The expected cuts follow
// from the source of the reference (tokenizers, added_vocabulary.rs).
var ruled = []object{
	{"id": 500, "content": "<l>", "lstrip": true},
	{"id": 501, "content": "<r>", "rstrip": true},
	{"id": 502, "content": "solo", "single_word": true},
	{"id": 503, "content": "<b>", "lstrip": true, "rstrip": true, "single_word": true},
	{"id": 504, "content": " !"},
	{"id": 505, "content": "<late>", "rstrip": true, "normalized": true},
	{"id": 506, "content": "<|c|>", "lstrip": true, "special": true},
	{"id": 507, "content": " <k>", "lstrip": true},
}

func ruledTokenizers(t testing.TB) []*Tokenizer {
	t.Helper()
	v, err := ParseJSON(edit(t, func(f object) {
		for _, token := range ruled {
			addToken(f, token)
		}
	}))
	if err == nil {
		err = v.Configure(Beside{})
	}
	if err != nil {
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
	return []*Tokenizer{direct, again}
}

func TestAddedTokensWithRules(t *testing.T) {
	for _, tok := range ruledTokenizers(t) {
		for _, c := range []struct{ text, want string }{ // of the tokens that were added the ids, of the rest the text
			{"a \t<l>  b", "a|500|  b"},
			{"a  <r> \u00a0\u2003b", "a  |501|b"},
			{"<r>\n", "501"},
			{" \n<l>", "500"},
			{"<r>  <l>", "501|500"},
			{"a <r> <r> b", "a |501|501|b"},
			{"a <r>", "a |501"},
			{"<r> !x", "501|504|x"}, // found behind the token itself, though the space is gone
			{"<r> ! !", "501|504|504"},
			{"<r>  <k>x", "501|507|x"},
			{"a !  <l>!", "a|504|500|!"},
			{"solo", "502"},
			{"a solo, b", "a |502|, b"},
			{"solos resolo _solo solo1 solo", "solos resolo _solo solo1 |502"},
			{"\u00e9solo solo\u0301 \u4e2dsolo solo\u200d (solo)", "\u00e9solo solo\u0301 \u4e2dsolo solo\u200d (|502|)"},
			{"solosolo solo-solo", "solosolo |502|-|502"},
			{"x <b> y", "x|503|y"},
			{"x<b> y", "x<b> y"},
			{"e\u0301 <late>  x", "\u00e9 |505|x"},
			{"a  <|c|> b", "a|506| b"},
		} {
			var want []int32
			for _, part := range strings.Split(c.want, "|") {
				if i := slices.Index(ruledIDs, part); i >= 0 {
					want = append(want, int32(500+i))
				} else {
					want = append(want, plainOf(t, part)...)
				}
			}
			if got := tok.Encode(c.text, parse); !slices.Equal(got, want) {
				t.Errorf("%q: %v, want %q: %v", c.text, got, c.want, want)
			}
		}
		// As plain text the control token is no token, and takes no space.
		if got, want := tok.Encode("a  <|c|> b", EncodeOptions{}), plainOf(t, "a  <|c|> b"); !slices.Equal(got, want) {
			t.Errorf("plain: %v, want %v", got, want)
		}
	}
}

var ruledIDs = []string{"500", "501", "502", "503", "504", "505", "506", "507"}

// plainOf returns the ids of a text without added tokens.
func plainOf(t *testing.T, text string) []int32 { return tiny(t).Encode(text, EncodeOptions{}) }

// However text is cut, all of it but white space comes back.
func FuzzRules(f *testing.F) {
	f.Add("a <l> <r> solo <b> ! <late> <|c|>")
	tok := ruledTokenizers(f)[0]
	f.Fuzz(func(t *testing.T, text string) {
		squeeze := func(s string) string { return strings.Join(strings.Fields(s), "") }
		got := tok.Decode(tok.Encode(text, parse))
		if want := nfc(string(appendValid(nil, []byte(text)))); squeeze(nfc(got)) != squeeze(want) {
			t.Errorf("%q became %q", want, got)
		}
	})
}
