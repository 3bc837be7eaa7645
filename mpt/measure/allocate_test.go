package measure

import (
	"bytes"
	"context"
	"math"
	"os"
	"path/filepath"
	"testing"

	"mptgo/internal/check"
	"mptgo/mpt"
	"mptgo/mpt/convert"
	"mptgo/mpt/tune"
	"mptgo/quantize/imatrix"
)

// TestAllocate: a model that chooses its own types makes the same file with any number of threads, another
// one than the recipe's, and no larger.
func TestAllocate(t *testing.T) {
	src, dir := check.Shared(t, "testdata", "cases", "hf-tiny"), t.TempDir()
	made := func(name string, allocate Self, threads int) []byte {
		dst := filepath.Join(dir, name)
		opt, self := convert.Options{Type: "Q5_0", Threads: threads}, SelfOptions{Self: SelfAlways, Allocate: allocate}
		if _, err := Quantize(context.Background(), src, dst, opt, self); err != nil {
			t.Fatal(err)
		}
		b, err := os.ReadFile(dst)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	one, three := made("one", SelfAlways, 1), made("three", SelfAlways, 3)
	if !bytes.Equal(one, three) {
		t.Error("another file by three threads")
	}
	switch usual := made("usual", SelfAuto, 1); {
	case bytes.Equal(one, usual):
		t.Error("the types are those of the recipe")
	case len(one) > len(usual):
		t.Errorf("%d bytes, of the recipe's types %d", len(one), len(usual))
	}
}

// TestAllocates: mixes are allocated unless something else is asked for.
func TestAllocates(t *testing.T) {
	pure := convert.Options{Type: "Q4_K_M"}
	pure.Choices.Pure = true
	for _, c := range []struct {
		opt  convert.Options
		self Self
		want bool
	}{
		{convert.Options{Type: "Q4_K_M"}, SelfAuto, true},
		{convert.Options{Type: "q4_k"}, SelfAuto, true},
		{convert.Options{Type: "Q4_K_M"}, SelfNever, false},
		{convert.Options{Type: "Q4_0"}, SelfAuto, false},
		{convert.Options{Type: "Q4_0"}, SelfAlways, true},
		{convert.Options{Type: "Q6_K"}, SelfAuto, false},
		{convert.Options{TargetBPW: 5}, SelfNever, true},
		{pure, SelfAuto, false},
	} {
		if got := (&SelfOptions{Allocate: c.self}).allocates(&c.opt); got != c.want {
			t.Errorf("%s, %v: %v", c.opt.Type, c.self, got)
		}
	}
}

// TestSensitivity holds the gradients of the logits against the logits of a session, and the inputs of
// matrices against those of an importance matrix.
func TestSensitivity(t *testing.T) {
	file := filepath.Join(t.TempDir(), "f32.gguf")
	dir := check.Shared(t, "testdata", "cases", "hf-tiny")
	if _, err := convert.Convert(context.Background(), dir, file, convert.Options{Type: "F32"}); err != nil {
		t.Fatal(err)
	}
	m, err := mpt.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	ids := []int32{1, 7, 3, 9, 4, 4, 2, 8}
	got, err := tune.MeasureSensitivity(context.Background(), m, [][]int32{ids}, 2)
	if err != nil {
		t.Fatal(err)
	}
	near(t, "gradients of the logits", got.Outputs[outputName(m)], gradients(t, m, ids))
	s, err := m.NewSession(mpt.ContextSize(len(ids)))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	sums := &inputSums{into: imatrix.New(len(ids)), last: outputName(m)}
	s.SumInputs(sums.of)
	if err := sums.measure(context.Background(), s, ids); err != nil {
		t.Fatal(err)
	}
	for name, e := range sums.into.Entries {
		for j, want := range e.Sum2 {
			near(t, name, got.Inputs[name][j], want)
		}
		if !(got.Outputs[name] > 0) {
			t.Errorf("%s: no gradients", name)
		}
	}
}

// gradients returns the sum of the squares of the gradients of the loss, for all logits.
func gradients(t *testing.T, m *mpt.Model, ids []int32) (sum float64) {
	s, err := m.NewSession(mpt.ContextSize(len(ids)))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	err = s.EvalAll(context.Background(), ids, func(i int, logits []float32) error {
		if i+1 == len(ids) {
			return nil
		}
		total := 0.
		for _, v := range logits {
			total += math.Exp(float64(v))
		}
		for j, v := range logits {
			g := math.Exp(float64(v)) / total
			if int32(j) == ids[i+1] {
				g--
			}
			sum += g * g
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return sum
}

func near(t *testing.T, what string, got, want float64) {
	t.Helper()
	if !(math.Abs(got-want) <= 2e-2*math.Abs(want)+1e-6) {
		t.Errorf("%s: %v, want %v", what, got, want)
	}
}
