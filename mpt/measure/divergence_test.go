package measure_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"math"
	"math/rand/v2"
	"os"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"

	"mptgo/internal/check"
	"mptgo/mpt"
	"mptgo/mpt/measure"
	"mptgo/mpt/tokenizer"
)

// savedLogits returns the file of a model's logits.
func savedLogits(t *testing.T, m *mpt.Model, text string, opt measure.PerplexityOptions) []byte {
	t.Helper()
	var b bytes.Buffer
	saved, err := measure.SaveLogits(context.Background(), m, text, &b, opt)
	if err != nil {
		t.Fatal(err)
	}
	plain, err := measure.Perplexity(context.Background(), m, text, opt)
	if err != nil || saved != plain {
		t.Errorf("perplexity while saving %+v, else %+v, %v", saved, plain, err)
	}
	return b.Bytes()
}

// TestDivergence holds every figure against one that is computed in another way, from
// whole rows of logits.
func TestDivergence(t *testing.T) {
	if testing.Short() {
		t.Skip("evaluates a text once for every token of it")
	}
	base := opened(t, converted(t, stories(t), "BF16"))
	m := opened(t, converted(t, stories(t), "Q4_0"))
	text, err := os.ReadFile(check.Shared(t, "eval", "valid.txt"))
	if err != nil {
		t.Fatal(err)
	}
	for _, documents := range []bool{false, true} {
		opt := measure.PerplexityOptions{Context: 64, Chunks: 3, Documents: documents}
		got, err := measure.Divergence(context.Background(), m, string(text[:3000]), bytes.NewReader(savedLogits(t, base, string(text[:3000]), opt)), opt)
		if err != nil {
			t.Fatal(err)
		}
		want := naiveDivergence(t, base, m, got, string(text[:3000]), documents)
		for name, x := range map[string][3]float64{ // got, want, tolerance: unit/sqrt(12) * rms(ln p - ln q) / sqrt(93 tokens)
			"kld":         {got.KLD, want.KLD, 2e-5},
			"kld err":     {got.KLDErr, want.KLDErr, 1e-6},
			"largest":     {got.KLDQuantile[9].Value, want.KLDQuantile[0].Value, 1e-4},
			"ratio":       {got.LogRatio, got.Perplexity.MeanNLL - got.BasePerplexity.MeanNLL, 1e-12},
			"same top":    {got.SameTop, want.SameTop, 0},
			"rms delta":   {got.RMSDelta, want.RMSDelta, 1e-9},
			"base ppl":    {got.BasePerplexity.Perplexity, perplexityOf(t, base, string(text[:3000]), opt), 1e-9},
			"correlation": {got.Correlation, want.Correlation, 1e-9},
		} {
			if !(math.Abs(x[0]-x[1]) <= x[2]) {
				t.Errorf("documents %v: %s: %v, want %v", documents, name, x[0], x[1])
			}
		}
		if got.KLD < 0.01 || got.KLD > 1 {
			t.Errorf("a divergence of %v", got.KLD)
		}
	}
}

func perplexityOf(t *testing.T, m *mpt.Model, text string, opt measure.PerplexityOptions) float64 {
	t.Helper()
	r, err := measure.Perplexity(context.Background(), m, text, opt)
	if err != nil {
		t.Fatal(err)
	}
	return r.Perplexity
}

// naiveDivergence computes some of the figures from the definition.
func naiveDivergence(t *testing.T, base, m *mpt.Model, r measure.DivergenceResult, text string, documents bool) measure.DivergenceResult {
	t.Helper()
	ids, first := evaluationIDs(t, base, text, documents), 32
	if documents {
		first = 0
	}
	var klds, deltas, p, q []float64
	same := 0.
	for c := range r.Perplexity.Chunks {
		chunk := ids[64*c : 64*(c+1)]
		x, y := allLogits(t, base, chunk), allLogits(t, m, chunk)
		for i := first; i+1 < len(chunk); i++ {
			klds = append(klds, divergence(x[i], y[i]))
			p = append(p, float64(x[i][chunk[i+1]])-logSum(x[i]))
			q = append(q, float64(y[i][chunk[i+1]])-logSum(y[i]))
			deltas = append(deltas, math.Exp(q[len(q)-1])-math.Exp(p[len(p)-1]))
			if top(x[i]) == top(y[i]) {
				same++
			}
		}
	}
	n := float64(len(klds))
	var w measure.DivergenceResult
	largest := 0.
	for i, v := range klds {
		w.KLD += v / n
		w.RMSDelta += deltas[i] * deltas[i] / n
		largest = max(largest, v)
	}
	for _, v := range klds {
		w.KLDErr += (v - w.KLD) * (v - w.KLD)
	}
	w.KLDErr, w.RMSDelta, w.SameTop = math.Sqrt(w.KLDErr/n/(n-1)), math.Sqrt(w.RMSDelta), same/n
	w.KLDQuantile = []measure.Quantile{{Share: 1, Value: largest}}
	w.Correlation = correlation(p, q)
	return w
}

func evaluationIDs(t *testing.T, m *mpt.Model, text string, documents bool) []int32 {
	t.Helper()
	if !documents {
		return m.Tokenizer().Encode(text, tokenizer.EncodeOptions{})
	}
	end, _ := m.Tokenizer().ID("<|endoftext|>")
	var ids []int32
	for _, doc := range strings.Split(text, "<|endoftext|>\n") {
		ids = append(m.Tokenizer().AppendEncode(ids, strings.TrimSpace(doc), tokenizer.EncodeOptions{}), end)
	}
	return ids
}

func top(x []float32) int {
	best := 0
	for i, v := range x {
		if v > x[best] {
			best = i
		}
	}
	return best
}

func correlation(x, y []float64) float64 {
	var mx, my, xy, xx, yy float64
	n := float64(len(x))
	for i := range x {
		mx, my = mx+x[i]/n, my+y[i]/n
	}
	for i := range x {
		xy += (x[i] - mx) * (y[i] - my)
		xx += (x[i] - mx) * (x[i] - mx)
		yy += (y[i] - my) * (y[i] - my)
	}
	return xy / math.Sqrt(xx*yy)
}

// TestDivergenceOfItself is nearly nothing: what the unit of the file makes.
func TestDivergenceOfItself(t *testing.T) {
	if testing.Short() {
		t.Skip("evaluates a text twice with a model of 29 million weights")
	}
	m := opened(t, converted(t, stories(t), "Q4_0"))
	opt := measure.PerplexityOptions{Context: 32, Chunks: 4}
	text := strings.Repeat(imatrixText, 4)
	r, err := measure.Divergence(context.Background(), m, text, bytes.NewReader(savedLogits(t, m, text, opt)), opt)
	if err != nil {
		t.Fatal(err)
	}
	if r.KLD > 1e-7 || r.SameTop != 1 || r.LogRatio != 0 || r.RMSDelta != 0 {
		t.Errorf("%+v", r)
	}
}

// TestDamagedLogits: a file that is cut off or changed is refused, with an error
// that says whose fault it is.
func TestDamagedLogits(t *testing.T) {
	m := opened(t, converted(t, check.Shared(t, "testdata", "cases", "hf-tiny"), "F16"))
	opt := measure.PerplexityOptions{Context: 16, Chunks: 2}
	whole := savedLogits(t, m, imatrixText, opt)
	try := func(b []byte) error {
		_, err := measure.Divergence(context.Background(), m, imatrixText, bytes.NewReader(b), opt)
		return err
	}
	if err := try(whole); err != nil {
		t.Fatal(err)
	}
	r := rand.New(rand.NewPCG(1, 2))
	for range 200 {
		cut := whole[:r.IntN(len(whole)-4)]
		if err := try(cut); !errors.Is(err, measure.ErrLogits) {
			t.Fatalf("the first %d bytes: %v", len(cut), err)
		}
		b := bytes.Clone(whole)
		b[r.IntN(len(b))] ^= byte(1 + r.IntN(255))
		if err := try(b); err != nil && !errors.Is(err, measure.ErrLogits) {
			t.Fatalf("a changed byte: %v", err)
		}
	}
	opt.Chunks = 3
	if err := try(whole); err == nil || !strings.Contains(err.Error(), "it holds 2 chunks, not the 3 that were asked for") {
		t.Errorf("more chunks than there are: %v", err)
	}
	opt.Chunks = 0
	if err := try(withoutChunks(t, whole)); !errors.Is(err, measure.ErrLogits) || !strings.Contains(err.Error(), "it holds no chunks") {
		t.Errorf("no chunks: %v", err)
	}
}

// withoutChunks returns a file of logits that says that it holds none.
func withoutChunks(t *testing.T, file []byte) []byte {
	t.Helper()
	const magic, count = 8, 32 + 3*4
	d, err := zstd.NewReader(nil)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	b, err := d.DecodeAll(file[magic:], nil)
	if err != nil {
		t.Fatal(err)
	}
	binary.LittleEndian.PutUint32(b[count:], 0)
	e, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	return e.EncodeAll(b, bytes.Clone(file[:magic]))
}
