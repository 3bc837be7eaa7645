package tokenizer

import (
	"encoding/json"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"mptgo/internal/check"
)

// tiny returns a tokenizer with 500 tokens and no runs of spaces.
func tiny(t testing.TB) *Tokenizer { return load(t, filepath.Join("testdata", "tiny.tokenizer.json")) }

// neox returns the tokenizer of MPT-7B.
func neox(t testing.TB) *Tokenizer {
	return load(t, check.Shared(t, "testdata", "tokenizer", "gpt-neox-20b.tokenizer.json"))
}

// chatml returns the tokenizer of MPT-7B-Chat.
func chatml(t testing.TB) *Tokenizer {
	return load(t, check.Shared(t, "testdata", "tokenizer", "mpt-chat.tokenizer.json"))
}

func load(t testing.TB, path string) *Tokenizer {
	t.Helper()
	tok, err := New(loadVocab(t, path))
	if err != nil {
		t.Fatal(err)
	}
	return tok
}

func loadVocab(t testing.TB, path string) *Vocab {
	t.Helper()
	v, err := ParseJSON(read(t, path))
	if err != nil {
		t.Fatal(err)
	}
	if err := v.Configure(Beside{}); err != nil {
		t.Fatal(err)
	}
	return v
}

func read(t testing.TB, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// golden is a line of the reference data.
type golden struct {
	Text    string
	IDs     []int32
	ChatIDs []int32 `json:"chat_ids"`
	Decoded string
}

func goldens(t testing.TB) []golden {
	t.Helper()
	b := read(t, check.Shared(t, "testdata", "tokenizer", "gpt-neox-20b.jsonl"))
	var all []golden
	for d := json.NewDecoder(strings.NewReader(string(b))); d.More(); {
		var g golden
		if err := d.Decode(&g); err != nil {
			t.Fatal(err)
		}
		all = append(all, g)
	}
	return all
}

// alphabet holds the characters that make trouble: each kind of white space,
// letters, numbers and marks of one to four bytes, and what composes.
var alphabet = []rune("aaabesrtvldmSTR '''''     \t\n\n\r\u0085\u00a0\u2003\u2028\u3000" +
	"019²½٣五四!?.,#<|>_-é\u0301\u0301\u0327\u0338ǅßЖ\u1100\u1161\u11a8한😀👍🏽\u200d\u200b\ufffd\U0001F1E9𝒳न\u093c\u0344\u0300\x00")

// randomText returns n characters of the alphabet.
func randomText(r *rand.Rand, n int) string {
	var b strings.Builder
	for range n {
		b.WriteRune(alphabet[r.IntN(len(alphabet))])
	}
	return b.String()
}
