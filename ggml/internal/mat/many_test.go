package mat

import (
	"math/rand/v2"
	"testing"

	"mptgo/ggml/internal/act"
)

// TestMatMulMany holds the kernels for many rows of activations against the definition: whole
// groups of rows and others, one group and more than a call takes, strips that have no
// neighbour, and rows of a length that takes some turns.
func TestMatMulMany(t *testing.T) {
	if act.TileGroups(act.TiledRows) == 0 {
		t.Skip("this CPU has no kernels for many rows of activations")
	}
	forModes(t, func(t *testing.T, c matCase) {
		if c.exact || !isBlock(c.typ) {
			t.Skip("no block type")
		}
		r := rand.New(rand.NewPCG(4, uint64(c.typ)))
		var s Scratch
		kinds := []data{plain, hostile, broken}
		for i, n := range []int{32, 38, 39, 48, 71, 144} {
			c.n, c.rows, c.k = n, 1+i*13%40, unit(c.typ)*(1+i%3)
			c.numbers = kinds[i%3]
			c.check(t, r, &s)
		}
		c.n, c.rows, c.k, c.numbers = 33, 17, 8*256, hostile
		c.check(t, r, &s)
	})
}

// TestMatMulManySplit multiplies fewer rows of activations than there are.
func TestMatMulManySplit(t *testing.T) {
	const n, rows = 41, 20
	forModes(t, func(t *testing.T, c matCase) {
		if c.exact || !isBlock(c.typ) {
			t.Skip("no block type")
		}
		r := rand.New(rand.NewPCG(5, uint64(c.typ)))
		c.n, c.rows, c.k, c.numbers = n, rows, 256, hostile
		var s Scratch
		w, a := c.numbers.weights(t, r, c.typ, rows, c.k), c.numbers.acts(t, r, n, c.k)
		want := c.mul(t, definition, w, a, &s)
		for _, m := range []int{16, 31, 32, 33, 40, 41} {
			r0 := r.IntN(rows)
			checkRange(t, best(), c, w, a, want, m, r0, r0+1+r.IntN(rows-r0), &s)
		}
	})
}
