package mpt_test

import (
	"context"
	"fmt"
	"math"
	"os"
	"testing"

	"mptgo/internal/check"
	"mptgo/mpt"
	"mptgo/mpt/measure"
	"mptgo/mpt/tokenizer"
)

func stories(t testing.TB) string { return check.Shared(t, "models", "mpt-stories") }

// The story model in exact mode gives what HuggingFace gives: tokens, logits,
// sixty greedy tokens.
func TestStories(t *testing.T) {
	m := opened(t, converted(t, stories(t), "BF16"), mpt.Exact())
	for _, seq := range readExpected(t, stories(t)).Sequences {
		if ids := m.Tokenizer().Encode(seq.Text, tokenizer.EncodeOptions{ParseSpecial: true}); fmt.Sprint(ids) != fmt.Sprint(seq.Tokens) {
			t.Errorf("%q: tokens %v, want %v", seq.Text, ids, seq.Tokens)
		}
	}
	testExpected(t, m, stories(t))
}

// klBound is what the fast path may lose on float weights, per token and in
// nats: its cache holds binary16 numbers.
const klBound = 1e-5

// The fast path on float weights stays within the bound at every token.
func TestStoriesFastPath(t *testing.T) {
	if testing.Short() {
		t.Skip("evaluates 6000 tokens")
	}
	text, err := os.ReadFile(check.Shared(t, "eval", "valid.txt"))
	if err != nil {
		t.Fatal(err)
	}
	for _, typ := range []string{"F32", "F16", "BF16"} {
		file := converted(t, stories(t), typ)
		exact, fast := opened(t, file, mpt.Exact()), opened(t, file)
		ids := exact.Tokenizer().Encode(string(text[:6000]), tokenizer.EncodeOptions{ParseSpecial: true})
		ids = ids[:min(len(ids), 1024)]
		p, q := allLogits(t, exact, ids), allLogits(t, fast, ids)
		worst, mean := 0.0, 0.0
		for i := range p {
			d := divergence(p[i], q[i])
			worst = max(worst, d)
			mean += d / float64(len(p))
		}
		t.Logf("%s: divergence per token %.2g on average, %.2g at worst", typ, mean, worst)
		if !(worst <= klBound) {
			t.Errorf("%s: a token's divergence is %g, more than %g", typ, worst, klBound)
		}
	}
}

// divergence returns the Kullback-Leibler divergence of softmax(q) from
// softmax(p), in nats.
func divergence(p, q []float32) float64 {
	lp, lq := logSum(p), logSum(q)
	d := 0.0
	for i := range p {
		a, b := float64(p[i])-lp, float64(q[i])-lq
		d += math.Exp(a) * (a - b)
	}
	return d
}

func logSum(x []float32) float64 {
	top := math.Inf(-1)
	for _, v := range x {
		top = max(top, float64(v))
	}
	sum := 0.0
	for _, v := range x {
		sum += math.Exp(float64(v) - top)
	}
	return top + math.Log(sum)
}

// The perplexity on the held-out text is HuggingFace's, within 0.01 %.
func TestStoriesPerplexity(t *testing.T) {
	if testing.Short() {
		t.Skip("reads 30,000 tokens")
	}
	e := readExpected(t, stories(t)).Perplexity
	text, err := os.ReadFile(check.Shared(t, e.File))
	if err != nil {
		t.Fatal(err)
	}
	m := opened(t, converted(t, stories(t), "BF16"))
	r, err := measure.Perplexity(context.Background(), m, string(text),
		measure.PerplexityOptions{Context: e.Context, Chunks: e.Chunks, Documents: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%+v", r)
	if math.Abs(r.Perplexity/e.Perplexity-1) > 1e-4 {
		t.Errorf("perplexity %v, want %v", r.Perplexity, e.Perplexity)
	}
}

// typeBound is what quantised activations may change of a perplexity.
const typeBound = 0.01

// A trained model that is converted to a mix has the perplexity that its decoded
// weights have.
func TestStoriesTypes(t *testing.T) {
	if testing.Short() {
		t.Skip("converts a model five times")
	}
	text, err := os.ReadFile(check.Shared(t, "eval", "valid.txt"))
	if err != nil {
		t.Fatal(err)
	}
	perplexity := func(file string, opts ...mpt.Option) float64 {
		r, err := measure.Perplexity(context.Background(), opened(t, file, opts...), string(text),
			measure.PerplexityOptions{Context: 512, Chunks: 1, Documents: true})
		if err != nil {
			t.Fatal(err)
		}
		return r.Perplexity
	}
	for _, typ := range []string{"Q2_K", "Q3_K_M", "Q5_K_M", "IQ4_XS", "IQ3_M"} {
		file := converted(t, stories(t), typ)
		fast, exact := perplexity(file), perplexity(file, mpt.Exact())
		t.Logf("%s: perplexity %.3f, exact %.3f", typ, fast, exact)
		if !(math.Abs(fast/exact-1) <= typeBound) {
			t.Errorf("%s: perplexity %v, with exact activations %v", typ, fast, exact)
		}
	}
}
