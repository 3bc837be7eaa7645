package measure

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"mptgo/internal/check"
	"mptgo/mpt"
	"mptgo/mpt/convert"
	"mptgo/quantize"
	"mptgo/quantize/imatrix"
)

// selfQuantized returns the file that Quantize makes of src with self-calibration, and checks that
// nothing else is left beside it.
func selfQuantized(t *testing.T, src string, opt convert.Options) []byte {
	t.Helper()
	dir := t.TempDir()
	dst := filepath.Join(dir, "q.gguf")
	if _, err := Quantize(context.Background(), src, dst, opt, SelfOptions{Self: SelfAlways, Allocate: SelfNever}); err != nil {
		t.Fatal(err)
	}
	checkAlone(t, dir, "q.gguf")
	b, err := os.ReadFile(dst)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// checkAlone checks that a folder holds files of these names and nothing else.
func checkAlone(t *testing.T, dir string, names ...string) {
	t.Helper()
	have, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for i, e := range have {
		if i >= len(names) || e.Name() != names[i] {
			t.Errorf("%s is left behind", e.Name())
		}
	}
}

// TestQuantizeSelf: measuring block by block makes the file that an importance matrix of all
// blocks makes, with any number of threads.
func TestQuantizeSelf(t *testing.T) {
	dir := check.Shared(t, "testdata", "cases", "hf-tiny")
	src := filepath.Join(t.TempDir(), "f32.gguf")
	if _, err := convert.Convert(context.Background(), dir, src, convert.Options{Type: "F32"}); err != nil {
		t.Fatal(err)
	}
	for _, typ := range []string{"Q4_K_M", "Q4_0", "IQ4_NL"} {
		want := atOnce(t, src, convert.Options{Type: typ})
		for _, threads := range []int{1, 3} {
			if got := selfQuantized(t, src, convert.Options{Type: typ, Threads: threads}); !bytes.Equal(got, want) {
				t.Errorf("%s: another file by %d threads, measured block by block", typ, threads)
			}
		}
	}
	given := convert.Options{Type: "IQ4_NL", ImatrixFile: "given", Imatrix: squaresOf(t, src)}
	want := atOnce(t, src, given)
	given.Imatrix = squaresOf(t, src)
	if !bytes.Equal(selfQuantized(t, src, given), want) {
		t.Error("another file with the mean squares of another text")
	}
}

// squaresOf returns an importance matrix without correlations.
func squaresOf(t *testing.T, src string) *imatrix.Matrix {
	t.Helper()
	m, err := mpt.Open(src)
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	all := imatrix.New(16)
	if err := CollectImatrixSelf(context.Background(), m, all, ImatrixOptions{Context: 16, Chunks: 4, Seed: 7}); err != nil {
		t.Fatal(err)
	}
	return all
}

// atOnce quantises with an importance matrix that is measured before, or with its correlations and
// the mean squares of the one that is given.
func atOnce(t *testing.T, src string, how convert.Options) []byte {
	t.Helper()
	dir := t.TempDir()
	aside, dst := filepath.Join(dir, "aside.gguf"), filepath.Join(dir, "q.gguf")
	if _, err := convert.Convert(context.Background(), src, aside, convert.Options{Type: asideType}); err != nil {
		t.Fatal(err)
	}
	m, err := mpt.Open(aside)
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	length := min(selfLength, m.Config().Context)
	all := imatrix.New(length)
	all.AddDataset(SelfDataset)
	opt := ImatrixOptions{Context: length, Chunks: mostTexts * selfLength / length, Products: true, Seed: 1}
	if err := CollectImatrixSelf(context.Background(), m, all, opt); err != nil {
		t.Fatal(err)
	}
	how.Search = quantize.SearchBetter
	if how.Imatrix != nil {
		how.Imatrix.BorrowProducts(all)
	} else {
		how.Imatrix, how.ImatrixFile = all, SelfDataset
	}
	if _, err := convert.Convert(context.Background(), src, dst, how); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(dst)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestQuantizeSelfEnds: a calibration that is cancelled, at any stage, leaves nothing behind.
func TestQuantizeSelfEnds(t *testing.T) {
	src := check.Shared(t, "testdata", "cases", "hf-tiny")
	for _, stage := range []string{"prepared", "written", "measured", "converted"} {
		dir := t.TempDir()
		ctx, cancel := context.WithCancel(context.Background())
		at := func(what string) {
			if what == stage {
				cancel()
			}
		}
		opt := convert.Options{TargetBPW: 5, Progress: func(int64, int64) { at("converted") }}
		self := SelfOptions{Self: SelfAlways, Progress: func(what string, _, _ int) { at(what) }}
		_, err := Quantize(ctx, src, filepath.Join(dir, "q.gguf"), opt, self)
		cancel()
		if stage != "converted" && !errors.Is(err, context.Canceled) {
			t.Errorf("cancelled when %s: %v", stage, err)
		}
		if err != nil {
			checkAlone(t, dir)
		}
	}
}

// TestGroupOf: groups are of whole blocks, no longer than the longest, and none is much
// shorter than the others.
func TestGroupOf(t *testing.T) {
	for cols, want := range map[int]int{
		32: 32, 768: 768, 2048: 2048, 2080: 1280, 2560: 1280, 3072: 1536, 4096: 2048, 7168: 1792, 16384: 2048, 28672: 2048,
	} {
		if got := groupOf(cols); got != want {
			t.Errorf("%d columns: groups of %d, want %d", cols, got, want)
		}
	}
}

func TestTextsOf(t *testing.T) {
	for parameters, want := range map[int64]int{
		1e4: 32, 30e6: 32, 1 << 27: 32, 1<<27 + 1: 16, 1 << 28: 16, 350e6: 8, 1.3e9: 8, 7e9: 8, 1 << 60: 8,
	} {
		if got := textsOf(parameters); got != want {
			t.Errorf("%d parameters: %d texts, want %d", parameters, got, want)
		}
	}
}
