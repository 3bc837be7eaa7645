package measure_test

import (
	"context"
	"errors"
	"math"
	"reflect"
	"strings"
	"testing"

	"mptgo/internal/check"
	"mptgo/mpt"
	"mptgo/mpt/measure"
	"mptgo/mpt/tokenizer"
	"mptgo/quantize"
	"mptgo/quantize/imatrix"
)

const imatrixText = "The quick brown fox jumps over the lazy dog. Once upon a time there was a little girl, and she had a dog. " +
	"The dog was called Spot, and every day they went to the park, where the other children played with a ball."

// collected returns what a model measures of a text.
func collected(t *testing.T, file string, opt measure.ImatrixOptions, opts ...mpt.Option) *imatrix.Matrix {
	t.Helper()
	m := imatrix.New(opt.Context)
	if err := measure.CollectImatrix(context.Background(), opened(t, file, opts...), imatrixText, m, opt); err != nil {
		t.Fatal(err)
	}
	return m
}

// The sums do not depend on threads, batches or kernels.
func TestImatrixSame(t *testing.T) {
	file := converted(t, check.Shared(t, "testdata", "cases", "hf-tiny"), "F16")
	opt := measure.ImatrixOptions{Context: 16, Chunks: 3, Output: true, Products: true}
	want := collected(t, file, opt, mpt.Threads(1))
	if want.Chunks != 3 || len(want.Entries) < 5 {
		t.Fatalf("%d chunks, entries %v", want.Chunks, want.Names())
	}
	for name, e := range want.Entries {
		if e.Rows != 48 || e.Sum2[0] == 0 {
			t.Errorf("%s: %d rows, first sum %v", name, e.Rows, e.Sum2[0])
		}
	}
	for _, opts := range [][]mpt.Option{
		{mpt.Threads(2)}, {mpt.Threads(3), mpt.BatchSize(7)}, {mpt.BatchSize(1)}, {mpt.Tier("generic")},
	} {
		if got := collected(t, file, opt, opts...); !reflect.DeepEqual(got, want) {
			t.Error("other sums")
		}
	}
}

// The sums of the first matrix are those of the normalised embeddings, which a
// test can compute by itself.
func TestImatrixValues(t *testing.T) {
	file := converted(t, stories(t), "F32")
	m := opened(t, file)
	got := imatrix.New(16)
	if err := measure.CollectImatrix(context.Background(), m, imatrixText, got, measure.ImatrixOptions{Context: 16}); err != nil {
		t.Fatal(err)
	}
	ids := m.Tokenizer().Encode(imatrixText, tokenizer.EncodeOptions{})
	ids = ids[:len(ids)/16*16]
	d := m.Config().Embedding
	norm := tensorFloats(t, m, "blk.0.attn_norm.weight")
	embedding := tensorFloats(t, m, "token_embd.weight")
	want := make([]float64, d)
	for _, id := range ids {
		x := embedding[int(id)*d : (int(id)+1)*d]
		mean, square := 0., 0.
		for _, v := range x {
			mean += float64(v) / float64(d)
		}
		for _, v := range x {
			square += (float64(v) - mean) * (float64(v) - mean) / float64(d)
		}
		for j, v := range x {
			y := (float64(v) - mean) / math.Sqrt(square+1e-5) * float64(norm[j])
			want[j] += y * y
		}
	}
	e := got.Entries["blk.0.attn_qkv.weight"]
	if e.Rows != int64(len(ids)) {
		t.Errorf("%d rows of %d", e.Rows, len(ids))
	}
	for j, v := range want {
		if math.Abs(e.Sum2[j]-v) > 1e-5*v {
			t.Fatalf("column %d: %v, want %v", j, e.Sum2[j], v)
		}
	}
	if _, ok := got.Entries["token_embd.weight"]; ok {
		t.Error("the output matrix was measured unasked")
	}
}

// Products are those of the inputs: on the diagonal they are the squares, and they obey
// what every sum of products obeys.
func TestImatrixProducts(t *testing.T) {
	file := converted(t, stories(t), "F16")
	plain := collected(t, file, measure.ImatrixOptions{Context: 16})
	whole := collected(t, file, measure.ImatrixOptions{Context: 16, Products: true})
	parts := collected(t, file, measure.ImatrixOptions{Context: 16, Products: true, Run: 768})
	for name, e := range whole.Entries {
		cols, part := len(e.Sum2), parts.Entries[name]
		if e.Run != cols || !reflect.DeepEqual(e.Sum2, plain.Entries[name].Sum2) {
			t.Fatalf("%s: groups of %d of %d columns, or other squares", name, e.Run, cols)
		}
		if part.Run != min(cols, 768) || len(part.Products) != cols*part.Run {
			t.Fatalf("%s: %d products in groups of %d", name, len(part.Products), part.Run)
		}
		for j, v := range e.Sum2 {
			if d := float64(e.Products[j*cols+j]); math.Abs(d-v) > 1e-5*v {
				t.Fatalf("%s: column %d: %v on the diagonal, the squares are %v", name, j, d, v)
			}
			for k := range cols {
				p := float64(e.Products[j*cols+k])
				if most := math.Sqrt(v * e.Sum2[k]); (k < j) != (p == 0) || math.Abs(p) > most*(1+1e-5) {
					t.Fatalf("%s: columns %d and %d: %v, at most %v", name, j, k, p, most)
				}
				if at := j / part.Run * part.Run; k >= at && k < at+part.Run && float64(part.Products[j*part.Run+k-at]) != p {
					t.Fatalf("%s: columns %d and %d: another product in a shorter run", name, j, k)
				}
			}
		}
	}
}

// A run that is broken off and continued has measured the same chunks.
func TestImatrixContinues(t *testing.T) {
	file := converted(t, check.Shared(t, "testdata", "cases", "hf-tiny"), "F16")
	want := collected(t, file, measure.ImatrixOptions{Context: 16, Chunks: 4})
	got := collected(t, file, measure.ImatrixOptions{Context: 16, Chunks: 1})
	rest := collected(t, file, measure.ImatrixOptions{Context: 16, Skip: 1, Chunks: 3})
	if err := got.Add(rest); err != nil {
		t.Fatal(err)
	}
	for name, e := range want.Entries {
		for j, v := range e.Sum2 {
			if math.Abs(got.Entries[name].Sum2[j]-v) > 1e-12*v {
				t.Fatalf("%s: column %d: %v, want %v", name, j, got.Entries[name].Sum2[j], v)
			}
		}
	}
}

// What a model writes does not depend on how much is written at once, nor on threads, and
// is what it writes in a session of its own.
func TestImatrixSelf(t *testing.T) {
	file := converted(t, stories(t), "F16")
	self := func(seed uint64, opt measure.ImatrixOptions, opts ...mpt.Option) *imatrix.Matrix {
		t.Helper()
		m := imatrix.New(opt.Context)
		opt.Context, opt.Seed = 12, seed
		if err := measure.CollectImatrixSelf(context.Background(), opened(t, file, opts...), m, opt); err != nil {
			t.Fatal(err)
		}
		return m
	}
	want := self(5, measure.ImatrixOptions{Chunks: 3})
	if want.Chunks != 3 || len(want.Entries) != 32 || want.Entries["blk.0.attn_qkv.weight"].Rows != 36 {
		t.Fatalf("%d chunks, %d entries", want.Chunks, len(want.Entries))
	}
	if got := self(5, measure.ImatrixOptions{Chunks: 3}, mpt.Threads(1), mpt.BatchSize(2)); !reflect.DeepEqual(got, want) {
		t.Error("other sums when two chunks are written at once")
	}
	if got := self(6, measure.ImatrixOptions{Chunks: 3}); reflect.DeepEqual(got, want) {
		t.Error("another seed has the same sums")
	}
	first := self(5, measure.ImatrixOptions{Chunks: 1})
	if err := first.Add(self(5, measure.ImatrixOptions{Chunks: 2, Skip: 1})); err != nil {
		t.Fatal(err)
	}
	a, b := first.Entries["blk.7.ffn_down.weight"], want.Entries["blk.7.ffn_down.weight"]
	if a.Rows != b.Rows || math.Abs(a.Sum2[9]-b.Sum2[9]) > 1e-9*b.Sum2[9] {
		t.Error("chunks after the first one are others")
	}
	err := measure.CollectImatrixSelf(context.Background(), opened(t, file), imatrix.New(8), measure.ImatrixOptions{Products: true, Run: 100})
	if err == nil || !strings.Contains(err.Error(), "groups of 100 columns: want a multiple of 256") {
		t.Errorf("groups of 100: %v", err)
	}
}

func TestImatrixRefuses(t *testing.T) {
	m := opened(t, converted(t, check.Shared(t, "testdata", "cases", "hf-tiny"), "F16"))
	for want, c := range map[string]struct {
		text string
		opt  measure.ImatrixOptions
	}{
		"no whole chunk of 512":    {imatrixText, measure.ImatrixOptions{}},
		"after the first 100":      {imatrixText, measure.ImatrixOptions{Context: 16, Skip: 100}},
		"none may be negative":     {imatrixText, measure.ImatrixOptions{Context: 16, Chunks: -1}},
		"64 columns, and 3 before": {imatrixText, measure.ImatrixOptions{Context: 16}},
		"enough":                   {imatrixText, measure.ImatrixOptions{Context: 16, Chunk: func(int, int) error { return errors.New("enough") }}},
	} {
		into := imatrix.New(16)
		if strings.Contains(want, "before") {
			into.Entries["blk.0.attn_qkv.weight"] = &imatrix.Entry{Sum2: make([]float64, 3)}
		}
		if err := measure.CollectImatrix(context.Background(), m, c.text, into, c.opt); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
	// A session that measures leaves nothing in the graphs that others borrow.
	into := imatrix.New(16)
	if err := measure.CollectImatrix(context.Background(), m, imatrixText, into, measure.ImatrixOptions{Context: 16, Chunks: 1}); err != nil {
		t.Fatal(err)
	}
	if err := session(t, m).Eval(context.Background(), []int32{1, 2, 3}); err != nil {
		t.Fatal(err)
	}
	if rows := into.Entries["blk.0.attn_qkv.weight"].Rows; rows != 16 {
		t.Errorf("%d rows", rows)
	}
}

// tensorFloats returns the values of a tensor of m's file.
func tensorFloats(t *testing.T, m *mpt.Model, name string) []float32 {
	t.Helper()
	x, ok := m.File().Tensor(name)
	if !ok {
		t.Fatalf("no tensor %s", name)
	}
	v := make([]float32, x.Rows()*x.Shape[0])
	if err := quantize.DecodeRow(x.Type, v, x.Data()); err != nil {
		t.Fatal(err)
	}
	return v
}
