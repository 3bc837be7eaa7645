package measure

import (
	"context"
	"math"
	"strings"
	"testing"

	"mptgo/gguf"
	"mptgo/internal/forge"
	"mptgo/mpt"
	"mptgo/mpt/tokenizer"
)

// mini returns a model of a few kilobytes until the end of the test.
func mini(t testing.TB) *mpt.Model { return open(t, forge.NewMini()) }

func open(t testing.TB, file *forge.Mini) *mpt.Model {
	t.Helper()
	f, err := gguf.Parse("mini", file.File(t))
	if err != nil {
		t.Fatal(err)
	}
	m, err := mpt.Load(f, mpt.Threads(1), mpt.BatchSize(8))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := m.Close(); err != nil {
			t.Error(err)
		}
	})
	return m
}

// logitsAfter returns what a session of its own says after ids.
func logitsAfter(t testing.TB, m *mpt.Model, ids []int32) []float32 {
	t.Helper()
	s, err := m.NewSession()
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if err := s.Eval(context.Background(), ids); err != nil {
		t.Fatal(err)
	}
	return s.Logits()
}

// TestPerplexityByHand compares with the definition: each token by the logits of the
// session before it.
func TestPerplexityByHand(t *testing.T) {
	m := mini(t)
	const doc = "Once upon a time, in 1234."
	for _, documents := range []bool{false, true} {
		told := 0
		opt := PerplexityOptions{Context: 8, Chunks: 2, Documents: documents, Progress: func(done, total int, p float64) {
			told++
			if done != told || total != 2 || !(p > 1) {
				t.Errorf("progress %d of %d, %v", done, total, p)
			}
		}}
		text := doc + "\n" + endOfText + "\n" + doc + doc
		got, err := Perplexity(context.Background(), m, text, opt)
		if err != nil {
			t.Fatal(err)
		}
		ids, err := evaluationTokens(m, text, documents, tokenizer.EncodeOptions{})
		if err != nil {
			t.Fatal(err)
		}
		first := 8/2 + 1 // what is predicted after the first half, and its successor
		if documents {
			first = 1
		}
		sum, n := 0.0, 0
		for chunk := range 2 {
			part := ids[8*chunk:][:8]
			for i := first; i < 8; i++ {
				sum += negLogSoftmax(logitsAfter(t, m, part[:i]), part[i])
				n++
			}
		}
		if got.Tokens != n || math.Abs(got.MeanNLL-sum/float64(n)) > 1e-9*sum || math.Abs(got.Perplexity-math.Exp(got.MeanNLL)) > 1e-9*got.Perplexity || !(got.StdErr > 0) || told != 2 {
			t.Errorf("documents %v: %+v, by hand %v over %d", documents, got, sum/float64(n), n)
		}
	}
	for want, opt := range map[string]PerplexityOptions{
		"want at least 3":        {Context: 2},
		"want at least 2":        {Context: 1, Documents: true},
		"-1 chunks":              {Chunks: -1},
		"less than one chunk of": {Context: 60},
	} {
		if _, err := Perplexity(context.Background(), m, doc, opt); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: %v, want %q", opt, err, want)
		}
	}
	plain := open(t, forge.NewMini().Set("tokenizer.ggml.eos_token_id", nil).Set("tokenizer.ggml.tokens", append(forge.ByteTokens(), "end")))
	if _, err := Perplexity(context.Background(), plain, doc, PerplexityOptions{Documents: true}); err == nil || !strings.Contains(err.Error(), "no <|endoftext|>") {
		t.Errorf("without an end of text: %v", err)
	}
	if docs := splitDocuments("\n" + endOfText + "\n a \n\nb\n " + endOfText + " \n" + endOfText); len(docs) != 1 || docs[0] != "a \n\nb" {
		t.Errorf("documents %q", docs)
	}
}
