//go:build !nobuiltin

package builtin_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"mptgo/ggml"
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

// Control tokens are part of the text only if that is asked for.
func TestControlTokensAreHidden(t *testing.T) {
	m, err := builtin.Open()
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	for _, special := range []bool{false, true} {
		s, err := m.NewSession()
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		ids := m.Tokenizer().Encode("The end.<|endoftext|><|im_start|>user\nHello", tokenizer.EncodeOptions{ParseSpecial: true})
		if err := s.Eval(context.Background(), ids); err != nil {
			t.Fatal(err)
		}
		var text strings.Builder
		for tok, err := range s.Generate(context.Background(), mpt.GenerateOptions{MaxTokens: 60, IgnoreEOS: true, Special: special}) {
			if err != nil {
				t.Fatal(err)
			}
			text.WriteString(tok.Text)
		}
		if got := strings.Contains(text.String(), "<|im_"); got != special {
			t.Errorf("control tokens shown: %v, want %v, in %q", got, special, text.String())
		}
	}
}

// digest is the SHA-256 of the logits after every token of a text: the same
// for every CPU and every set of kernels. A change of it is a change of the
// numerical contract and belongs into the change log.
const digest = "6625c3fb436ee91fc03df0840925164890c8b232dd9c45c66bdc0a03391c180d"

func TestLogitsDigest(t *testing.T) {
	check.Tier(t, ggml.Tiers())
	for _, isa := range ggml.Tiers() {
		m, err := builtin.Open(mpt.Tier(isa))
		if err != nil {
			t.Fatal(err)
		}
		defer m.Close()
		if m.Tier() != isa {
			t.Fatalf("asked for %s kernels, got %s", isa, m.Tier())
		}
		s, err := m.NewSession()
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		h := sha256.New()
		ids := m.Tokenizer().Encode("The fox looked at the moon and asked why it was so far away.", tokenizer.EncodeOptions{})
		if err := s.EvalAll(context.Background(), ids, func(_ int, logits []float32) error {
			return binary.Write(h, binary.LittleEndian, logits)
		}); err != nil {
			t.Fatal(err)
		}
		if got := fmt.Sprintf("%x", h.Sum(nil)); got != digest {
			t.Errorf("%s kernels: digest of the logits %s, want %s", isa, got, digest)
		}
	}
}
