package convert

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"mptgo/gguf"
	"mptgo/internal/half"
	"mptgo/mpt"
	"mptgo/mpt/tokenizer"
)

// small is a shape whose file is made of little but its embedding.
var small = Shape{"64,2,2", 64, 2, 2, 2048}

// synthetic makes a model and returns the path of its file.
func synthetic(t testing.TB, shape Shape, seed uint64, opt Options) string {
	t.Helper()
	dst := filepath.Join(t.TempDir(), "synthetic.gguf")
	if _, err := Synthetic(context.Background(), shape, seed, dst, opt); err != nil {
		t.Fatal(err)
	}
	return dst
}

func digest(t testing.TB, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("%x", sha256.Sum256(b))
}

// TestSyntheticBits holds the bytes of a file: they are the same with any number of
// threads, on any machine, and others with another seed.
func TestSyntheticBits(t *testing.T) {
	const want = "ad611c4ef79fc6e27f5921cc8ed305a063fb2f84de69776b4a5c43ccbaf39309"
	for _, threads := range []int{1, 2, 7} {
		if got := digest(t, synthetic(t, small, 1, Options{Type: "Q8_0", Threads: threads})); got != want {
			t.Errorf("%d threads: %s, want %s", threads, got, want)
		}
	}
	if got := digest(t, synthetic(t, small, 2, Options{Type: "Q8_0"})); got == want {
		t.Error("the seed has no effect")
	}
}

// TestSyntheticRuns evaluates a text: the logits have the spread of a model before
// training.
func TestSyntheticRuns(t *testing.T) {
	m, err := mpt.Open(synthetic(t, Shape{"128,4,3", 128, 4, 3, 2048}, 1, Options{Type: "Q4_0"}))
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	s, err := m.NewSession()
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if err := s.Eval(context.Background(), m.Tokenizer().Encode("Once upon a time", tokenizer.EncodeOptions{})); err != nil {
		t.Fatal(err)
	}
	var squares float64
	for _, x := range s.Logits() {
		squares += float64(x) * float64(x)
	}
	// The norm makes the last hidden state of length sqrt(128).
	std, want := math.Sqrt(squares/float64(len(s.Logits()))), 0.02*math.Sqrt(128)
	if !(0.8*want < std && std < 1.2*want) {
		t.Errorf("logits have the standard deviation %g, want about %g", std, want)
	}
}

// TestSyntheticNotes makes a model whose rows do not divide into blocks.
func TestSyntheticNotes(t *testing.T) {
	var log strings.Builder
	opt := Options{Type: "Q4_0", Logf: func(f string, a ...any) { fmt.Fprintf(&log, f+"\n", a...) }}
	f := mustOpen(t, synthetic(t, Shape{"36,3,1", 36, 3, 1, 64}, 1, opt))
	if typ := mustTensor(t, f, "blk.0.attn_qkv.weight").Type; typ != gguf.F16 || !strings.Contains(log.String(), "blk.0.attn_qkv.weight: rows of 36 values") {
		t.Errorf("%v, log %s", typ, log.String())
	}
	if n := mustGet[uint32](t, f, "mpt.context_length"); n != 64 {
		t.Errorf("a context of %d tokens", n)
	}
}

func TestSyntheticFails(t *testing.T) {
	dst := filepath.Join(t.TempDir(), "out.gguf")
	stopped, stop := context.WithCancel(context.Background())
	stop()
	for _, c := range []struct {
		ctx   context.Context
		shape Shape
		typ   string
		want  string
	}{
		{context.Background(), small, "Q3", `unknown recipe "Q3"`},
		{context.Background(), Shape{"x", 64, 3, 1, 64}, "F16", "shape x: a width of 64 does not divide into 3 heads"},
		{context.Background(), Shape{"x", 64, 2, 1, 0}, "F16", "shape x: the context is 0"},
		{stopped, small, "F16", "not started"},
	} {
		_, err := Synthetic(c.ctx, c.shape, 1, dst, Options{Type: c.typ})
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v %s: %v, want %s", c.shape, c.typ, err, c.want)
		}
	}
	if _, err := os.Stat(dst); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("something is left behind: %v", err)
	}
}

func TestParseShape(t *testing.T) {
	for _, s := range Shapes() {
		if got, err := ParseShape(s.Name); got != s || err != nil {
			t.Errorf("%s: %v, %v", s.Name, got, err)
		}
		if err := s.check(); err != nil {
			t.Error(err)
		}
	}
	if got, err := ParseShape("256,4,2"); got != (Shape{"256,4,2", 256, 4, 2, 2048}) || err != nil {
		t.Errorf("%v, %v", got, err)
	}
	const unknown = "choose one of mpt-1b, mpt-7b, mpt-30b, or give D,H,L"
	for text, want := range map[string]string{
		"": unknown, "mpt-70b": unknown, "1,2": unknown, "1,2,3,4": unknown, "a,b,c": unknown, "64,2,1x": unknown, "64, 2,1": unknown,
		"99999999999999999999,1,1": unknown,
		"64,0,1":                   "the number of heads is 0", "-64,2,1": "the width is -64", "64,2,0": "the number of layers is 0",
		"262144,2,1": "the width is 262144: it must be between 1 and 131072", "64,5,1": "does not divide into 5 heads",
	} {
		if _, err := ParseShape(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %s", text, err, want)
		}
	}
}

// floats returns bfloat16 values.
func floats(b []byte) (v []float64) {
	for ; len(b) > 0; b = b[2:] {
		v = append(v, float64(half.BF16ToF32(binary.LittleEndian.Uint16(b))))
	}
	return v
}

// TestNoise looks at neighbouring rows of neighbouring tensors: each has the moments
// of a normal distribution and no two have anything in common. The limits are five
// standard errors.
func TestNoise(t *testing.T) {
	const cols = 1<<14 + 3
	n := newNoise(1, 2)
	var rows [][]float64
	for _, name := range []string{"blk.0.ffn_up.weight", "blk.1.ffn_up.weight"} {
		b := make([]byte, 3*2*cols)
		if err := n.source(name, 3, cols, n.weight).read(b, 0, 3); err != nil {
			t.Fatal(err)
		}
		one := make([]byte, 2*cols)
		if err := n.source(name, 3, cols, n.weight).read(one, 1, 2); err != nil || !slices.Equal(one, b[2*cols:][:2*cols]) {
			t.Errorf("%s: row 1 is another one when it is read alone: %v", name, err)
		}
		for r := range 3 {
			rows = append(rows, floats(b[r*2*cols:][:2*cols]))
		}
	}
	for i, a := range rows {
		for j, b := range rows[:i+1] {
			var mean, product float64
			for k := range a {
				mean += a[k] / 0.02 / cols
				product += a[k] * b[k] / (0.02 * 0.02) / cols
			}
			want, limit := 0.0, 5/math.Sqrt(cols)
			if i == j {
				want, limit = 1, 5*math.Sqrt(2.0/cols)
			}
			if math.Abs(mean) > 5/math.Sqrt(cols) || math.Abs(product-want) > limit {
				t.Errorf("rows %d and %d: mean %g, product %g", i, j, mean, product)
			}
		}
	}
}

// TestQuantiles checks the table against the distribution function.
func TestQuantiles(t *testing.T) {
	q := newQuantiles(1, 0.5)
	for i, h := range q {
		p := (float64(i) + 0.5) / float64(len(q))
		z := (float64(half.BF16ToF32(h)) - 1) / 0.5
		// A bfloat16 is within 2^-9 of its value, which here is below 4.
		below, above := normalCDF(z-4*0x1p-9/0.5), normalCDF(z+4*0x1p-9/0.5)
		if p < below || p > above {
			t.Fatalf("entry %d: %g is not the quantile of %g", i, z, p)
		}
	}
}

func normalCDF(z float64) float64 { return math.Erfc(-z/math.Sqrt2) / 2 }

func BenchmarkNoise(b *testing.B) {
	n := newNoise(1, 2)
	dst := make([]byte, 2*4096)
	s := n.source("x", 1, 4096, n.weight)
	b.SetBytes(int64(len(dst)))
	for b.Loop() {
		s.read(dst, 0, 1)
	}
}
