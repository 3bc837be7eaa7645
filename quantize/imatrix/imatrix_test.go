package imatrix

import (
	"encoding/binary"
	"errors"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"mptgo/gguf"
	"mptgo/internal/check"
)

// sample is a matrix whose values both kinds of files hold exactly.
func sample() *Matrix {
	m := New(512)
	m.Chunks = 3
	m.AddDataset("text.txt")
	m.Entries["blk.0.ffn_up.weight"] = &Entry{Sum2: []float64{1536, 3072, 0}, Rows: 1536}
	m.Entries["blk.1.ffn_up.weight"] = &Entry{Sum2: []float64{768, 1536, 3072}, Rows: 1536}
	return m
}

func TestRoundTrip(t *testing.T) {
	want := sample()
	for _, f := range []Format{DAT, GGUF} {
		b, err := want.Encode(f)
		if err != nil {
			t.Fatal(err)
		}
		got, err := Parse("test", b)
		if err != nil {
			t.Fatal(err)
		}
		if got.assumed != (f == DAT) {
			t.Errorf("%s: the size of chunks is a guess: %v", f, got.assumed)
		}
		got.assumed = false
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%s: got %+v, want %+v", f, got, want)
		}
	}
}

// TestProducts: products survive the newer kind of file, and sums add up.
func TestProducts(t *testing.T) {
	m := sample()
	e := m.Entries["blk.1.ffn_up.weight"]
	if err := e.NeedProducts(2); err != nil || len(e.Products) != 6 || e.Run != 2 {
		t.Fatalf("%v: %d products", err, len(e.Products))
	}
	if err := e.NeedProducts(3); err == nil || err.Error() != "input correlations in groups of 3 columns, and of 2 before" {
		t.Errorf("other runs: %v", err)
	}
	for i := range e.Products {
		e.Products[i] = float32(i)
	}
	b, err := m.Encode(GGUF)
	if err != nil {
		t.Fatal(err)
	}
	got, err := Parse("test", b)
	if err != nil || !reflect.DeepEqual(got, m) {
		t.Fatalf("%v, got %+v, want %+v", err, got, m)
	}
	sum := sample()
	if err := sum.Add(got); err != nil {
		t.Fatal(err)
	}
	if err := sum.Add(got); err != nil || sum.Entries["blk.1.ffn_up.weight"].Products[5] != 10 || sum.Entries["blk.0.ffn_up.weight"].Products != nil {
		t.Errorf("%v, %+v", err, sum)
	}
	other := sample()
	if err := other.Entries["blk.1.ffn_up.weight"].NeedProducts(0); err != nil {
		t.Fatal(err)
	}
	if err := sum.Add(other); err == nil || !strings.Contains(err.Error(), "in groups of 2 columns in one file and of 3 in another") {
		t.Errorf("other runs: %v", err)
	}
	e.Products[3] = float32(math.NaN())
	if _, err := m.Encode(GGUF); err == nil || !strings.Contains(err.Error(), "column 1: a sum of products of NaN") {
		t.Errorf("not a number: %v", err)
	}
	e.Products = e.Products[:2]
	if b, err = m.Encode(GGUF); err == nil {
		t.Errorf("products of one column of three: %d bytes", len(b))
	}
}

// TestLegacyLayout holds the older kind against its description, byte by byte.
func TestLegacyLayout(t *testing.T) {
	m := New(512)
	m.Chunks = 2
	m.AddDataset("t")
	m.Entries["ab"] = &Entry{Sum2: []float64{1024 * 0.5}, Rows: 1024}
	b, err := m.Encode(DAT)
	if err != nil {
		t.Fatal(err)
	}
	want := []byte{1, 0, 0, 0, 2, 0, 0, 0, 'a', 'b', 2, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0x80, 0x3f, 2, 0, 0, 0, 1, 0, 0, 0, 't'}
	if string(b) != string(want) {
		t.Errorf("got % x, want % x", b, want)
	}
	// The end may be missing.
	if got, err := Parse("test", b[:len(b)-9]); err != nil || got.Chunks != 0 || got.Entries["ab"].Weights()[0] != 0.5 {
		t.Errorf("without the end: %+v, %v", got, err)
	}
	// Without calls the values are the mean squares themselves.
	copy(b[10:], []byte{0, 0, 0, 0})
	if got, err := Parse("test", b); err != nil || got.Entries["ab"].Weights()[0] != 1 {
		t.Errorf("without calls: %+v, %v", got, err)
	}
}

// TestLegacyWeights: a weight is the quotient that llama-quantize computes, to
// the bit.
func TestLegacyWeights(t *testing.T) {
	for i := range 2000 {
		v, calls := float32(math.Exp(float64(i)/70-12)), int32(i%97+1)
		le := binary.LittleEndian
		b := le.AppendUint32(nil, 1)
		b = append(le.AppendUint32(b, 1), 'w')
		b = le.AppendUint32(le.AppendUint32(b, uint32(calls)), 1)
		b = le.AppendUint32(b, math.Float32bits(v))
		m, err := Parse("test", b)
		if err != nil {
			t.Fatal(err)
		}
		if got, want := m.Entries["w"].Weights()[0], v/float32(calls); got != want {
			t.Fatalf("%v / %d: %v, want %v", v, calls, got, want)
		}
	}
}

// TestTruncated: no file that ends early is believed, but for one that ends
// before the chunks, and the zeros that fill up the last tensor of a GGUF file.
func TestTruncated(t *testing.T) {
	m := sample()
	for _, f := range []Format{DAT, GGUF} {
		b, err := m.Encode(f)
		if err != nil {
			t.Fatal(err)
		}
		for n := range b {
			_, err := Parse("test", b[:n])
			whole := f == DAT && n == len(b)-4-4-len("text.txt") || f == GGUF && n >= len(b)-28
			if (err == nil) != whole {
				t.Errorf("%s: the first %d of %d bytes: %v", f, n, len(b), err)
			}
		}
		if _, err := Parse("test", append(b, 0)); f == DAT && err == nil {
			t.Error("a byte too many is accepted")
		}
	}
}

// TestAssumeChunkSize: a file that does not tell how large its chunks are weighs
// as much as they would.
func TestAssumeChunkSize(t *testing.T) {
	for _, f := range []Format{DAT, GGUF} {
		b, err := sample().Encode(f)
		if err != nil {
			t.Fatal(err)
		}
		m, err := Parse("test", b)
		if err != nil {
			t.Fatal(err)
		}
		m.AssumeChunkSize(128)
		want := map[Format]int64{DAT: 3 * 128, GGUF: 3 * 512}[f]
		if e := m.Entries["blk.1.ffn_up.weight"]; e.Rows != want || !reflect.DeepEqual(e.Weights(), []float32{0.5, 1, 2}) {
			t.Errorf("%s: %+v, want %d rows", f, e, want)
		}
	}
}

func TestRefused(t *testing.T) {
	le := binary.LittleEndian
	entry := func(name string, calls, n uint32, v ...float32) []byte {
		b := append(le.AppendUint32(nil, uint32(len(name))), name...)
		b = le.AppendUint32(le.AppendUint32(b, calls), n)
		for _, x := range v {
			b = le.AppendUint32(b, math.Float32bits(x))
		}
		return b
	}
	file := func(n uint32, parts ...[]byte) (b []byte) {
		b = le.AppendUint32(nil, n)
		for _, p := range parts {
			b = append(b, p...)
		}
		return b
	}
	pair := func(suffix string, t gguf.Type, ne ...int) []byte {
		size, _ := gguf.TensorInfo{Name: "x", Type: t, Shape: ne}.Size()
		b, err := gguf.Encode([]gguf.KV{{Key: "general.type", Value: "imatrix"}},
			[]gguf.TensorInfo{{Name: "w" + suffix, Type: t, Shape: ne}}, [][]byte{make([]byte, size)})
		if err != nil {
			panic(err)
		}
		return b
	}
	model, err := gguf.Encode([]gguf.KV{{Key: "general.type", Value: "model"}}, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		b    []byte
		want string
	}{
		"empty":        {nil, "the number of entries of 4 bytes where 0 are left"},
		"no entries":   {file(0), "0 entries"},
		"negative":     {file(1<<32 - 1), "-1 entries"},
		"many entries": {file(1<<31-1, entry("a", 1, 1, 1)), "of 4 bytes where 0 are left"},
		"long name":    {file(1, le.AppendUint32(nil, 1<<30)), "a name of 1073741824 bytes where 0 are left"},
		"many values":  {file(1, entry("a", 1, 1<<28, 1)), "the values of a of 1073741824 bytes where 4 are left"},
		"no values":    {file(1, entry("a", 1, 0)), `entry "a" of 0 values`},
		"no name":      {file(1, entry("", 1, 1, 1)), `entry "" of 1 values`},
		"twice":        {file(2, entry("a", 1, 1, 1), entry("a", 1, 1, 1)), `a second entry "a"`},
		"not a number": {file(1, entry("a", 1, 2, 1, float32(math.NaN()))), "a: column 1: a sum of squares of NaN"},
		"infinite":     {file(1, entry("a", 1, 1, float32(math.Inf(1)))), "column 0: a sum of squares of +Inf"},
		"below zero":   {file(1, entry("a", 1, 1, -1)), "a sum of squares of -512"},
		"a model":      {model, `a GGUF file of type "model", not "imatrix"`},
		"no counts":    {pair(".in_sum2", gguf.F32, 4), "w.in_sum2 without w.counts"},
		"no sums":      {pair(".counts", gguf.F32, 1), "w.counts without w.in_sum2"},
		"other":        {pair(".in_sum", gguf.F32, 1), "there are no sums in it"},
	} {
		_, err := Parse("test", c.b)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
		if err != nil && !errors.Is(err, ErrFormat) {
			t.Errorf("%s: %v is not ErrFormat", name, err)
		}
	}
}

func TestRefusedTensors(t *testing.T) {
	encode := func(sums, counts gguf.TensorInfo) []byte {
		a, _ := sums.Size()
		b, _ := counts.Size()
		out, err := gguf.Encode([]gguf.KV{{Key: "general.type", Value: "imatrix"}}, []gguf.TensorInfo{sums, counts}, [][]byte{make([]byte, a), make([]byte, b)})
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	// products are run x cols of a matrix of 4 columns.
	products := func(typ gguf.Type, run, cols int) []byte {
		infos := []gguf.TensorInfo{
			{Name: "w.in_sum2", Type: gguf.F32, Shape: []int{4, 1}},
			{Name: "w.counts", Type: gguf.F32, Shape: []int{1, 1}},
			{Name: "w.in_prod", Type: typ, Shape: []int{run, cols}},
		}
		var data [][]byte
		for _, info := range infos {
			n, _ := info.Size()
			data = append(data, make([]byte, n))
		}
		out, err := gguf.Encode([]gguf.KV{{Key: "general.type", Value: "imatrix"}}, infos, data)
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	for want, b := range map[string][]byte{
		"mixtures of experts":                    encode(gguf.TensorInfo{Name: "w.in_sum2", Type: gguf.F32, Shape: []int{4, 2}}, gguf.TensorInfo{Name: "w.counts", Type: gguf.F32, Shape: []int{1, 2}}),
		"want F32":                               encode(gguf.TensorInfo{Name: "w.in_sum2", Type: gguf.F16, Shape: []int{4}}, gguf.TensorInfo{Name: "w.counts", Type: gguf.F32, Shape: []int{1}}),
		"for each of 4 columns so many or fewer": products(gguf.F32, 5, 4),
		"is of type F16 and size [4 4]":          products(gguf.F16, 4, 4),
		"is of type F32 and size [2 3]":          products(gguf.F32, 2, 3),
		"and one count":                          encode(gguf.TensorInfo{Name: "w.in_sum2", Type: gguf.F32, Shape: []int{4}}, gguf.TensorInfo{Name: "w.counts", Type: gguf.F32, Shape: []int{4}}),
	} {
		if _, err := Parse("test", b); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
}

// Files of both kinds keep what tells a text from another, and lose it with a second one.
func TestOrigin(t *testing.T) {
	origin := strings.Repeat("0123456789abcdef", 4)
	for _, k := range []Format{DAT, GGUF} {
		m := sample()
		m.Origin = origin
		b, err := m.Encode(k)
		if err != nil {
			t.Fatal(err)
		}
		got, err := Parse("test", b)
		if err != nil || got.Origin != origin || !got.KnowsChunkSize() || got.ChunkSize != m.ChunkSize || got.Entries["blk.0.ffn_up.weight"].Rows != m.Entries["blk.0.ffn_up.weight"].Rows {
			t.Fatalf("%v: %+v, %v", k, got, err)
		}
		all := New(m.ChunkSize)
		if err := all.Add(got); err != nil || all.Origin != origin {
			t.Errorf("%v: %q, %v", k, all.Origin, err)
		}
		if err := all.Add(got); err != nil || all.Origin != "" {
			t.Errorf("%v: of two texts: %q, %v", k, all.Origin, err)
		}
		if k == DAT {
			for cut := 1; cut < 40; cut++ {
				if _, err := Parse("test", b[:len(b)-cut]); err == nil || !errors.Is(err, ErrFormat) {
					t.Errorf("%d bytes less: %v", cut, err)
				}
			}
		}
		m.Origin = "short"
		if b, err = m.Encode(DAT); err != nil {
			t.Fatal(err)
		}
		if got, err := Parse("test", b); err != nil || got.Origin != "" || got.KnowsChunkSize() {
			t.Errorf("%+v, %v", got, err)
		}
	}
}

func TestAdd(t *testing.T) {
	a, b := sample(), sample()
	delete(b.Entries, "blk.0.ffn_up.weight")
	b.Datasets = []string{"other"}
	if err := a.Add(b); err != nil {
		t.Fatal(err)
	}
	if a.Chunks != 6 || !reflect.DeepEqual(a.Datasets, []string{"text.txt", "other"}) {
		t.Errorf("%d chunks of %v", a.Chunks, a.Datasets)
	}
	if e := a.Entries["blk.1.ffn_up.weight"]; e.Rows != 3072 || !reflect.DeepEqual(e.Weights(), []float32{0.5, 1, 2}) {
		t.Errorf("%+v", e)
	}
	if e := a.Entries["blk.0.ffn_up.weight"]; e.Rows != 1536 {
		t.Errorf("%+v", e)
	}
	b.Entries["blk.0.ffn_up.weight"] = &Entry{Sum2: make([]float64, 2), Rows: 1}
	rows := a.Entries["blk.1.ffn_up.weight"].Rows
	if err := a.Add(b); err == nil || a.Entries["blk.1.ffn_up.weight"].Rows != rows {
		t.Errorf("entries of other sizes: %v, rows %d", err, rows)
	}
}

func TestEncodeRefuses(t *testing.T) {
	if _, err := New(1).Encode(DAT); err == nil {
		t.Error("an empty matrix has a file")
	}
	m := sample()
	m.Entries["blk.0.ffn_up.weight"].Sum2[0] = math.Inf(1)
	if _, err := m.Encode(GGUF); err == nil || !strings.Contains(err.Error(), "blk.0.ffn_up.weight: column 0") {
		t.Errorf("an infinite sum: %v", err)
	}
}

func TestStats(t *testing.T) {
	s := sample().Stats()
	if len(s) != 2 || s[1].Name != "blk.1.ffn_up.weight" || s[0].Zero != 1 || s[0].Max != 2 || s[1].Min != 0.5 || s[1].Mean != 3.5/3 {
		t.Errorf("%+v", s)
	}
	if want := 2. / 3.5; math.Abs(s[1].TopShare-want) > 1e-12 {
		t.Errorf("top share %v, want %v", s[1].TopShare, want)
	}
	if want := (1*0.5 + 2*1) / math.Sqrt(5) / math.Sqrt(5.25); math.Abs(s[1].Similarity-want) > 1e-12 || s[0].Similarity != 0 {
		t.Errorf("similarity %v, want %v", s[1].Similarity, want)
	}
	equal := &Entry{Sum2: []float64{2, 2, 2, 2}, Rows: 1}
	if got := equal.stats().Entropy; math.Abs(got-1) > 1e-12 {
		t.Errorf("entropy of equal columns %v", got)
	}
}

func TestRead(t *testing.T) {
	b, err := sample().Encode(DAT)
	if err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(t.TempDir(), "x.dat")
	if err := os.WriteFile(name, b, 0o666); err != nil {
		t.Fatal(err)
	}
	if m, err := Read(name); err != nil || len(m.Entries) != 2 {
		t.Errorf("%+v, %v", m, err)
	}
	if err := os.WriteFile(name, b[:9], 0o666); err != nil {
		t.Fatal(err)
	}
	if _, err := Read(name); err == nil || !strings.HasPrefix(err.Error(), name) {
		t.Errorf("a broken file: %v", err)
	}
	if FormatOf("a.GGUF") != GGUF || FormatOf("a.imatrix") != DAT {
		t.Error("the kind by name")
	}
}

// FuzzParse: whatever is accepted can be written and read again.
func FuzzParse(f *testing.F) {
	for _, k := range []Format{DAT, GGUF} {
		b, err := sample().Encode(k)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	m := sample()
	m.Origin = strings.Repeat("0a", 32)
	f.Add(m.encodeLegacy())
	f.Fuzz(func(t *testing.T, b []byte) {
		var m *Matrix
		var err error
		check.Bounded(t, len(b), func() { m, err = Parse("fuzz", b) })
		if err != nil {
			return
		}
		out, err := m.Encode(DAT)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := Parse("again", out); err != nil && !strings.Contains(err.Error(), "Inf") {
			t.Fatal(err)
		}
	})
}
