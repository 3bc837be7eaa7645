package mpt

import (
	"context"
	"math"
	"slices"
	"strings"
	"testing"

	"mptgo/gguf"
	"mptgo/mpt/tokenizer"
)

// TestPerplexityByHand compares with the definition: each token by the logits of the
// session before it.
func TestPerplexityByHand(t *testing.T) {
	m := mini().open(t)
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
		ids, err := m.evaluationTokens(text, documents, tokenizer.EncodeOptions{})
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
				s := m.session(t)
				if err := s.Eval(context.Background(), part[:i]); err != nil {
					t.Fatal(err)
				}
				sum += negLogSoftmax(s.Logits(), part[i])
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
	plain := mini().set("tokenizer.ggml.eos_token_id", nil).set("tokenizer.ggml.tokens", append(byteTokens(), "end")).open(t)
	if _, err := Perplexity(context.Background(), plain, doc, PerplexityOptions{Documents: true}); err == nil || !strings.Contains(err.Error(), "no <|endoftext|>") {
		t.Errorf("without an end of text: %v", err)
	}
	if docs := splitDocuments("\n" + endOfText + "\n a \n\nb\n " + endOfText + " \n" + endOfText); len(docs) != 1 || docs[0] != "a \n\nb" {
		t.Errorf("documents %q", docs)
	}
}

// TestStops generates up to a text that the model is known to write, in one token or
// over several, and compares with the same without it.
func TestStops(t *testing.T) {
	m := mini().open(t)
	text := func(stop ...string) string {
		s := evaluated(t, m, 72)
		var b strings.Builder
		for tok, err := range s.Generate(context.Background(), GenerateOptions{MaxTokens: 30, IgnoreEOS: true, Special: true, Stop: stop}) {
			if err != nil {
				t.Fatal(err)
			}
			b.WriteString(tok.Text)
		}
		return b.String()
	}
	whole := text()
	if len(whole) < 20 {
		t.Fatalf("only %q", whole)
	}
	for _, at := range []int{1, 5, 12} {
		for _, n := range []int{1, 3, 6} {
			stop := whole[at : at+n]
			want := whole[:strings.Index(whole, stop)]
			if got := text(stop, "never written"); got != want && strings.ToValidUTF8(stop, "") == stop {
				t.Errorf("stop at %q: %q, want %q of %q", stop, got, want, whole)
			}
		}
	}
	// A beginning of a stop that does not go on is not lost.
	if got := text(whole[len(whole)-3:]+"never", whole[10:12]+"never"); got != whole {
		t.Errorf("%q, want %q", got, whole)
	}
}

// A stop token ends a generation before it, unless such ends are ignored.
func TestStopTokens(t *testing.T) {
	m := mini().open(t)
	ids := func(opt GenerateOptions) (out []int32) {
		opt.MaxTokens = 12
		for tok, err := range evaluated(t, m, 72).Generate(context.Background(), opt) {
			if err != nil {
				t.Fatal(err)
			}
			if tok.ID >= 0 {
				out = append(out, tok.ID)
			}
		}
		return out
	}
	whole := ids(GenerateOptions{IgnoreEOS: true})
	stop := whole[5]
	if got, want := ids(GenerateOptions{StopTokens: []int32{300, stop}}), whole[:slices.Index(whole, stop)]; !slices.Equal(got, want) {
		t.Errorf("%v, want %v of %v", got, want, whole)
	}
	if got := ids(GenerateOptions{StopTokens: []int32{stop}, IgnoreEOS: true}); !slices.Equal(got, whole) {
		t.Errorf("%v, want %v", got, whole)
	}
}

// TestOptionsRefused has choices out of range.
func TestOptionsRefused(t *testing.T) {
	b := mini().file(t)
	for want, o := range map[string]Option{
		"-1 threads": Threads(-1), "2000 threads": Threads(2000), "a batch of 0": BatchSize(0), "a batch of 100000": BatchSize(100000),
		"cache type I8": CacheType(gguf.I8), "nonsense": ISA("nonsense"),
	} {
		if m, err := loaded(b, o); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
			if err == nil {
				m.Close()
			}
		}
	}
	m := mini().open(t)
	for _, n := range []int{-1, maxContext + 1} {
		if _, err := m.NewSession(ContextSize(n)); err == nil {
			t.Errorf("a context of %d", n)
		}
	}
	s := evaluated(t, m, 1, 2, 3)
	for _, f := range []func() error{
		func() error { return s.Truncate(-1) }, func() error { return s.Truncate(4) },
		func() error { return s.Drop(-1, 2) }, func() error { return s.Drop(2, 1) }, func() error { return s.Drop(0, 4) }, m.Close,
	} {
		if f() == nil {
			t.Error("a call that makes no sense passes")
		}
	}
	if err := s.Drop(1, 3); err != nil || s.Len() != 1 {
		t.Errorf("Drop of the end: %v, %d", err, s.Len())
	}
	s.Close()
	s.Close()
	for _, f := range []func() error{
		s.Reset, func() error { return s.Drop(0, 0) }, func() error { _, err := s.Fork(); return err },
		func() error { return s.Eval(context.Background(), []int32{1}) }, func() error { return s.Save(&strings.Builder{}) },
		func() error { return s.Restore(strings.NewReader("")) },
	} {
		if f() == nil {
			t.Error("a closed session answers")
		}
	}
}
