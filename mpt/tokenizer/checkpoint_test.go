package tokenizer

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"mptgo/internal/check"
)

// checkpointVocab returns the vocabulary of a HuggingFace folder.
func checkpointVocab(t *testing.T, dir string) *Vocab {
	t.Helper()
	v, err := ParseJSON(read(t, filepath.Join(dir, "tokenizer.json")))
	if err != nil {
		t.Fatalf("%s: %v", dir, err)
	}
	files := Beside{Logf: func(format string, args ...any) { t.Errorf(dir+": "+format, args...) }}
	for name, into := range map[string]*[]byte{mapFile: &files.SpecialTokens, configFile: &files.Config, addedFile: &files.AddedTokens} {
		b, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil && !os.IsNotExist(err) {
			t.Fatal(err)
		}
		*into = b
	}
	if err := v.Configure(files); err != nil {
		t.Fatalf("%s: %v", dir, err)
	}
	return v
}

func TestCheckpoints(t *testing.T) {
	cases, err := filepath.Glob(filepath.Join(check.Shared(t, "testdata", "cases"), "*", "tokenizer.json"))
	if err != nil || len(cases) == 0 {
		t.Fatalf("%d cases, %v", len(cases), err)
	}
	for _, path := range cases {
		v := checkpointVocab(t, filepath.Dir(path))
		if _, err := New(v); err != nil || v.EOS != 0 || v.BOS != 0 {
			t.Errorf("%s: bos %d, eos %d, %v", path, v.BOS, v.EOS, err)
		}
	}
}

// The texts that the story model was tried with.
func TestStories(t *testing.T) {
	dir := check.Shared(t, "models", "mpt-stories")
	v := checkpointVocab(t, dir)
	if v.PAD != 1 || v.ChatTemplate == "" {
		t.Errorf("padding %d, chat template %q", v.PAD, v.ChatTemplate)
	}
	tok, err := New(v)
	if err != nil {
		t.Fatal(err)
	}
	if got := tok.EOGs(); !slices.Equal(got, []int32{0, 8191}) {
		t.Errorf("ends of generation: %v", got)
	}
	var want struct {
		Sequences []struct {
			Text       string
			Tokens     []int32
			Greedy     []int32
			GreedyText string `json:"greedy_text"`
		}
	}
	if err := json.Unmarshal(read(t, filepath.Join(dir, "expected.json")), &want); err != nil {
		t.Fatal(err)
	}
	for _, s := range want.Sequences {
		if ids := tok.Encode(s.Text, parse); !slices.Equal(ids, s.Tokens) {
			t.Errorf("%q: %v, want %v", s.Text, ids, s.Tokens)
		}
		if text := stream(tok, s.Greedy, DecodeOptions{SkipControl: true}); text != s.GreedyText {
			t.Errorf("decoded %q, want %q", text, s.GreedyText)
		}
	}
}
