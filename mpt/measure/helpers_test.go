package measure_test

import (
	"context"
	"math"
	"path/filepath"
	"slices"
	"testing"

	"mptgo/internal/check"
	"mptgo/mpt"
	"mptgo/mpt/convert"
)

func stories(t testing.TB) string { return check.Shared(t, "models", "mpt-stories") }

// converted returns the checkpoint in a folder as a file of a type.
func converted(t testing.TB, dir, typ string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "model.gguf")
	if _, err := convert.Convert(context.Background(), dir, file, convert.Options{Type: typ}); err != nil {
		t.Fatal(err)
	}
	return file
}

// opened returns the model of a file until the end of the test.
func opened(t testing.TB, file string, opts ...mpt.Option) *mpt.Model {
	t.Helper()
	m, err := mpt.Open(file, opts...)
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

// allLogits returns the logits after every token of ids.
func allLogits(t testing.TB, m *mpt.Model, ids []int32) (rows [][]float32) {
	t.Helper()
	s, err := m.NewSession(mpt.ContextSize(len(ids)))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	err = s.EvalAll(context.Background(), ids, func(_ int, l []float32) error {
		rows = append(rows, slices.Clone(l))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return rows
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

// session returns an empty session until the end of the test.
func session(t testing.TB, m *mpt.Model, opts ...mpt.SessionOption) *mpt.Session {
	t.Helper()
	s, err := m.NewSession(opts...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}
