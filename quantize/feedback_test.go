package quantize

import (
	"bytes"
	"math"
	"math/rand/v2"
	"testing"

	"mptgo/gguf"
)

// correlated returns the products of random inputs of cols columns that go together,
// as NewFeedback wants them, and the mean squares.
func correlated(cols int) (products, weights []float32) {
	r := rand.New(rand.NewPCG(7, 8))
	products, weights = make([]float32, cols*FeedbackRun), make([]float32, cols)
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
			at := j / FeedbackRun * FeedbackRun
			for k := j; k < min(at+FeedbackRun, cols); k++ {
				products[j*FeedbackRun+k-at] += float32(x[j] * x[k])
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
		at := j / FeedbackRun * FeedbackRun
		for k := j; k < min(at+FeedbackRun, len(e)); k++ {
			h := float64(products[j*FeedbackRun+k-at]) * e[j] * e[k]
			if k > j {
				h *= 2
			}
			sum += h
		}
	}
	return sum
}

// TestFeedback: with inputs that go together, feedback makes the error of the output
// smaller, for every type that has it.
func TestFeedback(t *testing.T) {
	const cols = 512
	products, weights := correlated(cols)
	f, err := NewFeedback(products, cols)
	if err != nil {
		t.Fatal(err)
	}
	r := rand.New(rand.NewPCG(1, 2))
	x, y := make([]float32, cols), make([]float32, cols)
	for _, format := range Formats() {
		if format.better == nil || format.Type == gguf.IQ3_S {
			continue
		}
		size, _ := format.Type.RowBytes(cols)
		b := make([]byte, size)
		var without, with float64
		for range 8 {
			for i := range x {
				x[i] = float32(r.NormFloat64())
			}
			before := bytes.Clone(floatsAsBytes(x))
			format.better(b, x, weights, nil)
			format.Decode(y, b)
			without += outputError(products, x, y)
			format.better(b, x, weights, f)
			format.Decode(y, b)
			with += outputError(products, x, y)
			if !bytes.Equal(before, floatsAsBytes(x)) {
				t.Fatalf("%v: the values were changed", format.Type)
			}
		}
		t.Logf("%v: %.3f of the error", format.Type, with/without)
		if !(with < 0.75*without) {
			t.Errorf("%v: error %v, without feedback %v", format.Type, with, without)
		}
	}
}

func floatsAsBytes(x []float32) []byte {
	b := make([]byte, 4*len(x))
	if err := EncodeRows(gguf.F32, b, x, len(x), nil); err != nil {
		panic(err)
	}
	return b
}

// TestFeedbackOfIndependent: inputs that have nothing to do with each other give the
// bytes that there are without feedback, also at the end of a row that fills no run.
func TestFeedbackOfIndependent(t *testing.T) {
	for _, cols := range []int{512, 320, 32} {
		products := make([]float32, cols*FeedbackRun)
		for j := range cols {
			products[j*FeedbackRun+j%FeedbackRun] = float32(1 + j)
		}
		f, err := NewFeedback(products, cols)
		if err != nil {
			t.Fatal(err)
		}
		x := readFloats(t, "testdata/input.f32")[:cols]
		for _, format := range Formats() {
			if n, _ := format.Type.Block(); format.better == nil || cols%n != 0 {
				continue
			}
			size, _ := format.Type.RowBytes(cols)
			with, without := make([]byte, size), make([]byte, size)
			format.better(with, x, nil, f)
			format.better(without, x, nil, nil)
			if !bytes.Equal(with, without) {
				t.Errorf("%v, %d columns: other bytes", format.Type, cols)
			}
		}
	}
}

// TestFeedbackCoefficients solves for the best answer to an error by itself: the later
// columns change by -H⁻¹·h of what they are to the column with the error.
func TestFeedbackCoefficients(t *testing.T) {
	products := make([]float32, 3*FeedbackRun)
	h := [3][3]float64{{4, 1.5, -1}, {0, 3, 0.5}, {0, 0, 2}}
	mean := 3.
	for j := range 3 {
		for k := j; k < 3; k++ {
			products[j*FeedbackRun+k] = float32(h[j][k])
		}
		h[j][j] += damping * mean
	}
	f, err := NewFeedback(products, 3)
	if err != nil {
		t.Fatal(err)
	}
	det := h[1][1]*h[2][2] - h[1][2]*h[1][2]
	for _, c := range []struct {
		j, k int
		want float64
	}{
		{0, 1, -(h[2][2]*h[0][1] - h[1][2]*h[0][2]) / det},
		{0, 2, -(h[1][1]*h[0][2] - h[1][2]*h[0][1]) / det},
		{1, 2, -h[1][2] / h[2][2]},
		{0, 0, 0}, {2, 1, 0}, {2, 2, 0},
	} {
		// An error e = x - v is taken away: x[k] -= e·coeff, so v's excess -e adds it.
		if got := float64(f.coeff[c.j*FeedbackRun+c.k]); math.Abs(got-c.want) > 1e-6 {
			t.Errorf("column %d to %d: %v, want %v", c.j, c.k, got, c.want)
		}
	}
}

func TestFeedbackRefuses(t *testing.T) {
	if _, err := NewFeedback(make([]float32, 5), 3); err == nil {
		t.Error("5 products of 3 columns are accepted")
	}
	f, err := NewFeedback(make([]float32, 32*FeedbackRun), 32) // a text without inputs
	if err != nil {
		t.Fatal(err)
	}
	s := Scratch{Search: Better, Feedback: f}
	if err := Convert(make([]byte, 36), gguf.Q4_0, make([]byte, 256), gguf.F32, 64, nil, &s); err == nil {
		t.Error("feedback of 32 columns for rows of 64 is accepted")
	}
	if err := Convert(make([]byte, 18), gguf.Q4_0, make([]byte, 128), gguf.F32, 32, nil, &s); err != nil {
		t.Error(err)
	}
}
