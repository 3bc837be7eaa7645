package quantize

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"fmt"
	"hash/fnv"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"mptgo/gguf"
)

// correlated returns the Gram matrix of random inputs of cols correlated columns,
// as NewFeedback wants them, and the mean squares.
func correlated(cols int) (products, weights []float32) {
	r := rand.New(rand.NewPCG(7, 8))
	products, weights = make([]float32, cols*256), make([]float32, cols)
	const rows = 600
	x := make([]float64, cols)
	for range rows {
		common := r.NormFloat64()
		for j := range x {
			x[j] = (r.NormFloat64() + common*float64(j%3)) * (1 + float64(j%5))
			if j > 0 {
				x[j] += 0.7 * x[j-1]
			}
		}
		for j := range x {
			weights[j] += float32(x[j] * x[j] / rows)
			at := j / 256 * 256
			for k := j; k < min(at+256, cols); k++ {
				products[j*256+k-at] += float32(x[j] * x[k])
			}
		}
	}
	return products, weights
}

// outputError returns what counts: the sum of eᵀ·H·e over runs.
func outputError(products, x, y []float32) (sum float64) {
	e := make([]float64, len(x))
	for i := range x {
		e[i] = float64(y[i]) - float64(x[i])
	}
	for j := range e {
		at := j / 256 * 256
		for k := j; k < min(at+256, len(e)); k++ {
			h := float64(products[j*256+k-at]) * e[j] * e[k]
			if k > j {
				h *= 2
			}
			sum += h
		}
	}
	return sum
}

// feedback returns what NewFeedback makes for type t of products in groups of 256.
func feedback(t *testing.T, typ gguf.Type, products []float32, cols int) *Feedback {
	t.Helper()
	f, err := NewFeedback(typ, products, cols, min(cols, 256))
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// costs encodes rows with feedback and without, and returns what their errors cost.
func costs(t *testing.T, typ gguf.Type, cols int, products, weights []float32, f *Feedback) (with, without float64) {
	t.Helper()
	r := rand.New(rand.NewPCG(1, 2))
	x, y := make([]float32, cols), make([]float32, cols)
	format, _ := Lookup(typ)
	size, _ := typ.RowBytes(cols)
	b := make([]byte, size)
	for range 8 {
		for i := range x {
			x[i] = float32(r.NormFloat64())
		}
		before := bytes.Clone(floatsAsBytes(x))
		for fb, sum := range map[*Feedback]*float64{nil: &without, f: &with} {
			if fb != nil {
				fb.encode(format, b, x)
			} else {
				SearchBetter.encodeRow(format, b, x, weights)
			}
			format.Decode(y, b)
			*sum += outputError(products, x, y)
		}
		if !bytes.Equal(before, floatsAsBytes(x)) {
			t.Fatalf("%v: the values were changed", typ)
		}
	}
	return with, without
}

// TestFeedback: with correlated inputs, feedback makes the error of the output
// smaller, for every type; much smaller for those whose values are chosen one by one.
func TestFeedback(t *testing.T) {
	const cols = 512
	products, weights := correlated(cols)
	for _, format := range Formats() {
		if format.Encode == nil || format.better == nil && format.grid == nil {
			continue
		}
		with, without := costs(t, format.Type, cols, products, weights, feedback(t, format.Type, products, cols))
		t.Logf("%v: %.3f of the error", format.Type, with/without)
		most := 0.7
		if format.grid == nil {
			most = 1.02 // all columns of the run are in one block
		}
		if !(with < most*without) {
			t.Errorf("%v: error %v, without feedback %v", format.Type, with, without)
		}
	}
}

// TestFeedbackOfIndependent: inputs that have nothing to do with each other make no
// error larger, also at the end of a row that fills no run.
func TestFeedbackOfIndependent(t *testing.T) {
	for _, cols := range []int{512, 320, 32} {
		run := min(cols, 256)
		products, weights := make([]float32, cols*run), make([]float32, cols)
		for j := range cols {
			weights[j] = float32(1 + j)
			products[j*run+j%run] = weights[j]
		}
		wide := make([]float32, cols*256) // as outputError wants them
		for j := range cols {
			wide[j*256+j%256] = weights[j]
		}
		for _, format := range Formats() {
			if n, _ := format.Type.Block(); format.grid == nil || cols%n != 0 {
				continue
			}
			with, without := costs(t, format.Type, cols, wide, weights, feedback(t, format.Type, products, cols))
			if !(with <= 1.0001*without) {
				t.Errorf("%v, %d columns: error %v, without feedback %v", format.Type, cols, with, without)
			}
		}
	}
}

// TestFeedbackFactor: R is an upper triangle, and R·Rᵀ is H with its damping, divided by
// the mean.
func TestFeedbackFactor(t *testing.T) {
	const cols = 64
	products, _ := correlated(cols)
	f, err := NewFeedback(gguf.Q4_0, cut(products, cols), cols, cols)
	if err != nil {
		t.Fatal(err)
	}
	mean := 0.
	for j := range cols {
		mean += float64(products[j*256+j]) / cols
	}
	for j := range cols {
		for k := range cols {
			if k < j && f.factor[j*f.ld+k] != 0 {
				t.Fatalf("row %d, column %d is not 0", j, k)
			}
			if k < j {
				continue
			}
			got, want := 0., float64(products[j*256+k])/mean
			for l := range cols {
				got += float64(f.factor[j*f.ld+l]) * float64(f.factor[k*f.ld+l])
			}
			if j == k {
				want += damping
			}
			if math.Abs(got-want) > 1e-5 {
				t.Fatalf("columns %d and %d: %v, want %v", j, k, got, want)
			}
		}
	}
}

// cut returns products of a run of 256 as those of a run of cols columns.
func cut(products []float32, cols int) (p []float32) {
	for j := range cols {
		p = append(p, products[j*256:j*256+cols]...)
	}
	return p
}

// TestFeedbackSettle: after some errors in the first block, the values for the second
// are such that no other error of it would cost less: the cost has no slope there.
func TestFeedbackSettle(t *testing.T) {
	const cols, block = 64, 32
	products, _ := correlated(cols)
	f, err := NewFeedback(gguf.Q4_0, cut(products, cols), cols, cols)
	if err != nil {
		t.Fatal(err)
	}
	r := rand.New(rand.NewPCG(9, 9))
	x, v, e := make([]float32, cols), make([]float32, cols), newErrors(f, 1)
	for i := range x {
		x[i], v[i] = float32(r.NormFloat64()), float32(r.NormFloat64())
	}
	e.set(0, x[:block], v[:block])
	e.owe(0)
	q := newQuad(f, nil)
	q.at, q.rows = block, 1
	q.settle(x[block:], cols, e.owedBy(0, block))
	copy(v[block:], q.row[0].z)
	for k := block; k < cols; k++ {
		slope, size := 0., 0.
		for j := range cols {
			p := float64(products[min(j, k)*256+max(j, k)]) * float64(x[j]-v[j])
			if j == k {
				p *= 1 + damping // close enough to what is added
			}
			slope += p
			size += math.Abs(p)
		}
		if math.Abs(slope) > 0.02*size {
			t.Errorf("column %d: a slope of %v of %v", k, slope, size)
		}
	}
}

func TestFeedbackRefuses(t *testing.T) {
	for _, c := range []struct {
		typ       gguf.Type
		cols, run int
		products  int
	}{
		{gguf.Q4_0, 3, 3, 5}, {gguf.Q4_0, 32, 64, 32 * 64}, {gguf.Q4_K, 512, 128, 512 * 128}, {gguf.Q4_K, 128, 128, 128 * 128}, {gguf.Q4_0, 0, 0, 0}, {gguf.F16, 32, 32, 32 * 32},
	} {
		if _, err := NewFeedback(c.typ, make([]float32, c.products), c.cols, c.run); err == nil {
			t.Errorf("%+v is accepted", c)
		}
	}
	f := feedback(t, gguf.Q4_0, make([]float32, 32*32), 32) // a text without inputs
	s := Encoder{Search: SearchBetter, Feedback: f}
	if err := s.Convert(make([]byte, 36), gguf.Q4_0, make([]byte, 256), gguf.F32, 64); err == nil {
		t.Error("feedback of 32 columns for rows of 64 is accepted")
	}
	if err := s.Convert(make([]byte, 20), gguf.Q4_1, make([]byte, 128), gguf.F32, 32); err != nil {
		t.Error(err)
	}
}

func floatsAsBytes(x []float32) []byte {
	b := make([]byte, 4*len(x))
	if err := EncodeRows(gguf.F32, b, x, len(x), nil); err != nil {
		panic(err)
	}
	return b
}

// feedbackHashes are those of the bytes that feedback makes.
var feedbackHashes = map[gguf.Type]string{
	gguf.Q4_0:    "a707084c29389761",
	gguf.Q4_1:    "3c311f609d614c06",
	gguf.Q5_0:    "3c7fbfe0401ad662",
	gguf.Q5_1:    "1ffff34f89e151ea",
	gguf.Q8_0:    "5b6101e88d5d65f6",
	gguf.Q2_K:    "735c85c527a75c97",
	gguf.Q3_K:    "b449c10e2f3c519e",
	gguf.Q4_K:    "feb4835359af225a",
	gguf.Q5_K:    "2b8ddbea08ea57c4",
	gguf.Q6_K:    "aaf10b6f0cf8080d",
	gguf.IQ3_XXS: "a9fec74d43e45ed2",
	gguf.IQ4_NL:  "8ee60c961c3f0447",
	gguf.IQ3_S:   "73386d767158b32e",
	gguf.IQ2_S:   "1c8ef25642143d31",
	gguf.IQ4_XS:  "76bab8fb77b11663",
	gguf.TQ1_0:   "d685081169164907",
	gguf.TQ2_0:   "6e70d35162f57146",
}

// TestFeedbackGolden: the same bytes on every CPU.
func TestFeedbackGolden(t *testing.T) {
	const cols, run, rows = 512, 256, 300
	r := rand.New(rand.NewPCG(21, 22))
	products, in := make([]float32, cols*run), make([]int, cols)
	for range rows { // integers, whose sums are exact
		for j := range in {
			in[j] = r.IntN(7) - 3
			if j > 0 {
				in[j] += in[j-1] / 2
			}
		}
		for j := range in {
			for k := j; k < j/run*run+run; k++ {
				products[j*run+k%run] += float32(in[j] * in[k])
			}
		}
	}
	x := readFloats(t, "testdata/input.f32")[:cols]
	for _, format := range Formats() {
		if n, _ := format.Type.Block(); format.Encode == nil || n == 1 {
			continue
		}
		size, _ := format.Type.RowBytes(cols)
		b := make([]byte, size)
		feedback(t, format.Type, products, cols).encode(format, b, x)
		h := fnv.New64a()
		h.Write(b)
		if got, want := fmt.Sprintf("%x", h.Sum64()), feedbackHashes[format.Type]; got != want {
			t.Errorf("%v: hash %s, want %s in feedbackHashes", format.Type, got, cmp.Or(want, "a row"))
		}
	}
}

// TestFeedbackTogether: however many rows are encoded together, each becomes what it
// becomes alone, and errors name the right one.
func TestFeedbackTogether(t *testing.T) {
	const cols, rows = 512, 2*rowsTogether + 3
	products, _ := correlated(cols)
	r := rand.New(rand.NewPCG(31, 32))
	x := make([]float32, rows*cols)
	for i := range x {
		x[i] = float32(r.NormFloat64())
	}
	src := floatsAsBytes(x)
	for _, typ := range []gguf.Type{gguf.Q4_0, gguf.Q4_K, gguf.IQ3_S} {
		s := Encoder{Search: SearchBetter, Feedback: feedback(t, typ, products, cols)}
		n, _ := typ.RowBytes(cols)
		all, one := make([]byte, rows*n), make([]byte, n)
		if err := s.Convert(all, typ, src, gguf.F32, cols); err != nil {
			t.Fatal(err)
		}
		for i := range rows {
			if err := s.Convert(one, typ, src[4*i*cols:4*(i+1)*cols], gguf.F32, cols); err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(one, all[i*n:(i+1)*n]) {
				t.Errorf("%v: row %d is another one alone", typ, i)
			}
		}
		for value, want := range map[float32]string{
			float32(math.Inf(1)): "row 10: column 300: the value is +Inf", 3e38: "row 10: ",
		} {
			bad := bytes.Clone(src)
			binary.LittleEndian.PutUint32(bad[4*(10*cols+300):], math.Float32bits(value))
			err := s.Convert(all, typ, bad, gguf.F32, cols)
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%v, a value of %v: %v, want %q", typ, value, err, want)
			}
		}
	}
}

// TestFeedbackAtLimit: rows that can just be stored are stored, though feedback makes
// their values larger.
func TestFeedbackAtLimit(t *testing.T) {
	const cols = 512
	products, _ := correlated(cols)
	r := rand.New(rand.NewPCG(5, 5))
	over := 0
	for _, typ := range []gguf.Type{gguf.Q8_0, gguf.Q4_0, gguf.Q6_K} {
		format, _ := Lookup(typ)
		f := feedback(t, typ, products, cols)
		size, _ := typ.RowBytes(cols)
		b := make([]byte, size)
		for range 50 {
			x := make([]float32, cols)
			top := float32(65504 * 7)
			if typ == gguf.Q8_0 {
				top = 65504 * 127
			}
			for i := range x {
				x[i] = top * (1 - 0.1*r.Float32())
			}
			if SearchReference.Encode(typ, b, x, cols, nil) != nil {
				continue
			}
			if f.encode(format, b, x); format.bad(b) >= 0 {
				over++
			}
			how := Encoder{Search: SearchBetter, Feedback: f}
			if err := how.Convert(b, typ, floatsAsBytes(x), gguf.F32, cols); err != nil {
				t.Fatalf("%v: %v", typ, err)
			}
			if err := CheckFinite(typ, b); err != nil {
				t.Fatal(err)
			}
		}
	}
	if over == 0 {
		t.Error("no row was too large with feedback")
	}
}
