package data

import (
	"path/filepath"
	"strings"
	"testing"

	"mptgo/mpt/builtin"
	"mptgo/mpt/tokenizer"
)

// TestVoice: the example for the built-in model is what it is said to be: 48 rows and 12 others, each
// short, all in one form.
func TestVoice(t *testing.T) {
	f, err := builtin.File()
	if err != nil {
		t.Skip(err)
	}
	tok, err := tokenizer.FromGGUF(f)
	if err != nil {
		t.Fatal(err)
	}
	opt := Options{Tokenizer: tok, Context: 512}
	seen := map[string]bool{}
	for name, want := range map[string]int{"train.jsonl": 48, "heldout.jsonl": 12} {
		set := open(t, opt, filepath.Join("..", "..", "..", "examples", "voice", name))
		if set.Len() != want || set.Summary.Longest > 120 || set.Summary.Dropped != nil {
			t.Errorf("%s: %d rows, the longest of %d tokens, dropped %v", name, set.Len(), set.Summary.Longest, set.Summary.Dropped)
		}
		t.Logf("%s: %d tokens", name, set.Summary.Tokens)
		for i := range set.Len() {
			row, err := set.Row(i)
			if err != nil {
				t.Fatal(err)
			}
			text := tok.Decode(row.Tokens)
			if !strings.HasPrefix(text, "Day ") || !strings.HasSuffix(text, " All is well on board.<|endoftext|>") || seen[text] {
				t.Errorf("%s: row %d: %q", name, i, text)
			}
			seen[text] = true
		}
	}
}
