package quantize

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"math"
	"math/rand/v2"
	"mptgo/quantize/internal/search"
	"testing"

	"mptgo/gguf"
)

// weightedError returns Σ w·(y-x)² for the weights of the better search and for
// values that went through f.
func weightedError(t *testing.T, f *Format, s Search, x, importance []float32) (sum float64) {
	t.Helper()
	n, _ := f.Type.Block()
	size, _ := f.Type.RowBytes(len(x))
	b, y := make([]byte, size), make([]float32, len(x))
	if err := s.Encode(f.Type, b, x, len(x), importance); err != nil {
		t.Fatal(err)
	}
	f.Decode(y, b)
	w := make([]float32, len(x))
	for i := 0; i < len(x); i += n {
		var imp []float32
		if importance != nil {
			imp = importance[i : i+n]
		}
		search.WeighBetter(w[i:i+n], x[i:i+n], imp)
	}
	for i, v := range x {
		d := float64(y[i]) - float64(v)
		sum += float64(w[i]) * d * d
	}
	return sum
}

// TestBetterIsBetter compares the searches on several distributions, with and
// without importance weights: the better one must deserve its name on each.
func TestBetterIsBetter(t *testing.T) {
	const n = 256 * 64
	r := rand.New(rand.NewPCG(5, 6))
	importance := make([]float32, n)
	for i := range importance {
		importance[i] = float32(math.Exp(r.NormFloat64()))
	}
	for name, draw := range map[string]func() float64{
		"normal":  func() float64 { return 0.02 * r.NormFloat64() },
		"laplace": func() float64 { return 0.02 * r.ExpFloat64() * float64(2*r.IntN(2)-1) },
		"uniform": func() float64 { return r.Float64() - 0.5 },
		"outlier": func() float64 { return r.NormFloat64() / math.Sqrt(r.ExpFloat64()+0.1) },
	} {
		x := make([]float32, n)
		for i := range x {
			x[i] = float32(draw())
		}
		for _, f := range Formats() {
			if f.better == nil {
				continue
			}
			for _, w := range [][]float32{nil, importance} {
				ref, got := weightedError(t, f, SearchReference, x, w), weightedError(t, f, SearchBetter, x, w)
				if worse := got > ref; worse || got == ref && f.Type != gguf.IQ3_S {
					t.Errorf("%v, %s, importance %v: error %v, reference %v", f.Type, name, w != nil, got, ref)
				}
			}
		}
	}
}

// betterDigests are the starts of the SHA-256 of the bytes of the better search.
var betterDigests = map[gguf.Type]string{
	gguf.Q4_0:   "2b74c9f90cbecc19",
	gguf.Q4_1:   "c708f35fd426bd66",
	gguf.Q5_0:   "7ea105595543ba40",
	gguf.Q5_1:   "6d6feb476e08f356",
	gguf.Q8_0:   "a7163dfd2272e694",
	gguf.Q2_K:   "d30baf3bda81da64",
	gguf.Q3_K:   "b7151825a7c0b53f",
	gguf.Q4_K:   "45a1d66fbf978648",
	gguf.Q5_K:   "ddde927aa82d3386",
	gguf.Q6_K:   "6207fff1d615f096",
	gguf.IQ4_NL: "0cb7e725460bc97a",
	gguf.IQ3_S:  "18c26ad22b3fa87c",
	gguf.IQ4_XS: "a9a0509fa1394f8d",
}

// TestBetterDigest holds the bytes of the better search to what they were when it
// was written: they are the same on every CPU.
func TestBetterDigest(t *testing.T) {
	src, imatrix := readFloats(t, "testdata/input.f32"), readFloats(t, "testdata/imatrix.f32")
	for _, f := range Formats() {
		if f.better == nil {
			continue
		}
		hash := sha256.New()
		for _, w := range [][]float32{nil, imatrix} {
			size, _ := f.Type.RowBytes(len(src))
			b := make([]byte, size)
			if err := SearchBetter.Encode(f.Type, b, src, goldenCols, w); err != nil {
				t.Fatal(err)
			}
			hash.Write(b)
		}
		if got, want := hex.EncodeToString(hash.Sum(nil)[:8]), betterDigests[f.Type]; got != want {
			t.Errorf("%v: digest %s, want %s in betterDigests", f.Type, got, cmp.Or(want, "a row"))
		}
	}
}

// TestZeroGroupIQ3_S holds the better search against the mistake of the
// reference: values after a group of zeros.
func TestZeroGroupIQ3_S(t *testing.T) {
	x := make([]float32, 256)
	for i := 32; i < 256; i++ {
		x[i] = float32(math.Sin(float64(i)))
	}
	if e := weightedError(t, &iq3_S, SearchBetter, x, nil); e > 5 {
		t.Errorf("better: error %v", e)
	}
	if e := weightedError(t, &iq3_S, SearchReference, x, nil); e < 25 {
		t.Errorf("reference: error %v: has its mistake been mended?", e)
	}
}

// hostile are rows that searches trip over.
func hostile() map[string][]float32 {
	rows := map[string][]float32{
		"zeros":     make([]float32, 256),
		"minus 0":   fill(float32(math.Copysign(0, -1))),
		"denormal":  fill(0x1p-149),
		"denormals": fill(-0x1p-130),
		"tiny":      fill(1e-15),
		"small":     fill(1e-20),
		"equal":     fill(3),
		"negative":  fill(-3),
		"large":     fill(6e4),
	}
	for name, at := range map[string]int{"first": 0, "middle": 77, "last": 255} {
		rows["outlier "+name] = with(256, at, 1000)
		rows["outlier -"+name] = with(256, at, -1000)
		noisy := with(256, at, 1000)
		for i := range noisy {
			noisy[i] += float32(math.Sin(float64(i))) * 1e-3
		}
		rows["noisy outlier "+name] = noisy
		rows["huge "+name] = with(256, at, math.MaxFloat32)
		rows["denormal "+name] = with(256, at, 0x1p-149)
	}
	return rows
}

func fill(v float32) []float32 {
	x := make([]float32, 256)
	for i := range x {
		x[i] = v
	}
	return x
}

// TestHostile encodes rows that searches trip over, with and without weights
// that are themselves hostile. All but the huge ones must be accepted, and what
// comes back is not further from 0 than the largest value was, give or take the
// steps of the format.
func TestHostile(t *testing.T) {
	weights := [][]float32{nil, fill(0), fill(1), fill(1e-30), with(256, 9, 1), fill(1e30)}
	for _, f := range Formats() {
		if f.Encode == nil {
			continue
		}
		size, _ := f.Type.RowBytes(256)
		b, y := make([]byte, size), make([]float32, 256)
		for name, x := range hostile() {
			most := absMax(x)
			for i, w := range weights {
				for _, s := range []Search{SearchReference, SearchBetter} {
					err := s.Encode(f.Type, b, x, 256, w)
					if err == nil && most == math.MaxFloat32 && f.Type != gguf.F32 && (w == nil || w[0] == 1) {
						t.Errorf("%v, %v, %s, weights %d: %v is accepted", f.Type, s, name, i, most)
					}
					if err != nil {
						if most < math.MaxFloat32 && (w == nil || w[0] < 1e30) && !(f.Type == gguf.F16) {
							t.Errorf("%v, %v, %s, weights %d: %v", f.Type, s, name, i, err)
						}
						continue
					}
					f.Decode(y, b)
					if got := absMax(y); !(got <= 1.5*most+1e-6) {
						t.Errorf("%v, %v, %s, weights %d: %v becomes %v", f.Type, s, name, i, most, got)
					}
				}
			}
		}
	}
}

// TestRefusesNotFinite holds every format and search to the same refusal.
func TestRefusesNotFinite(t *testing.T) {
	for _, f := range Formats() {
		if f.Encode == nil {
			continue
		}
		size, _ := f.Type.RowBytes(256)
		for _, v := range []float32{nan(), inf(), -inf()} {
			for _, s := range []Search{SearchReference, SearchBetter} {
				if err := s.Encode(f.Type, make([]byte, size), with(256, 200, v), 256, nil); err == nil {
					t.Errorf("%v, %v: %v is accepted", f.Type, s, v)
				}
			}
		}
	}
}

// TestAgain encodes what was decoded. Formats with one level of scales have
// found the codes that stand for these values; the bytes must not change.
func TestAgain(t *testing.T) {
	src := readFloats(t, "testdata/input.f32")[:goldenCols]
	for _, typ := range []gguf.Type{gguf.F32, gguf.F16, gguf.BF16, gguf.Q8_0, gguf.TQ1_0, gguf.TQ2_0} {
		f, _ := Lookup(typ)
		b := encoded(t, typ, src, goldenCols)
		y := make([]float32, goldenCols)
		f.Decode(y, b)
		if !bytes.Equal(encoded(t, typ, y, goldenCols), b) {
			t.Errorf("%v: the bytes change", typ)
		}
	}
}

func TestSearchNames(t *testing.T) {
	for _, s := range []Search{SearchAuto, SearchReference, SearchBetter} {
		if got, err := ParseSearch(s.String()); got != s || err != nil {
			t.Errorf("%v: got %v, %v", s, got, err)
		}
	}
	if _, err := ParseSearch("best"); err == nil {
		t.Error("best: no error")
	}
}
