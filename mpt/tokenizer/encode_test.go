package tokenizer

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"mptgo/internal/check"
)

var parse = EncodeOptions{ParseSpecial: true}

func TestGoldens(t *testing.T) {
	neox, chatml := neox(t), chatml(t)
	all := goldens(t)
	if len(all) != 1209 {
		t.Fatalf("%d lines, want 1209", len(all))
	}
	for _, g := range all {
		if ids := neox.Encode(g.Text, parse); !slices.Equal(ids, g.IDs) {
			t.Errorf("%q: ids %v, want %v", g.Text, ids, g.IDs)
		}
		if ids := chatml.Encode(g.Text, parse); !slices.Equal(ids, g.ChatIDs) {
			t.Errorf("%q: chat ids %v, want %v", g.Text, ids, g.ChatIDs)
		}
		if text := neox.Decode(g.IDs); text != g.Decoded {
			t.Errorf("%q: decoded %q, want %q", g.Text, text, g.Decoded)
		}
	}
}

// The vectors that the specification of the pipeline lists.
func TestVectors(t *testing.T) {
	tok := neox(t)
	for text, want := range map[string][]int32{
		"Hello world":               {12092, 1533},
		" Hello World":              {24387, 3645},
		"\n\n":                      {535},
		"    Hello\n    Hello":      {50274, 12092, 187, 50274, 12092},
		"    foo":                   {50274, 12110},
		"\n =":                      {187, 426},
		"' era":                     {8, 8685},
		"3":                         {20},
		"333333333":                 {26409, 1610, 20084},
		"cafe\u0301":                {68, 2320, 860},
		"\u00a0\u00a0x":             {575, 575, 89},
		"x\u0085y":                  {89, 16643, 90},
		strings.Repeat(" ", 30):     {50254, 50272},
		strings.Repeat(" ", 25):     {50254, 209},
		strings.Repeat(" ", 24*5+7): {50254, 50254, 50254, 50254, 50254, 50271},
	} {
		if ids := tok.Encode(text, EncodeOptions{}); !slices.Equal(ids, want) {
			t.Errorf("%q: %v, want %v", text, ids, want)
		}
	}
}

func TestControlTokensInText(t *testing.T) {
	tok := tiny(t)
	const text = "a<|endoftext|>b"
	ids := tok.Encode(text, parse)
	if len(ids) != 3 || ids[1] != 0 {
		t.Errorf("parsed: %v, want the id 0 in the middle", ids)
	}
	ids = tok.Encode(text, EncodeOptions{})
	if slices.Contains(ids, 0) || tok.Decode(ids) != text {
		t.Errorf("plain: %v, %q", ids, tok.Decode(ids))
	}
}

func TestInvalidUTF8(t *testing.T) {
	tok := tiny(t)
	for in, want := range map[string]string{
		"\xff":                 "\ufffd",
		"a\xe2\x82":            "a\ufffd",
		"\xe2\x82a":            "\ufffda",
		"\xe2\x82\xe2\x82\xac": "\ufffd€",
		"\xf0\x9f\x98":         "\ufffd",
		"\xf0\x9f\x98\xff":     "\ufffd\ufffd",
		"\xed\xa0\x80":         "\ufffd\ufffd\ufffd",
		"\xc0\xaf":             "\ufffd\ufffd",
		"\xf4\x90\x80":         "\ufffd\ufffd\ufffd",
	} {
		if got := tok.Decode(tok.Encode(in, EncodeOptions{})); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}

func TestAddBOS(t *testing.T) {
	v := loadVocab(t, "testdata/tiny.tokenizer.json")
	v.AddBOS = true
	tok, err := New(v)
	if err != nil {
		t.Fatal(err)
	}
	if ids := tok.Encode("", EncodeOptions{AddSpecial: true}); !slices.Equal(ids, []int32{0}) {
		t.Errorf("with AddSpecial: %v", ids)
	}
	if ids := tok.Encode("", EncodeOptions{}); len(ids) != 0 {
		t.Errorf("without AddSpecial: %v", ids)
	}
}

// A token that is matched after normalisation is not matched where that changes
// the text, and is matched where that makes it.
func TestNormalizedTokens(t *testing.T) {
	v := loadVocab(t, "testdata/tiny.tokenizer.json")
	id := int32(len(v.Tokens))
	v.Tokens, v.Types = append(v.Tokens, "<é>"), append(v.Types, UserDefined)
	for _, c := range []struct {
		normalized []int32
		text       string
		want       bool
	}{
		{nil, "<é>", true},
		{nil, "<e\u0301>", true},
		{nil, "<é>\u0338", false},
		{[]int32{}, "<é>", true},
		{[]int32{}, "<e\u0301>", false},
		{[]int32{}, "<é>\u0338", true},
	} {
		v.Normalized = c.normalized
		tok, err := New(v)
		if err != nil {
			t.Fatal(err)
		}
		if got := slices.Contains(tok.Encode(c.text, EncodeOptions{}), id); got != c.want {
			t.Errorf("Normalized %v, %+q: found %v, want %v", c.normalized, c.text, got, c.want)
		}
	}
}

func TestRoundTrip(t *testing.T) {
	roundTrip(t, tiny(t))
	roundTrip(t, load(t, check.Shared(t, "models", "mpt-stories", "tokenizer.json")))
	roundTrip(t, neox(t))
}

func roundTrip(t *testing.T, tok *Tokenizer) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 500 {
		text := randomText(r, r.IntN(300))
		if got, want := tok.Decode(tok.Encode(text, EncodeOptions{})), nfc(text); got != want {
			t.Fatalf("%+q: %+q, want %+q", text, got, want)
		}
	}
}

func TestLongLines(t *testing.T) {
	tok := tiny(t)
	r := rand.New(rand.NewPCG(17, 18))
	const n = 1 << 16
	letters := make([]byte, n)
	for i := range letters {
		letters[i] = byte('a' + r.IntN(26))
	}
	for _, text := range []string{string(letters), strings.Repeat("a", n), strings.Repeat(" ", n), strings.Repeat("\n", n),
		strings.Repeat("é", n), strings.Repeat("<|endoftext|", n/10)} {
		if got := tok.Decode(tok.Encode(text, parse)); got != text {
			t.Errorf("%.10q...: %d bytes became %d", text, len(text), len(got))
		}
	}
}

func TestAppendEncodeDoesNotAllocate(t *testing.T) {
	tok := tiny(t)
	const text = "Once upon a time, there  was a\n\n<|endoftext|> café of 1234 words; it's been 'ere."
	dst := make([]int32, 0, len(text))
	if n := testing.AllocsPerRun(100, func() { dst = tok.AppendEncode(dst[:0], text, parse) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func FuzzEncode(f *testing.F) {
	for _, s := range []string{"", "Hello world", "  a\u0301\u0327 \n\n x", "<|endoftext|><|endoftext|", "\xf0\x9f\x98",
		strings.Repeat("ab", 40), strings.Repeat("\u0301", 40), "it's we'll ' 're", "\u1100\u1161\u11a8"} {
		f.Add(s)
	}
	tok := tiny(f)
	f.Fuzz(func(t *testing.T, text string) {
		valid := text
		if !utf8.ValidString(text) {
			valid = string(appendValid(nil, []byte(text)))
		}
		ids := tok.Encode(text, EncodeOptions{})
		if got, want := tok.Decode(ids), nfc(valid); got != want {
			t.Errorf("%+q: %+q, want %+q", text, got, want)
		}
		if got := stream(tok, ids, DecodeOptions{}); got != tok.Decode(ids) {
			t.Errorf("%+q: streamed %+q", text, got)
		}
	})
}
