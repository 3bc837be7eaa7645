package ggml

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"mptgo/gguf"
)

// lowRankCase is a product with two changes, of which the second begins in the middle of
// the rows, behind a table with one.
type lowRankCase struct {
	wte, w     *Matrix
	fwte, fw   []float32
	bias       []float32
	table      *LowRank
	one, two   *LowRank
	a, b       [3][]float32 // of table, one, two
	vocab      int
	in, out    int
	from, rows int // of two
}

const lowRankTest = 5

func newLowRankCase(t testing.TB) *lowRankCase {
	return newLowRankCaseOf(t, func(v float64) float32 { return float32(v) })
}

// newLowRankCaseOf is newLowRankCase with values that are rounded.
func newLowRankCaseOf(t testing.TB, round func(float64) float32) *lowRankCase {
	r := rand.New(rand.NewPCG(7, 7))
	c := &lowRankCase{vocab: 40, in: 1120, out: 83, from: 21, rows: 37}
	c.wte, c.fwte = newTestMatrix(t, r, "wte", gguf.Q8_0, c.vocab, c.in)
	c.w, c.fw = newTestMatrix(t, r, "w", gguf.Q4_0, c.out, c.in)
	values := func(n int) []float32 {
		v := make([]float32, n)
		for i := range v {
			v[i] = round(r.NormFloat64() / 4)
		}
		return v
	}
	c.bias = values(c.out)
	var errs [3]error
	c.table, errs[0] = NewLowRankTable(lowRankTest, c.vocab, c.in, 0.5)
	c.one, errs[1] = NewLowRank(lowRankTest, c.in, c.out, 0, 0.25)
	c.two, errs[2] = NewLowRank(2*lowRankTest+9, c.in, c.rows, c.from, 2)
	if err := errors.Join(errs[:]...); err != nil {
		t.Fatal(err)
	}
	for i, l := range []*LowRank{c.table, c.one, c.two} {
		c.a[i], c.b[i] = values(l.rank*l.in), values(l.rank*l.out)
		width := l.in
		if l.table != nil {
			width = l.rank
		}
		for j := range len(c.a[i]) / width {
			l.SetA(j, c.a[i][j*width:(j+1)*width])
		}
		for j := range l.out {
			l.SetB(j, c.b[i][j*l.rank:(j+1)*l.rank])
		}
	}
	return c
}

// TestLowRankSizes: sizes that no change has are errors, and take no memory.
func TestLowRankSizes(t *testing.T) {
	const most = math.MaxInt
	for _, c := range [][4]int{ // rank, in, out, from
		{0, 1, 1, 0}, {1, 0, 1, 0}, {1, 1, 0, 0}, {-1, 1, 1, 0}, {1, -1, 1, 0}, {1, 1, -1, 0}, {1, 1, 1, -1},
		{most, 1, 1, 0}, {1, most, 1, 0}, {1, 1, most, 0}, {1, 1, most, 15}, {most / 2, most / 2, 1, 0}, {1 << 20, 1, most >> 20, 0},
	} {
		if l, err := NewLowRank(c[0], c[1], c[2], c[3], 1); err == nil || l != nil {
			t.Errorf("%v: %v, %v", c, l, err)
		}
		if l, err := NewLowRankTable(c[0], c[1], c[2], 1); c[3] == 0 && (err == nil || l != nil) {
			t.Errorf("a table, %v: %v, %v", c, l, err)
		}
	}
	if _, err := NewLowRank(1, 1, 1, 17, 1); err != nil {
		t.Error(err)
	}
}

func (c *lowRankCase) graph() (*Graph, *Tensor) {
	g := newGraph()
	x := g.Embed("x", c.wte)
	x = g.AddLowRank("changed", x, g.LookUp("z", c.table, 0), 0)
	z := g.Reduce("z2", x, Change{c.one, 1}, Change{c.two, 2})
	y := g.MatMul("y", c.w, x)
	y = g.AddLowRank("y1", y, z, 0)
	y = g.AddLowRank("y2", y, z, 1)
	y = g.Bias("biased", y, c.bias)
	g.Keep(y)
	return g, y
}

func (c *lowRankCase) reference(token int, factors []float32) []float64 {
	x := widen(c.fwte[token*c.in : (token+1)*c.in])
	for i := range x {
		for j := range lowRankTest {
			x[i] += 0.5 * float64(factors[0]) * float64(c.b[0][i*lowRankTest+j]) * float64(c.a[0][token*lowRankTest+j])
		}
	}
	y := product(c.fw, x)
	for k, l := range []*LowRank{c.one, c.two} {
		for i, v := range product(c.b[k+1], product(c.a[k+1], x)) {
			y[l.from+i] += float64(l.scale) * float64(factors[k+1]) * v
		}
	}
	for i := range y {
		y[i] += float64(c.bias[i])
	}
	return y
}

// The sums are right, and the same for any number of workers, size of batches, and
// kernels.
func TestLowRank(t *testing.T) {
	c := newLowRankCase(t)
	tokens := make([]int32, 101)
	for i := range tokens {
		tokens[i] = int32(i * 7 % c.vocab)
	}
	factors := []float32{0.5, -1.5, 0.125}
	var want [][]float32
	for _, tier := range Tiers() {
		for _, workers := range []int{1, 3} {
			for _, batch := range []int{1, 2, 7, 96, 101} {
				if tier == "generic" && (workers != 3 || batch != 101) {
					continue // slow
				}
				t.Run(fmt.Sprintf("%s/%d/%d", tier, workers, batch), func(t *testing.T) {
					got := c.run(t, tier, workers, batch, tokens, factors)
					if want == nil {
						want = got
					}
					for i := range got {
						if !slices.Equal(got[i], want[i]) {
							t.Fatalf("row %d: other bits", i)
						}
					}
				})
			}
		}
	}
	for i, row := range want {
		for j, v := range c.reference(int(tokens[i]), factors) {
			// Exact products of sums of 1120 terms of size 1.
			if math.Abs(v-float64(row[j])) > 1e-4 {
				t.Fatalf("row %d, column %d: %v, want %v", i, j, row[j], v)
			}
		}
	}
}

func (c *lowRankCase) run(t *testing.T, tier string, workers, batch int, tokens []int32, factors []float32) (rows [][]float32) {
	pool := NewPool(workers)
	defer pool.Close()
	g, y := c.graph()
	e, err := Compile(g, pool, batch, Options{Exact: true, Tier: tier})
	if err != nil {
		t.Fatal(err)
	}
	for part := range slices.Chunk(tokens, batch) {
		if err := e.Run(context.Background(), &Batch{Tokens: part, Spans: []Span{{N: len(part), Factors: factors}}}); err != nil {
			t.Fatal(err)
		}
		for i := range part {
			rows = append(rows, slices.Clone(e.Row(y, i)))
		}
	}
	return rows
}

// A change that is not the first thing to happen to a product stands for itself.
func TestLowRankAfterBias(t *testing.T) {
	c := newLowRankCase(t)
	g := newGraph()
	x := g.Embed("x", c.wte)
	z := g.Reduce("z", x, Change{c.one, 0})
	y := g.AddLowRank("y", g.Bias("biased", g.MatMul("w", c.w, x), c.bias), z, 0)
	g.Keep(y)
	pool := NewPool(2)
	defer pool.Close()
	e, err := Compile(g, pool, 4, Options{Exact: true})
	if err != nil {
		t.Fatal(err)
	}
	if err := e.Run(context.Background(), &Batch{Tokens: []int32{3, 4}, Spans: []Span{{N: 2, Factors: []float32{1}}}}); err != nil {
		t.Fatal(err)
	}
	off := c.reference(3, []float32{0, 1, 0})
	for j, v := range e.Row(y, 0) {
		if math.Abs(off[j]-float64(v)) > 1e-4 {
			t.Fatalf("column %d: %v, want %v", j, v, off[j])
		}
	}
}

// Changes in 16 bits have the bits that they have in 32, for a row alone, beside others, and
// in one step with them, with any number of workers.
func TestLowRankCompact(t *testing.T) {
	for name, round := range map[string]func(float64) float32{
		"bf16": func(v float64) float32 { return math.Float32frombits(math.Float32bits(float32(v)) &^ 0xffff) },
		"f16":  func(v float64) float32 { return float32(math.Round(v*1024) / 1024) },
	} {
		t.Run(name, func(t *testing.T) {
			wide, compact := newLowRankCaseOf(t, round), newLowRankCaseOf(t, round)
			for _, l := range []*LowRank{compact.table, compact.one, compact.two} {
				bytes, sample := l.Bytes(), l.Sample()
				l.Compact()
				if l.a != nil && 2*l.Bytes() != bytes {
					t.Errorf("%d bytes, %d compact", bytes, l.Bytes())
				}
				if !slices.Equal(sample, l.Sample()) {
					t.Error("other values")
				}
			}
			tokens, factors := []int32{3, 11, 7, 39, 0, 3, 1}, []float32{0.5, -1.5, 0.125}
			tiers := Tiers()
			want := wide.run(t, tiers[0], 1, 7, tokens, factors)
			for _, tier := range tiers {
				for _, batch := range []int{1, 2, 7} {
					for _, workers := range []int{1, 2, 5} {
						got := compact.run(t, tier, workers, batch, tokens, factors)
						if !slices.EqualFunc(got, want, slices.Equal) {
							t.Fatalf("%s, %d workers, %d rows: other bits", tier, workers, batch)
						}
					}
				}
			}
		})
	}
}
