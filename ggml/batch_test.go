package ggml

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"mptgo/gguf"
)

// spanGraph is the graph of a low-rank case with a head of selected rows, some of
// whose changes come before and some behind the selection.
func (c *lowRankCase) spanGraph(positions *Matrix) (*Graph, *Tensor) {
	g := newGraph()
	x := g.AddPositions("positioned", g.Embed("x", c.wte), positions)
	x = g.AddLowRank("changed", x, g.LookUp("z", c.table, 0), 0)
	x = g.Narrow("late", x)
	x = g.AddPositions("positioned again", x, positions)
	x = g.Select("wanted", x)
	z := g.Reduce("z2", x, Change{c.one, 1}, Change{c.two, 2})
	y := g.AddLowRank("y1", g.MatMul("y", c.w, x), z, 0)
	y = g.AddLowRank("y2", g.Bias("biased", y, c.bias), z, 1)
	g.Keep(y)
	return g, y
}

// runSpans returns the wanted rows of a batch of tokens in spans.
func (c *lowRankCase) runSpans(t *testing.T, positions *Matrix, tier string, outputs int, b *Batch) map[int][]float32 {
	pool := NewPool(2)
	defer pool.Close()
	g, y := c.spanGraph(positions)
	e, err := Compile(g, pool, max(len(b.Tokens), 1), Options{Exact: true, Tier: tier, Outputs: outputs})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	rows := map[int][]float32{}
	b.Each = func(first, n int) error {
		for i := range n {
			rows[b.Outputs[first+i]] = slices.Clone(e.Row(y, i))
		}
		return nil
	}
	if err := e.Run(context.Background(), b); err != nil {
		t.Fatal(err)
	}
	return rows
}

// TestSpans: what comes of a row depends on its own token and span alone, whatever other
// rows are in the batch, with other changes, wanted or not, and however many of the
// wanted ones are computed at a time.
func TestSpans(t *testing.T) {
	c := newLowRankCase(t)
	factors := [][]float32{nil, {1, 0.5, 2}, {0, 0, -1}, {0.25, 0, 0}, {0, 3}}
	positions, _ := newTestMatrix(t, rand.New(rand.NewPCG(8, 8)), "wpe", gguf.F32, 200, c.in)
	var spans []Span
	var tokens []int32
	for i := range 60 {
		n := []int{1, 1, 3, 97, 1}[i%5]
		spans = append(spans, Span{N: n, Pos: i * 13 % 100, Factors: factors[(i*i+i/5)%len(factors)]})
		for range n {
			tokens = append(tokens, int32((len(tokens)*11+i)%c.vocab))
		}
		if len(tokens) > 300 {
			break
		}
	}
	var wanted []int
	for i := range tokens {
		if i%3 != 1 {
			wanted = append(wanted, i)
		}
	}
	for _, tier := range Tiers() {
		for _, outputs := range []int{0, 1, 7} {
			t.Run(fmt.Sprintf("%s/%d", tier, outputs), func(t *testing.T) {
				all := c.runSpans(t, positions, tier, outputs, &Batch{Tokens: tokens, Spans: spans, Outputs: wanted})
				if len(all) != len(wanted) {
					t.Fatalf("%d rows, want %d", len(all), len(wanted))
				}
				row := 0
				for _, s := range spans {
					i := row + s.N/2
					row += s.N
					if got, ok := all[i]; ok {
						s.N, s.Pos = 1, s.Pos+s.N/2
						alone := c.runSpans(t, positions, tier, 0, &Batch{Tokens: tokens[i : i+1], Spans: []Span{s}, Outputs: []int{0}})
						if !slices.Equal(got, alone[0]) {
							t.Fatalf("row %d: other bits than alone", i)
						}
					}
				}
			})
		}
	}
}

// TestSelectKeepsApart: an operation of selected rows cannot read all rows, and no other
// operation may follow one.
func TestSelectKeepsApart(t *testing.T) {
	c := newLowRankCase(t)
	for what, build := range map[string]func(g *Graph, x, y *Tensor){
		"mixed":   func(g *Graph, x, y *Tensor) { g.Add("sum", y, x) },
		"another": func(g *Graph, x, _ *Tensor) { g.Scale("more", x, 2) },
		"narrow":  func(g *Graph, x, _ *Tensor) { g.Narrow("late", x) },
		"twice":   func(g *Graph, _, y *Tensor) { g.Select("again", y) },
		"attend":  func(g *Graph, _, y *Tensor) { g.Attend("a", y, Attention{Heads: 1, KVHeads: 1, Dim: y.Cols / 3}) },
	} {
		t.Run(what, func(t *testing.T) {
			_, err := Build(func(g *Graph) {
				x := g.Embed("x", c.wte)
				build(g, x, g.Select("some", x))
			})
			if err == nil || !strings.HasPrefix(err.Error(), "ggml: ") {
				t.Errorf("accepted: %v", err)
			}
		})
	}
}
