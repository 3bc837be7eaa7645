package mpt_test

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"

	"mptgo/internal/check"
	"mptgo/mpt"
	"mptgo/mpt/checkpoint"
	"mptgo/mpt/convert"
)

// expected is what the reference implementation computes for a case.
type expected struct {
	Sequences []struct {
		Text     string
		Tokens   []int32
		Logits   string
		FirstRow int `json:"first_row"`
		Greedy   []int32
	}
	Perplexity struct {
		File       string
		Context    int
		Chunks     int
		MeanNLL    float64 `json:"mean_nll"`
		Perplexity float64
	}
	logits *checkpoint.Container
}

// readExpected reads the results that lie beside a checkpoint.
func readExpected(t testing.TB, dir string) *expected {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, "expected.json"))
	if err != nil {
		t.Fatal(err)
	}
	e := &expected{}
	if err := json.Unmarshal(text, e); err != nil {
		t.Fatal(err)
	}
	if e.logits, err = checkpoint.OpenSafetensors(filepath.Join(dir, "expected_logits.safetensors")); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { e.logits.Close() })
	return e
}

// rows returns the tensor of the given name as rows.
func (e *expected) rows(t testing.TB, name string) [][]float32 {
	t.Helper()
	x, ok := e.logits.Tensor(name)
	if !ok {
		t.Fatalf("no tensor %q", name)
	}
	n, width := x.Shape[0], x.Shape[1]
	data := make([]byte, 4*n*width)
	if err := x.ReadRows(data, 0, n); err != nil {
		t.Fatal(err)
	}
	rows := make([][]float32, n)
	for i := range rows {
		rows[i] = make([]float32, width)
		for j := range rows[i] {
			rows[i][j] = math.Float32frombits(binary.LittleEndian.Uint32(data[4*(i*width+j):]))
		}
	}
	return rows
}

// conversions holds the files of converted, by checkpoint and type: they are
// made once for all tests.
var conversions = struct {
	sync.Mutex
	dir   string
	files map[string]string
}{files: map[string]string{}}

func TestMain(m *testing.M) {
	var err error
	if conversions.dir, err = os.MkdirTemp("", "mpt"); err != nil {
		panic(err)
	}
	code := m.Run()
	os.RemoveAll(conversions.dir)
	os.Exit(code)
}

// converted returns a GGUF of the checkpoint in dir, of the given type.
func converted(t testing.TB, dir, typ string) string {
	t.Helper()
	conversions.Lock()
	defer conversions.Unlock()
	name := filepath.Base(dir) + "-" + typ + ".gguf"
	if file, ok := conversions.files[name]; ok {
		return file
	}
	file := filepath.Join(conversions.dir, name)
	if _, err := convert.Convert(context.Background(), dir, file, convert.Options{Type: typ}); err != nil {
		t.Fatal(err)
	}
	conversions.files[name] = file
	return file
}

// opened returns the model of a file; the test closes it.
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

// session returns an empty session; the test closes it.
func session(t testing.TB, m *mpt.Model, opts ...mpt.SessionOption) *mpt.Session {
	t.Helper()
	s, err := m.NewSession(opts...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

// ours are the cases that the project carries; with the reference data there are more.
var ours = []string{
	"hf-tiny", "hf-bf16-bin", "hf-bf16-sharded", "hf-f16-bin-sharded", "hf-legacy-bin", "hf-clip-6heads",
	"hf-softmax-scale", "hf-extrapolate", "lf-alibi", "lf-storywriter-like", "lf-embedding-fraction",
}

// caseDir returns the folder of a case.
func caseDir(t testing.TB, name string) string {
	t.Helper()
	if slices.Contains(ours, name) {
		return filepath.Join("testdata", "cases", name)
	}
	return check.Shared(t, "testdata", "cases", name)
}

// Every case in exact mode: logits within the bound, greedy tokens equal.
func TestCases(t *testing.T) {
	for _, name := range ours {
		t.Run(name, func(t *testing.T) { testCase(t, caseDir(t, name)) })
	}
	t.Run("shared", func(t *testing.T) {
		models, err := filepath.Glob(filepath.Join(check.Shared(t, "testdata", "cases"), "[hl]f-*"))
		if err != nil || len(models) < len(ours) {
			t.Fatalf("%d models: %v", len(models), err)
		}
		for _, dir := range models {
			if name := filepath.Base(dir); !slices.Contains(ours, name) {
				t.Run(name, func(t *testing.T) { testCase(t, dir) })
			}
		}
	})
}

func testCase(t *testing.T, dir string) {
	testExpected(t, opened(t, converted(t, dir, "F32"), mpt.Exact()), dir)
}

// shortSequence is as many tokens as short tests compare with a reference: all but the
// longest ones of the widest model and of the trained one. TestSameBits has longer ones.
const shortSequence = 200

// testExpected compares m with the results that lie in dir.
func testExpected(t *testing.T, m *mpt.Model, dir string) {
	e := readExpected(t, dir)
	for _, seq := range e.Sequences {
		if testing.Short() && len(seq.Tokens) > shortSequence {
			t.Logf("%d tokens: left out, for plain Go and emulated CPUs are slow", len(seq.Tokens))
			continue
		}
		want := e.rows(t, seq.Logits)
		got := allLogits(t, m, seq.Tokens)
		worst, top := 0.0, 1.0
		for i := range want {
			for j, w := range want[i] {
				worst = max(worst, math.Abs(float64(w)-float64(got[seq.FirstRow+i][j])))
				top = max(top, math.Abs(float64(w)))
			}
		}
		t.Logf("%d tokens: largest difference %.2g, bound %.2g", len(seq.Tokens), worst, 2e-5*top)
		if !(worst <= 2e-5*top) {
			t.Errorf("%d tokens: logits differ by %g, more than %g", len(seq.Tokens), worst, 2e-5*top)
		}
		if g := greedy(t, m, seq.Tokens, len(seq.Greedy)); fmt.Sprint(g) != fmt.Sprint(seq.Greedy) {
			t.Errorf("%d tokens: greedy continuation\n got %v\nwant %v", len(seq.Tokens), g, seq.Greedy)
		}
	}
}

// allLogits returns the logits after every token.
func allLogits(t testing.TB, m *mpt.Model, ids []int32) [][]float32 {
	t.Helper()
	s, err := m.NewSession(mpt.ContextSize(len(ids)))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	var rows [][]float32
	if err := s.EvalAll(context.Background(), ids, func(i int, l []float32) error {
		rows = append(rows, append([]float32(nil), l...))
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	return rows
}

// greedy returns n tokens after ids, end-of-text tokens included.
func greedy(t testing.TB, m *mpt.Model, ids []int32, n int) []int32 {
	t.Helper()
	s, err := m.NewSession(mpt.ContextSize(len(ids) + n))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if err := s.Eval(context.Background(), ids); err != nil {
		t.Fatal(err)
	}
	var out []int32
	for tok, err := range s.Generate(context.Background(), mpt.GenerateOptions{MaxTokens: n, IgnoreEOS: true}) {
		if err != nil {
			t.Fatal(err)
		}
		if tok.ID >= 0 {
			out = append(out, tok.ID)
		}
	}
	return out
}
