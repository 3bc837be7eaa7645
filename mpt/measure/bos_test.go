package measure

import (
	"bytes"
	"context"
	"math"
	"strings"
	"testing"

	"mptgo/internal/forge"
	"mptgo/mpt"
	"mptgo/mpt/tokenizer"
	"mptgo/sampling"
)

// Where the vocabulary asks for it, a text begins with bos, and every chunk with it in
// the place of its first token: llama.cpp's rule, and that of importance matrices.
func TestMeasuresBeginWithBOS(t *testing.T) {
	const text = "Once upon a time, in 1234, there was a word."
	ctx := context.Background()
	forged := func(add bool) *mpt.Model {
		return open(t, forge.NewMini().Set("tokenizer.ggml.bos_token_id", uint32(256)).Set("tokenizer.ggml.add_bos_token", add))
	}
	with, without := forged(true), forged(false)
	for _, documents := range []bool{false, true} {
		opt := PerplexityOptions{Context: 8, Documents: documents}
		var base bytes.Buffer
		got, err := SaveLogits(ctx, with, text, &base, opt)
		if err != nil {
			t.Fatal(err)
		}
		ids, err := evaluationTokens(with, text, documents, tokenizer.EncodeOptions{AddSpecial: !documents})
		if err != nil {
			t.Fatal(err)
		}
		first := 4
		if documents {
			first = 0
		}
		var sum nllSum
		for c := range len(ids) / 8 {
			part := append([]int32{with.Tokenizer().BOS()}, ids[8*c+1:][:7]...)
			s, err := with.NewSession()
			if err != nil {
				t.Fatal(err)
			}
			err = s.EvalAll(ctx, part, func(i int, logits []float32) error {
				if i >= first && i+1 < len(part) {
					sum.add(negLogSoftmax(logits, part[i+1]))
				}
				return nil
			})
			s.Close()
			if err != nil {
				t.Fatal(err)
			}
		}
		if math.Abs(got.MeanNLL-sum.mean()) > 1e-9 || got.Tokens != sum.n {
			t.Errorf("documents %v: %v of %d tokens, by hand %v of %d", documents, got.MeanNLL, got.Tokens, sum.mean(), sum.n)
		}
		plain, err := Perplexity(ctx, without, text, opt)
		if err != nil || plain.MeanNLL == got.MeanNLL {
			t.Errorf("documents %v: bos makes no difference: %v, %v", documents, plain.MeanNLL, err)
		}
		d, err := Divergence(ctx, with, text, bytes.NewReader(base.Bytes()), opt)
		if err != nil || d.KLD > 1e-6 || d.SameTop != 1 {
			t.Errorf("documents %v: compared with itself: %+v, %v", documents, d, err)
		}
		if _, err := Divergence(ctx, without, text, &base, opt); err == nil || !strings.Contains(err.Error(), "the tokens of chunk 1 differ") {
			t.Errorf("documents %v: compared with a model that begins otherwise: %v", documents, err)
		}
	}
}

// negLogSoftmax returns -ln softmax(logits)[id], in float64.
func negLogSoftmax(logits []float32, id int32) float64 {
	return sampling.LogSum(logits) - float64(logits[id])
}
