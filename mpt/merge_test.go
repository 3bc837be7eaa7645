package mpt_test

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"mptgo/internal/check"
	"mptgo/mpt"
	"mptgo/mpt/convert"
)

// merged returns a model file with adapters in its weights.
func merged(t testing.TB, base, typ string, adapters ...convert.AdapterFile) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "merged.gguf")
	if _, err := convert.Merge(context.Background(), base, adapters, file, convert.Options{Type: typ}); err != nil {
		t.Fatal(err)
	}
	return file
}

// near fails the test if logits differ by more than 1e-4, or 2e-5 of the largest where
// that is more: what float32 can do, as everywhere.
func near(t testing.TB, got, want [][]float32) {
	t.Helper()
	worst, top := 0.0, 5.0
	for i := range want {
		for j, w := range want[i] {
			worst, top = max(worst, math.Abs(float64(w-got[i][j]))), max(top, math.Abs(float64(w)))
		}
	}
	if !(worst <= 2e-5*top) {
		t.Errorf("logits differ by %g, more than %g", worst, 2e-5*top)
	}
}

// A merged model is what the reference computes with the adapter, from a checkpoint and
// from a file.
func TestMergedCases(t *testing.T) {
	for _, name := range loraCases {
		for _, base := range []string{tiny, converted(t, tiny, "F32")} {
			t.Run(name+"/"+filepath.Base(base), func(t *testing.T) {
				file := merged(t, base, "", convert.AdapterFile{Path: loraDir(name), Scale: 1})
				testExpected(t, opened(t, file, mpt.Exact()), loraDir(name))
			})
		}
	}
}

// Adapters give the same at run time, as a folder or converted, and merged.
func TestMergedIsRunTime(t *testing.T) {
	uses := []convert.AdapterFile{{Path: loraDir("lora-all"), Scale: 0.75}, {Path: loraDir("lora-rank-pattern"), Scale: -0.5}}
	testMerged(t, tiny, uses...)
}

// testMerged compares the three ways to use adapters.
func testMerged(t *testing.T, base string, uses ...convert.AdapterFile) {
	t.Helper()
	file := converted(t, base, "F32")
	folders, files := []mpt.Option{mpt.Exact()}, []mpt.Option{mpt.Exact()}
	for i, u := range uses {
		made := filepath.Join(t.TempDir(), fmt.Sprintf("%d.gguf", i))
		if _, err := convert.Convert(context.Background(), u.Path, made, convert.Options{}); err != nil {
			t.Fatal(err)
		}
		folders, files = append(folders, mpt.LoRA(u.Path, u.Scale)), append(files, mpt.LoRA(made, u.Scale))
	}
	ids := text(60)
	if testing.Short() {
		ids = ids[:12]
	}
	for i := range ids {
		ids[i] %= 120 // in every vocabulary
	}
	want := allLogits(t, opened(t, file, folders...), ids)
	near(t, allLogits(t, opened(t, file, files...), ids), want)
	near(t, allLogits(t, opened(t, merged(t, base, "F32", uses...), mpt.Exact()), ids), want)
	near(t, allLogits(t, opened(t, merged(t, file, "", uses...), mpt.Exact()), ids), want)
	plain := allLogits(t, opened(t, file, mpt.Exact()), ids)
	if slices.EqualFunc(plain, want, sameBits) {
		t.Error("the adapters do nothing")
	}
}

// Every configuration of the family takes an adapter for all of its matrices: fused and
// separate projections, shared heads, gates, an output matrix, the embedding.
func TestMergedEveryConfiguration(t *testing.T) {
	bases := append([]string(nil), ours...)
	for i := range bases {
		bases[i] = filepath.Join("testdata", "cases", bases[i])
	}
	for _, dir := range bases {
		t.Run(filepath.Base(dir), func(t *testing.T) { testConfiguration(t, dir) })
	}
	t.Run("shared", func(t *testing.T) {
		more, err := filepath.Glob(filepath.Join(check.Shared(t, "testdata", "cases"), "[hl]f-*"))
		if err != nil {
			t.Fatal(err)
		}
		for _, dir := range more {
			if !slices.Contains(ours, filepath.Base(dir)) {
				t.Run(filepath.Base(dir), func(t *testing.T) { testConfiguration(t, dir) })
			}
		}
	})
}

func testConfiguration(t *testing.T, dir string) {
	for _, embedding := range []bool{false, true} {
		t.Run(fmt.Sprintf("embedding=%v", embedding), func(t *testing.T) {
			adapter := forgeAdapter(t, dir, embedding)
			testMerged(t, dir, convert.AdapterFile{Path: adapter, Scale: 1})
			if _, err := os.Stat(adapter); err != nil {
				t.Error(err)
			}
		})
	}
}

// Rows of queries that were multiplied by a power of two, for a scale of the scores, have
// their changes multiplied, too.
func TestAdapterOfScaledQueries(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "scaled-queries")
	if err := os.CopyFS(dir, os.DirFS(tiny)); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "config.json")
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var config map[string]any
	if err := json.Unmarshal(b, &config); err != nil {
		t.Fatal(err)
	}
	config["attn_config"].(map[string]any)["softmax_scale"] = 0.5 // 2/√16
	if b, err = json.Marshal(config); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, b, 0o644); err != nil {
		t.Fatal(err)
	}
	if got := opened(t, converted(t, dir, "F32")).Config().QueryFactor; got != 2 {
		t.Fatalf("the queries were multiplied by %v", got)
	}
	testMerged(t, dir, convert.AdapterFile{Path: loraDir("lora-all"), Scale: 1})
	testMerged(t, dir, convert.AdapterFile{Path: forgeAdapter(t, dir, false), Scale: 1})
}
