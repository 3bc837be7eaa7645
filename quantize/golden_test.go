package quantize

import (
	"bytes"
	"math"
	"os"
	"path/filepath"
	"testing"

	"mptgo/gguf"
)

// The golden files hold 12 rows of 1024 values: Gaussian, zero, constant, with
// outliers, all negative, heavy-tailed, tiny, large, and partly zero.
const goldenCols = 1024

// goldens says which formats have golden files, and which have some made with
// importance weights too.
var goldens = []struct {
	name     string
	t        gguf.Type
	weighted bool
}{
	{"f16", gguf.F16, false},
	{"bf16", gguf.BF16, false},
	{"q8_0", gguf.Q8_0, false},
	{"q4_0", gguf.Q4_0, true},
	{"q4_1", gguf.Q4_1, true},
	{"q5_0", gguf.Q5_0, true},
	{"q5_1", gguf.Q5_1, true},
	{"q6_K", gguf.Q6_K, true},
	{"q2_K", gguf.Q2_K, true},
	{"q3_K", gguf.Q3_K, true},
	{"q4_K", gguf.Q4_K, true},
	{"q5_K", gguf.Q5_K, true},
	{"iq4_nl", gguf.IQ4_NL, true},
	{"iq4_xs", gguf.IQ4_XS, true},
	{"iq3_xxs", gguf.IQ3_XXS, true},
	{"iq3_s", gguf.IQ3_S, true},
	{"iq2_s", gguf.IQ2_S, true},
	{"tq1_0", gguf.TQ1_0, true},
	{"tq2_0", gguf.TQ2_0, true},
}

func readFile(t testing.TB, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func readFloats(t testing.TB, name string) []float32 {
	t.Helper()
	b := readFile(t, name)
	x := make([]float32, len(b)/4)
	f32.Decode(x, b)
	return x
}

func TestEncodeGolden(t *testing.T) {
	src, imatrix := readFloats(t, "testdata/input.f32"), readFloats(t, "testdata/imatrix.f32")
	for _, g := range goldens {
		if f, _ := Lookup(g.t); f.Encode == nil {
			continue
		}
		checkEncode(t, g.t, g.name+".q", src, nil)
		if g.weighted {
			checkEncode(t, g.t, g.name+".imatrix.q", src, imatrix)
		}
	}
}

// checkEncode encodes all rows at once and compares with a golden file.
func checkEncode(t *testing.T, typ gguf.Type, file string, src, weights []float32) {
	t.Run(file, func(t *testing.T) {
		want := readFile(t, filepath.Join("testdata", file))
		got := make([]byte, len(want))
		if err := EncodeRows(typ, got, src, goldenCols, weights); err != nil {
			t.Fatal(err)
		}
		if bytes.Equal(got, want) {
			return
		}
		n, size := typ.Block()
		for b := range len(want) / size {
			if g, w := got[b*size:(b+1)*size], want[b*size:(b+1)*size]; !bytes.Equal(g, w) {
				t.Fatalf("row %d, column %d:\n got %x\nwant %x", b*n/goldenCols, b*n%goldenCols, g, w)
			}
		}
	})
}

func TestDecodeGolden(t *testing.T) {
	for _, g := range goldens {
		checkDecode(t, g.t, "testdata", g.name)
		if g.weighted {
			checkDecode(t, g.t, "testdata", g.name+".imatrix")
		}
	}
}

func checkDecode(t *testing.T, typ gguf.Type, dir, name string) {
	t.Run(name, func(t *testing.T) {
		want := readFloats(t, filepath.Join(dir, name+".f32"))
		got := make([]float32, len(want))
		if err := DecodeRow(typ, got, readFile(t, filepath.Join(dir, name+".q"))); err != nil {
			t.Fatal(err)
		}
		for i := range want {
			if math.Float32bits(got[i]) != math.Float32bits(want[i]) {
				t.Fatalf("row %d, column %d: got %v, want %v", i/goldenCols, i%goldenCols, got[i], want[i])
			}
		}
	})
}
