package measure_test

import (
	"context"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"mptgo/ggml"
	"mptgo/internal/check"
	"mptgo/mpt"
	"mptgo/quantize/imatrix"
)

// TestWalk: a walk through the blocks gives matrices the inputs that sessions give them, of
// every kind of model, with texts of several batches.
func TestWalk(t *testing.T) {
	folders, err := os.ReadDir(check.Shared(t, "testdata", "cases"))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range folders {
		if strings.HasPrefix(f.Name(), "lora-") {
			continue
		}
		t.Run(f.Name(), func(t *testing.T) {
			file := converted(t, filepath.Join(check.Shared(t, "testdata", "cases"), f.Name()), "Q8_0")
			m := opened(t, file, mpt.BatchSize(7), mpt.Threads(2))
			texts := [][]int32{{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11}, {3, 1, 4}, {5, 9, 2, 6, 5, 3, 5, 8, 9}}
			want, got := imatrix.New(16), imatrix.New(16)
			for _, ids := range texts {
				s, err := m.NewSession(mpt.ContextSize(16))
				if err != nil {
					t.Fatal(err)
				}
				s.SumInputs(entries(t, m, want))
				if err := s.EvalWith(context.Background(), ids, mpt.EvalOptions{Logits: mpt.NoLogits}); err != nil {
					t.Fatal(err)
				}
				s.Close()
			}
			w, err := m.NewWalk(texts, 16)
			if err != nil {
				t.Fatal(err)
			}
			defer w.Close()
			if err := w.All(context.Background(), entries(t, m, got), nil); err != nil {
				t.Fatal(err)
			}
			if len(want.Entries) < 5 || !reflect.DeepEqual(got, want) {
				t.Errorf("%d entries, %d in sessions, which have other sums", len(got.Entries), len(want.Entries))
			}
		})
	}
}

// entries returns a function that records the inputs of all matrices but the last in m.
func entries(t *testing.T, model *mpt.Model, m *imatrix.Matrix) func(w *ggml.Matrix, n int) ggml.Sums {
	all := model.Matrices()
	return func(w *ggml.Matrix, n int) ggml.Sums {
		if w == all[len(all)-1] {
			return ggml.Sums{}
		}
		e, err := m.Entry(w.Name, w.Cols)
		if err != nil {
			t.Fatal(err)
		}
		e.Rows += int64(n)
		e.NeedProducts(0)
		return ggml.Sums{Squares: e.Sum2, Products: e.Products, Run: e.Run}
	}
}

func TestWalkRefuses(t *testing.T) {
	m := opened(t, converted(t, check.Shared(t, "testdata", "cases", "hf-tiny"), "F16"))
	for _, texts := range [][][]int32{{{}}, {{1, 2}, {-1}}, {{1, 2, 3, 4, 5}}} {
		if w, err := m.NewWalk(texts, 4); err == nil {
			w.Close()
			t.Errorf("texts %v for a length of 4 are accepted", texts)
		}
	}
	w, err := m.NewWalk([][]int32{{1, 2}}, 4)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	ctx, cancel := context.WithCancel(context.Background())
	for range w.Blocks() {
		if err := w.Next(ctx, nil); err != nil {
			t.Fatal(err)
		}
	}
	if w.Next(ctx, nil) == nil {
		t.Error("there is a block after the last one")
	}
	cancel()
	again, err := m.NewWalk([][]int32{{1, 2}}, 4)
	if err != nil {
		t.Fatal(err)
	}
	defer again.Close()
	if again.Next(ctx, nil) == nil {
		t.Error("a block is evaluated though the context is done")
	}
}
