package builtin_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"mptgo/internal/check"
	"mptgo/mpt"
	"mptgo/mpt/builtin"
	"mptgo/mpt/convert"
	"mptgo/mpt/tokenizer"
)

// The committed file is what the converter makes of the checkpoint.
func TestFileIsTheConversion(t *testing.T) {
	dir := check.Shared(t, "models", "mpt-stories")
	out := filepath.Join(t.TempDir(), "out.gguf")
	if _, err := convert.Convert(context.Background(), dir, out, convert.Options{Type: "Q5_0"}); err != nil {
		t.Fatal(err)
	}
	want, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile("mpt-stories.gguf")
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Error("mpt-stories.gguf is not what mpt-quantize --type Q5_0 makes of the checkpoint: convert it again, and check its perplexity")
	}
}

func TestTellsAStory(t *testing.T) {
	m, err := builtin.Open()
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	s, err := m.NewSession()
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	ctx := context.Background()
	if err := s.Eval(ctx, m.Tokenizer().Encode("Once upon a time, there was a", tokenizer.EncodeOptions{})); err != nil {
		t.Fatal(err)
	}
	var story strings.Builder
	for tok, err := range s.Generate(ctx, mpt.GenerateOptions{MaxTokens: 12}) {
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprint(&story, tok.Text)
	}
	if got, want := story.String(), " little girl named Lily. She loved to play with her toys"; got != want {
		t.Errorf("the story goes on %q, want %q", got, want)
	}
}
