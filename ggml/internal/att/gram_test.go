package att

import (
	"math/rand/v2"
	"slices"
	"testing"

	"mptgo/ggml/internal/probe"
)

// TestGramTiers: all tiers give the bits of the definition, and leave what is between
// the rows of a tile alone.
func TestGramTiers(t *testing.T) {
	const ldc, ldb = 101, 85
	r := rand.New(rand.NewPCG(3, 4))
	for _, tier := range tested() {
		for i, k := range []int{0, 1, 2, 3, 8, 17, 128, 5, 40} {
			columns := GramColumns * (1 + i%5)
			c, a, b := make([]float32, (GramRows-1)*ldc+columns), make([]float32, GramRows*k), make([]float32, max((k-1)*ldb+columns, 0))
			for _, x := range [][]float32{c, a, b} {
				probe.Fillers[0].Fill(r, x)
			}
			want, got := slices.Clone(c), probe.Guarded(t, c)
			generic.AddGram(want, ldc, a, b, ldb, k, columns)
			tier.AddGram(got, ldc, probe.Guarded(t, a), probe.Guarded(t, b), ldb, k, columns)
			if !probe.SameFloats(got, want) || k > 0 && probe.SameFloats(got, c) {
				t.Errorf("%s, %d rows, %d columns: other sums", tier.Name, k, columns)
			}
		}
	}
}

// TestGramParts: rows in two calls give what they give in one.
func TestGramParts(t *testing.T) {
	const k, part = 40, 13
	r := rand.New(rand.NewPCG(5, 6))
	c, a, b := make([]float32, GramRows*GramColumns), make([]float32, GramRows*k), make([]float32, k*GramColumns)
	for _, x := range [][]float32{c, a, b} {
		probe.Fillers[0].Fill(r, x)
	}
	want := slices.Clone(c)
	generic.AddGram(want, GramColumns, a, b, GramColumns, k, GramColumns)
	var first, second []float32
	for i := range GramRows {
		first = append(first, a[i*k:i*k+part]...)
		second = append(second, a[i*k+part:(i+1)*k]...)
	}
	generic.AddGram(c, GramColumns, first, b[:part*GramColumns], GramColumns, part, GramColumns)
	generic.AddGram(c, GramColumns, second, b[part*GramColumns:], GramColumns, k-part, GramColumns)
	if !probe.SameFloats(c, want) {
		t.Error("other sums")
	}
}
