package convert

import (
	"bytes"
	"context"
	"fmt"
	"math"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"mptgo/gguf"
	"mptgo/quantize"
	"mptgo/quantize/imatrix"
)

// forgedImatrix returns an importance matrix for the blocks of a model.
func forgedImatrix(f *gguf.File) *imatrix.Matrix {
	m := imatrix.New(512)
	m.Chunks = 2
	m.AddDataset("text.txt")
	for i, t := range f.Tensors() {
		if blockOf(t.Name) < 0 || len(t.Shape) < 2 {
			continue
		}
		e := &imatrix.Entry{Sum2: make([]float64, t.Shape[0]), Rows: 1024}
		for j := range e.Sum2 {
			e.Sum2[j] = float64(1 + (i+j*j)%17)
		}
		m.Entries[t.Name] = e
	}
	return m
}

// TestImatrixWeights: the blocks of a file are those that the weights give, with
// both searches, whatever the source.
func TestImatrixWeights(t *testing.T) {
	f := mustConvert(t, caseDir("hf-tiny"), Options{Type: "F32"})
	m := forgedImatrix(f)
	for _, search := range []quantize.Search{quantize.SearchReference, quantize.SearchBetter} {
		opt := Options{Type: "Q4_0", Search: search, Imatrix: m, ImatrixFile: "m.dat"}
		for _, src := range []string{f.Name(), caseDir("hf-tiny")} {
			g := mustConvert(t, src, opt)
			for _, x := range g.Tensors() {
				if blockOf(x.Name) < 0 || len(x.Shape) < 2 {
					continue
				}
				y := mustTensor(t, f, x.Name)
				v := make([]float32, x.Rows()*x.Shape[0])
				if err := quantize.DecodeRow(gguf.F32, v, y.Data()); err != nil {
					t.Fatal(err)
				}
				want := make([]byte, x.Size())
				if err := search.Encode(x.Type, want, v, x.Shape[0], m.Entries[x.Name].Weights()); err != nil {
					t.Fatal(err)
				}
				if !bytes.Equal(x.Data(), want) {
					t.Errorf("%v, %s: %s has other bytes", search, filepath.Base(src), x.Name)
				}
			}
		}
	}
}

// TestImatrixFeedback: products in an importance matrix make the error of the products
// smaller, with the better search only.
func TestImatrixFeedback(t *testing.T) {
	f := mustConvert(t, caseDir("hf-tiny"), Options{Type: "F32"})
	const name = "blk.0.ffn_up.weight"
	m, plain := forgedImatrix(f), forgedImatrix(f)
	e := m.Entries[name]
	if err := e.NeedProducts(0); err != nil {
		t.Fatal(err)
	}
	run := e.Run
	for j := range e.Sum2 {
		for k := j; k < len(e.Sum2); k++ {
			e.Products[j*run+k] = 0.9 * float32(math.Sqrt(e.Sum2[j]*e.Sum2[k]))
		}
		e.Products[j*run+j] = float32(e.Sum2[j])
	}
	fault := func(m *imatrix.Matrix, s quantize.Search) (sum float64) {
		x := mustTensor(t, mustConvert(t, f.Name(), Options{Type: "Q4_0", Search: s, Imatrix: m}), name)
		got, want := make([]float32, x.Rows()*x.Shape[0]), make([]float32, x.Rows()*x.Shape[0])
		for _, err := range []error{quantize.DecodeRow(x.Type, got, x.Data()), quantize.DecodeRow(gguf.F32, want, mustTensor(t, f, name).Data())} {
			if err != nil {
				t.Fatal(err)
			}
		}
		for n := len(e.Sum2); len(got) > 0; got, want = got[n:], want[n:] {
			for j := range n {
				for k := j; k < n; k++ {
					sum += float64(e.Products[j*run+k]) * float64(got[j]-want[j]) * float64(got[k]-want[k])
				}
			}
		}
		return sum
	}
	if with, without := fault(m, quantize.SearchBetter), fault(plain, quantize.SearchBetter); !(with < 0.75*without) {
		t.Errorf("error %v, without products %v", with, without)
	}
	if with, without := fault(m, quantize.SearchReference), fault(plain, quantize.SearchReference); with != without {
		t.Errorf("the reference search: error %v, without products %v", with, without)
	}
	e.Products, e.Run = e.Products[:32*len(e.Sum2)], 32
	if _, err := Convert(context.Background(), f.Name(), filepath.Join(t.TempDir(), "x.gguf"), Options{Type: "Q4_0", Search: quantize.SearchBetter, Imatrix: m}); err != nil {
		t.Errorf("groups of 32 columns: %v", err)
	}
	e.Products, e.Run = e.Products[:16*len(e.Sum2)], 16
	_, err := Convert(context.Background(), f.Name(), filepath.Join(t.TempDir(), "x.gguf"), Options{Type: "Q4_0", Search: quantize.SearchBetter, Imatrix: m})
	if err == nil || !strings.Contains(err.Error(), "of groups of 16 columns, and Q4_0 has blocks of 32") {
		t.Errorf("groups of 16 columns: %v", err)
	}
	e.Products = e.Products[1:]
	_, err = Convert(context.Background(), f.Name(), filepath.Join(t.TempDir(), "x.gguf"), Options{Type: "Q4_0", Search: quantize.SearchBetter, Imatrix: m})
	if err == nil || !strings.Contains(err.Error(), "input correlations in the importance matrix for 64 columns") {
		t.Errorf("too few products: %v", err)
	}
}

// TestImatrixKeys holds the record in a file against what llama-quantize writes.
func TestImatrixKeys(t *testing.T) {
	f := mustConvert(t, caseDir("hf-tiny"), Options{Type: "F32"})
	m := forgedImatrix(f)
	long := strings.Repeat("m", 126) + "é"
	g := mustConvert(t, f.Name(), Options{Type: "Q8_0", Imatrix: m, ImatrixFile: long})
	var got []string
	for _, kv := range g.Meta()[len(g.Meta())-5:] {
		got = append(got, fmt.Sprintf("%s=%v %T", kv.Key, kv.Value, kv.Value))
	}
	want := []string{
		"general.file_type=7 uint32", "quantize.imatrix.file=" + long[:126] + " string", "quantize.imatrix.dataset=text.txt string",
		fmt.Sprintf("quantize.imatrix.entries_count=%d int32", len(m.Entries)), "quantize.imatrix.chunks_count=2 int32",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got %q\nwant %q", got, want)
	}
}

func TestImatrixRefused(t *testing.T) {
	f := mustConvert(t, caseDir("hf-tiny"), Options{Type: "F32"})
	wide := filepath.Join(t.TempDir(), "wide.gguf")
	shape, err := ParseShape("256,2,1")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Synthetic(context.Background(), shape, 1, wide, Options{Type: "BF16"}); err != nil {
		t.Fatal(err)
	}
	other := func(change func(m *imatrix.Matrix)) *imatrix.Matrix {
		m := forgedImatrix(f)
		change(m)
		return m
	}
	const qkv = "blk.0.attn_qkv.weight"
	for name, c := range map[string]struct {
		src, typ string
		m        *imatrix.Matrix
		want     string
	}{
		"other columns": {f.Name(), "Q4_0", other(func(m *imatrix.Matrix) { m.Entries[qkv].Sum2 = make([]float64, 3) }),
			"tensor blk.0.attn_qkv.weight has 64 columns, and the importance matrix 3: it is one of another model"},
		"another model": {f.Name(), "Q4_0", &imatrix.Matrix{Entries: map[string]*imatrix.Entry{"x": {Sum2: []float64{1}, Rows: 1}}}, "no entry for any of the"},
		"empty":         {f.Name(), "Q4_0", imatrix.New(1), "is empty"},
		"negative":      {f.Name(), "Q4_0", other(func(m *imatrix.Matrix) { m.Entries[qkv].Sum2[5] = -1 }), "column 5: a sum of squares of -1"},
		"Q2_K_S":        {f.Name(), "Q2_K_S", nil, "Q2_K_S without an importance matrix makes nonsense"},
		"IQ2_M":         {wide, "IQ2_M", nil, "IQ2_S without the importance of its columns makes nonsense"},
	} {
		dst := filepath.Join(t.TempDir(), "out.gguf")
		_, err := Convert(context.Background(), c.src, dst, Options{Type: c.typ, Imatrix: c.m})
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
}

// TestImatrixMissing: a matrix without an entry is noted, and converted as if there
// were no importance matrix.
func TestImatrixMissing(t *testing.T) {
	f := mustConvert(t, caseDir("hf-tiny"), Options{Type: "F32"})
	m := forgedImatrix(f)
	delete(m.Entries, "blk.0.ffn_up.weight")
	m.Entries["blk.0.ffn_down.weight"].Rows = 0
	m.Entries["token_embd.weight"] = &imatrix.Entry{Sum2: []float64{1}, Rows: 1}
	var notes []string
	g := mustConvert(t, f.Name(), Options{Type: "Q5_1", Imatrix: m, Logf: func(format string, args ...any) {
		notes = append(notes, fmt.Sprintf(format, args...))
	}})
	plain := mustConvert(t, f.Name(), Options{Type: "Q5_1"})
	for name, same := range map[string]bool{"blk.0.ffn_up.weight": true, "blk.0.ffn_down.weight": true, "token_embd.weight": true, "blk.0.attn_qkv.weight": false} {
		if got := bytes.Equal(mustTensor(t, g, name).Data(), mustTensor(t, plain, name).Data()); got != same {
			t.Errorf("%s: as without importance: %v", name, got)
		}
	}
	want := "not in the importance matrix, so all columns have equal weights: token_embd.weight, blk.0.ffn_down.weight, blk.0.ffn_up.weight"
	if !slices.Contains(notes, want) {
		t.Errorf("notes %q, want %q", notes, want)
	}
}
