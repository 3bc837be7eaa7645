package convert

import (
	"strings"
	"testing"

	"mptgo/mpt/tokenizer"
)

// TestSyntheticLayout compares the vocabulary with the layout of the real one.
func TestSyntheticLayout(t *testing.T) {
	v := syntheticVocab()
	if len(v.Tokens) != 50277 || len(v.Merges) != 50254-245 {
		t.Fatalf("%d tokens, %d merges", len(v.Tokens), len(v.Merges))
	}
	for id, want := range map[int]string{
		0: "<|endoftext|>", 1: "<|padding|>", 2: "!", 95: "~", 244: "Ń", 245: "Ġe",
		50254: strings.Repeat(" ", 24), 50276: "  ",
	} {
		if v.Tokens[id] != want {
			t.Errorf("token %d is %q, want %q", id, v.Tokens[id], want)
		}
	}
	seen := map[string]int{}
	for id, text := range v.Tokens {
		if other, ok := seen[text]; ok {
			t.Errorf("tokens %d and %d are both %q", other, id, text)
		}
		seen[text] = id
	}
	for rank, m := range v.Merges {
		left, right, _ := strings.Cut(m, " ")
		id, ok := seen[left+right]
		if l, r := seen[left], seen[right]; !ok || id != 245+rank || l < 2 || l >= id || r < 2 || r >= id {
			t.Fatalf("merge %d, %q, makes token %d of %d and %d", rank, m, id, l, r)
		}
	}
}

func TestSyntheticText(t *testing.T) {
	tok, err := tokenizer.New(syntheticVocab())
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{
		"", " ", "Once upon a time, there was a little girl.", "func main() {\n\treturn\r\n}" + strings.Repeat(" ", 60) + "x",
		"Übergröße, 漢字, 🦄, \x00\x7f\u00a0\u00ad\u0100\U0010ffff", "<|endoftext|>",
	} {
		ids := tok.Encode(text, tokenizer.EncodeOptions{})
		if got := tok.Decode(ids); got != text {
			t.Errorf("%q became %q", text, got)
		}
		for _, id := range ids {
			if _, typ := tok.Token(id); typ == tokenizer.Unused || id < 2 {
				t.Errorf("%q: token %d", text, id)
			}
		}
	}
	if id := tok.Encode("   ", tokenizer.EncodeOptions{}); len(id) != 1 || id[0] != 50275 {
		t.Errorf("three spaces are %v", id)
	}
	if !tok.IsEOG(0) || tok.PAD() != tokenizer.None {
		t.Error("special tokens")
	}
}
