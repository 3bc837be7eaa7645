package measure

import (
	"context"
	"runtime"

	"mptgo/mpt"
	"mptgo/mpt/convert"
	"mptgo/mpt/tune"
)

// costs returns what errors in the matrices of a model cost.
func costs(ctx context.Context, m *mpt.Model, texts [][]int32, threads int) (map[string][]convert.Cost, error) {
	if threads == 0 {
		threads = runtime.GOMAXPROCS(0)
	}
	s, err := tune.Measure(ctx, m, texts[:min(4, len(texts))], threads)
	if err != nil {
		return nil, err
	}
	all := map[string][]convert.Cost{}
	for name, rows := range s.Outputs {
		all[name] = []convert.Cost{{Rows: mean(rows, s.Tokens), Cols: mean(s.Inputs[name], s.Tokens)}}
	}
	const embeddings = "token_embd.weight"
	all[embeddings] = append(all[embeddings], convert.Cost{Rows: mean(s.Tokened, s.Tokens), Cols: mean(s.Looked, s.Tokens)})
	return all, nil
}

// mean returns sums by the number of their terms.
func mean(sum []float64, n int) []float64 {
	m := make([]float64, len(sum))
	for i, v := range sum {
		m[i] = v / float64(n)
	}
	return m
}
