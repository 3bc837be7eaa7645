package ggml

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"mptgo/gguf"
	"mptgo/quantize"
)

// newTestMatrix returns random weights of type t and the same as float32.
func newTestMatrix(t testing.TB, r *rand.Rand, name string, typ gguf.Type, rows, cols int) (*Matrix, []float32) {
	t.Helper()
	w := make([]float32, rows*cols)
	for i := range w {
		w[i] = float32(r.NormFloat64() / math.Sqrt(float64(cols)))
	}
	row, err := typ.RowBytes(cols)
	if err != nil {
		t.Fatal(err)
	}
	data := make([]byte, rows*row)
	if err := quantize.EncodeRows(typ, data, w, cols, nil); err != nil {
		t.Fatal(err)
	}
	for i := range rows {
		if err := quantize.DecodeRow(typ, w[i*cols:(i+1)*cols], data[i*row:(i+1)*row]); err != nil {
			t.Fatal(err)
		}
	}
	m, err := NewMatrix(name, typ, rows, cols, data)
	if err != nil {
		t.Fatal(err)
	}
	return m, w
}

// block is the part of a decoder that uses every operation but attention, and
// its value in float64.
type testBlock struct {
	wte, up, down    *Matrix
	fwte, fup, fdown []float32
	norm             []float32
	d, f             int
}

func newTestBlock(t testing.TB, typ gguf.Type) *testBlock {
	r := rand.New(rand.NewPCG(1, 1))
	b := &testBlock{d: 96, f: 160}
	b.wte, b.fwte = newTestMatrix(t, r, "wte", typ, 50, b.d)
	b.up, b.fup = newTestMatrix(t, r, "up", typ, b.f, b.d)
	b.down, b.fdown = newTestMatrix(t, r, "down", typ, b.d, b.f)
	for range b.d {
		b.norm = append(b.norm, float32(1+0.1*r.NormFloat64()))
	}
	return b
}

func (b *testBlock) graph() (*Graph, *Tensor) {
	g := newGraph()
	x := g.Embed("x", b.wte)
	h := g.Norm("norm", x, Norm{Weight: b.norm, Eps: 1e-5})
	u := g.Activate("gelu", g.Clamp("clamp", g.MatMul("up", b.up, h), 2), GELU)
	y := g.Add("sum", g.MatMul("down", b.down, u), x)
	y = g.Scale("scaled", y, 0.5)
	g.Keep(y)
	return g, y
}

func (b *testBlock) reference(token int32) []float64 {
	x := widen(b.fwte[int(token)*b.d : (int(token)+1)*b.d])
	mean, variance := 0.0, 0.0
	for _, v := range x {
		mean += v / float64(b.d)
	}
	for _, v := range x {
		variance += (v - mean) * (v - mean) / float64(b.d)
	}
	h := make([]float64, b.d)
	for i, v := range x {
		h[i] = (v - mean) / math.Sqrt(variance+1e-5) * float64(b.norm[i])
	}
	u := product(b.fup, h)
	for i, v := range u {
		v = min(max(v, -2), 2)
		u[i] = 0.5 * v * (1 + math.Erf(v/math.Sqrt2))
	}
	y := product(b.fdown, u)
	for i := range y {
		y[i] = (y[i] + x[i]) * 0.5
	}
	return y
}

func widen(x []float32) []float64 {
	y := make([]float64, len(x))
	for i, v := range x {
		y[i] = float64(v)
	}
	return y
}

func product(w []float32, x []float64) []float64 {
	y := make([]float64, len(w)/len(x))
	for i := range y {
		for j, v := range x {
			y[i] += float64(w[i*len(x)+j]) * v
		}
	}
	return y
}

func TestExec(t *testing.T) {
	tokens := make([]int32, 37)
	for i := range tokens {
		tokens[i] = int32(i * 7 % 50)
	}
	for _, c := range []struct {
		typ   gguf.Type
		exact bool
		bound float64
	}{
		// Float32 arithmetic on sums of 160 terms of size 1 stays well within
		// 1e-5; int8 activations are off by up to 1/254 of a block's largest.
		{gguf.F32, false, 1e-5}, {gguf.F16, false, 1e-5}, {gguf.Q8_0, true, 1e-5}, {gguf.Q4_0, true, 1e-5}, {gguf.Q8_0, false, 0.03},
	} {
		t.Run(fmt.Sprintf("%v/exact=%v", c.typ, c.exact), func(t *testing.T) {
			b := newTestBlock(t, c.typ)
			for _, workers := range []int{1, 3} {
				pool := newPool(workers)
				defer pool.Close()
				g, y := b.graph()
				e, err := Compile(g, pool, len(tokens), Options{Exact: c.exact})
				if err != nil {
					t.Fatal(err)
				}
				if len(e.ops) != 4 { // embed, norm, up+clamp+gelu, down+add+scale
					t.Errorf("%d operations after joining, want 4", len(e.ops))
				}
				for _, n := range []int{1, 2, len(tokens)} {
					if err := e.Run(context.Background(), &Batch{Tokens: tokens, Spans: []Span{{N: n}}}); err != nil {
						t.Fatal(err)
					}
					for i := range n {
						compare(t, e.Row(y, i), b.reference(tokens[i]), c.bound)
					}
				}
			}
		})
	}
}

func compare(t *testing.T, got []float32, want []float64, bound float64) {
	t.Helper()
	for i := range want {
		if d := math.Abs(float64(got[i]) - want[i]); !(d <= bound) {
			t.Fatalf("value %d is %v, want %v: off by %g", i, got[i], want[i], d)
		}
	}
}

// No two tensors that live at the same time may overlap in the arena.
func TestPlanKeepsLiveTensorsApart(t *testing.T) {
	b := newTestBlock(t, gguf.Q8_0)
	g, _ := b.graph()
	pool := newPool(1)
	defer pool.Close()
	e, err := Compile(g, pool, 5, Options{})
	if err != nil {
		t.Fatal(err)
	}
	blocks := e.lifetimes()
	total := 0
	for i, a := range blocks {
		total += a.size
		for _, c := range blocks[:i] {
			if a.first <= c.last && c.first <= a.last && overlap(a.t.x, c.t.x) {
				t.Errorf("%s and %s share memory", a.t.Name, c.t.Name)
			}
		}
	}
	if e.Bytes() >= total {
		t.Errorf("the arena of %d bytes reuses nothing of %d", e.Bytes(), total)
	}
}

func overlap(a, b []float32) bool {
	for i := range a {
		for j := range b {
			if &a[i] == &b[j] {
				return true
			}
		}
	}
	return false
}

func TestRunRefusesBatch(t *testing.T) {
	b := newTestBlock(t, gguf.F32)
	g, _ := b.graph()
	pool := newPool(1)
	defer pool.Close()
	e, err := Compile(g, pool, 5, Options{})
	if err != nil {
		t.Fatal(err)
	}
	for _, b := range []Batch{
		{}, {Spans: []Span{{N: 6}}}, {Spans: []Span{{N: 3}, {N: 3}}}, {Spans: []Span{{N: 3}, {}}},
		{Spans: []Span{{N: 3}}, Outputs: []int{3}}, {Spans: []Span{{N: 3}}, Outputs: []int{1, 1}}, {Spans: []Span{{N: 3}}, Outputs: []int{-1}},
	} {
		if err := e.Run(context.Background(), &b); err == nil {
			t.Errorf("%+v passed", b)
		}
	}
	if _, err := Compile(newGraph(), pool, 1, Options{Tier: "mmx"}); err == nil || !strings.Contains(err.Error(), "generic") {
		t.Errorf("unknown kernels: %v", err)
	}
}

func TestNewMatrixRefuses(t *testing.T) {
	for _, c := range []struct {
		typ              gguf.Type
		rows, cols, size int
	}{
		{gguf.I32, 1, 1, 4}, {gguf.Q4_0, 1, 33, 18}, {gguf.F32, 2, 2, 15}, {gguf.F32, 0, 2, 0}, {gguf.F32, 2, 2, 20},
	} {
		if _, err := NewMatrix("m", c.typ, c.rows, c.cols, make([]byte, c.size)); err == nil {
			t.Errorf("%+v passed", c)
		}
	}
}

func TestProfile(t *testing.T) {
	b := newTestBlock(t, gguf.F32)
	g, _ := b.graph()
	pool := newPool(1)
	defer pool.Close()
	e, err := Compile(g, pool, 5, Options{})
	if err != nil {
		t.Fatal(err)
	}
	e.Profile(true)
	if err := e.Run(context.Background(), &Batch{Tokens: []int32{1, 2}, Spans: []Span{{N: 2}}}); err != nil {
		t.Fatal(err)
	}
	costs := e.Costs()
	if len(costs) != 4 || costs[2].Name != "matmul up" || costs[2].MACs != int64(2*b.d*b.f) {
		t.Errorf("costs %+v", costs)
	}
}
