package measure

import (
	"context"
	"fmt"
	"io"
	"math"
	"mptgo/mpt"
	"slices"
)

// DivergenceResult says how far a model's predictions are from those of a better
// one, the base. Errors are standard errors. Differences are those of the
// probability of the token that comes, p(model) - p(base).
type DivergenceResult struct {
	Perplexity     PerplexityResult `json:"perplexity"`
	BasePerplexity PerplexityResult `json:"base_perplexity"`

	LogRatio    float64 `json:"ln_ppl_ratio"` // ln(perplexity / base perplexity)
	LogRatioErr float64 `json:"ln_ppl_ratio_stderr"`
	Correlation float64 `json:"ln_ppl_correlation"` // of the tokens' ln p

	KLD         float64    `json:"kld"` // mean divergence, in nats
	KLDErr      float64    `json:"kld_stderr"`
	KLDQuantile []Quantile `json:"kld_quantiles"`
	SameTop     float64    `json:"same_top"` // share of tokens with the same most likely one
	SameTopErr  float64    `json:"same_top_stderr"`
	MeanDelta   float64    `json:"mean_delta_p"`
	RMSDelta    float64    `json:"rms_delta_p"`
	RMSDeltaErr float64    `json:"rms_delta_p_stderr"`
	DeltaP      []Quantile `json:"delta_p_quantiles"`
}

// Quantile is a value that the given share of the tokens does not exceed.
type Quantile struct {
	Share float64 `json:"share"`
	Value float64 `json:"value"`
}

// quantiles are the shares that results tell of: from the least to the largest.
var quantiles = []float64{0, 0.01, 0.05, 0.1, 0.5, 0.9, 0.95, 0.99, 0.999, 1}

// Divergence compares m with the model whose logits [SaveLogits] has written to base,
// on the same text. The context and the rule must be those of then; Chunks may be
// fewer. A file that does not fit is an error that wraps [ErrLogits].
func Divergence(ctx context.Context, m *mpt.Model, text string, base io.Reader, opt PerplexityOptions) (DivergenceResult, error) {
	e, err := newEvaluation(m, text, opt)
	if err != nil {
		return DivergenceResult{}, err
	}
	l, err := newLogitReader(base, e)
	if err != nil {
		return DivergenceResult{}, fmt.Errorf("measure: divergence: %w: %w", ErrLogits, err)
	}
	defer l.close()
	var d divergenceSum
	p, err := e.perplexity(ctx, scorer{
		work: func(k int, x scored) error {
			base, err := l.rows.row(k)
			if err != nil {
				return fmt.Errorf("measure: divergence: %w: token %d: %w", ErrLogits, k+1, err)
			}
			base.compare(l.rows.exp, x)
			return nil
		},
		visit: func(k int, x scored) error {
			d.add(&l.rows.rows[k%mpt.ScoreBlock], x)
			l.rows.used(k)
			return nil
		},
	})
	if err != nil {
		return DivergenceResult{}, err
	}
	r := d.result()
	r.Perplexity, r.BasePerplexity.Chunks = p, p.Chunks
	return r, nil
}

// divergenceSum adds up what a result is made of.
type divergenceSum struct {
	base       nllSum
	ratio      nllSum // of the difference of -ln p
	own, cross nllSum // of -ln p, and of the product of both
	klds       []float32
	deltas     []float32
	kld, delta nllSum
	square     nllSum // of delta squared
	same       int
}

func (d *divergenceSum) add(base *baseRow, x scored) {
	delta := math.Exp(-x.nll) - math.Exp(-base.nll)
	d.base.add(base.nll)
	d.own.add(x.nll)
	d.cross.add(x.nll * base.nll)
	d.ratio.add(x.nll - base.nll)
	d.kld.add(base.kld)
	d.delta.add(delta)
	d.square.add(delta * delta)
	d.klds, d.deltas = append(d.klds, float32(base.kld)), append(d.deltas, float32(delta))
	if base.same {
		d.same++
	}
}

func (d *divergenceSum) result() DivergenceResult {
	n := float64(d.base.n)
	same := float64(d.same) / n
	r := DivergenceResult{
		BasePerplexity: d.base.result(),
		LogRatio:       d.ratio.mean(), LogRatioErr: d.ratio.stdErr(),
		KLD: d.kld.mean(), KLDErr: d.kld.stdErr(), KLDQuantile: quantilesOf(d.klds),
		SameTop: same, SameTopErr: math.Sqrt(same * (1 - same) / max(n-1, 1)),
		MeanDelta: d.delta.mean(), RMSDelta: math.Sqrt(d.square.mean()), DeltaP: quantilesOf(d.deltas),
	}
	if r.RMSDelta > 0 {
		r.RMSDeltaErr = d.square.stdErr() / (2 * r.RMSDelta)
	}
	if v := math.Sqrt(d.own.variance() * d.base.variance()); v > 0 {
		r.Correlation = (d.cross.mean() - d.own.mean()*d.base.mean()) / v
	}
	return r
}

// quantilesOf sorts x and returns its quantiles, between two values by proportion.
func quantilesOf(x []float32) []Quantile {
	slices.Sort(x)
	q := make([]Quantile, len(quantiles))
	for i, share := range quantiles {
		at := share * float64(len(x)-1)
		low := int(at)
		high := min(low+1, len(x)-1)
		part := at - float64(low)
		q[i] = Quantile{share, float64(x[low])*(1-part) + float64(x[high])*part}
	}
	return q
}
