package mat

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"mptgo/ggml/internal/act"
	"mptgo/ggml/internal/cpu"
	"mptgo/ggml/internal/probe"
	"mptgo/gguf"
)

// unit is the number of columns that rows of a type are multiples of.
func unit(typ gguf.Type) int {
	values, _ := typ.Block()
	return values
}

// matCase is one product.
type matCase struct {
	typ     gguf.Type
	exact   bool
	n, k    int
	rows    int
	numbers data
}

func (c matCase) String() string {
	return fmt.Sprintf("%v exact=%v n=%d k=%d rows=%d data=%d", c.typ, c.exact, c.n, c.k, c.rows, c.numbers)
}

// mul returns the product by a tier, as [n][rows].
func (c matCase) mul(t testing.TB, tier set, w *Weights, a *act.Acts, s *Scratch) []float32 {
	y := probe.Memory[float32](t, c.n*c.rows)
	for i := range y {
		y[i] = 12345
	}
	s.poison()
	tier.MatMul(y, c.rows, w, a, c.n, 0, c.rows, c.exact, s)
	return y
}

// poison fills the scratch with what shows if it is used as it is.
func (s *Scratch) poison() {
	nan := float32(math.NaN())
	for _, f := range [][]float32{s.out, s.row, s.floatPanel, s.lanes, s.tails, s.last, s.gradients} {
		for i := range f[:cap(f)] {
			f[:cap(f)][i] = nan
		}
	}
	for i := range s.expanded[:cap(s.expanded)] {
		s.expanded[:cap(s.expanded)][i] = expandedBlock{D: nan}
	}
	for _, b := range [][]byte{s.padded, s.panel, s.tiles} {
		for i := range b[:cap(b)] {
			b[:cap(b)][i] = 0xff
		}
	}
}

// check compares all tiers with the definition.
func (c matCase) check(t *testing.T, r *rand.Rand, s *Scratch) {
	t.Helper()
	if len(tested()) == 1 {
		t.Skip("no tier but the definition")
	}
	w := c.numbers.weights(t, r, c.typ, c.rows, c.k)
	a := c.numbers.acts(t, r, c.n, c.k)
	want := c.mul(t, definition, w, a, s)
	for _, tier := range tested()[1:] {
		got := c.mul(t, tier, w, a, s)
		for i := range got {
			if !probe.SameBits(got[i], want[i]) {
				t.Fatalf("%v: %s: row %d of activations, row %d of weights: got %v, want %v",
					c, tier.Name, i/c.rows, i%c.rows, got[i], want[i])
			}
		}
	}
}

// forModes runs f for every type, block types also in exact mode.
func forModes(t *testing.T, f func(t *testing.T, c matCase)) {
	for _, typ := range matTypes() {
		t.Run("type="+typ.String(), func(t *testing.T) { f(t, matCase{typ: typ}) })
		if isBlock(typ) {
			t.Run("type="+typ.String()+"/exact", func(t *testing.T) { f(t, matCase{typ: typ, exact: true}) })
		}
	}
}

// TestMatMulTiers holds every tier against the definition: each batch, height
// and length on its own, then mixtures.
func TestMatMulTiers(t *testing.T) {
	forModes(t, func(t *testing.T, c matCase) {
		r := rand.New(rand.NewPCG(1, uint64(c.typ)))
		var s Scratch
		u := unit(c.typ)
		if u == 1 {
			u = 33
		}
		kinds := []data{plain, hostile, broken}
		check := func() {
			for _, c.numbers = range kinds {
				c.check(t, r, &s)
				if testing.Short() { // the others in turn
					kinds = append(kinds[1:], kinds[0])
					break
				}
			}
		}
		for c.n = 1; c.n <= 17; c.n++ {
			c.rows, c.k = 16, 3*u
			check()
		}
		for c.rows = 1; c.rows <= 40; c.rows++ {
			c.n, c.k = 1+c.rows%9, u
			check()
		}
		for c.k = u; c.k <= 32*40; c.k += u {
			c.n, c.rows = 1+c.k/u%9, 1+c.k%19
			check()
		}
	})
}

// TestMatMulParts crosses the places where the drivers split columns and
// batches.
func TestMatMulParts(t *testing.T) {
	forModes(t, func(t *testing.T, c matCase) {
		r := rand.New(rand.NewPCG(2, uint64(c.typ)))
		var s Scratch
		c.numbers = hostile
		for _, c.k = range []int{256, 512, 768, 1024, 1280, 1536, 2560, 2816} {
			c.rows = 3
			for _, c.n = range []int{PackedBatch, wideBatch, fewRows, fewRows + 1, mostFew, mostFew + 1, someRows + 1} {
				c.check(t, r, &s)
			}
		}
		c.k, c.rows = 256, 10
		for _, c.n = range []int{PackedBatch - 1, LanesBatch, dotsBatch, floatChunk - 1, floatChunk, floatChunk + 1, 2*floatChunk + 1} {
			c.check(t, r, &s)
		}
		if isFloat(c.typ) {
			for c.k = 1; c.k <= 150; c.k++ {
				c.n = 1 + c.k%(dotsBatch+13)
				c.check(t, r, &s)
			}
			c.k, c.rows = 40, floatStrips*StripRows+3
			for c.n = 1; c.n <= 70; c.n++ {
				c.check(t, r, &s)
			}
			c.k = 5
			for _, c.n = range []int{2*floatChunk + 1, 10*floatChunk + 1} { // chunks that have to begin earlier
				c.check(t, r, &s)
			}
		}
	})
}

// TestMatMulSplit checks that neither the split of rows over calls nor the
// split of a batch shows, and that nothing but the named results is written.
func TestMatMulSplit(t *testing.T) {
	const n, rows = 13, 45
	forModes(t, func(t *testing.T, c matCase) {
		r := rand.New(rand.NewPCG(3, uint64(c.typ)))
		c.n, c.rows, c.k, c.numbers = n, rows, 512, hostile
		var s Scratch
		w, a := c.numbers.weights(t, r, c.typ, rows, c.k), c.numbers.acts(t, r, n, c.k)
		for _, tier := range tested() {
			want := c.mul(t, tier, w, a, &s)
			for range 20 {
				r0 := r.IntN(rows + 1)
				r1 := r0 + r.IntN(rows+1-r0)
				m := r.IntN(n + 1)
				checkRange(t, tier, c, w, a, want, m, r0, r1, &s)
			}
		}
	})
}

// checkRange computes rows r0 to r1 for the first m rows of activations.
func checkRange(t *testing.T, tier set, c matCase, w *Weights, a *act.Acts, want []float32, m, r0, r1 int, s *Scratch) {
	t.Helper()
	const untouched = -777
	ldy := c.rows + 5
	y := make([]float32, c.n*ldy)
	for i := range y {
		y[i] = untouched
	}
	tier.MatMul(y, ldy, w, a, m, r0, r1, c.exact, s)
	for i := range y {
		row, col := i/ldy, i%ldy
		v := float32(untouched)
		if row < m && col >= r0 && col < r1 {
			v = want[row*c.rows+col]
		}
		if !probe.SameBits(y[i], v) {
			t.Fatalf("%v: %s: rows %d to %d, batch %d: result %d, %d is %v, want %v", c, tier.Name, r0, r1, m, row, col, y[i], v)
		}
	}
}

// TestMatMulUnaligned checks data at every address: a file inside another one
// may begin anywhere.
func TestMatMulUnaligned(t *testing.T) {
	forModes(t, func(t *testing.T, c matCase) {
		r := rand.New(rand.NewPCG(9, uint64(c.typ)))
		var s Scratch
		c.rows, c.k = 17, 256
		for _, c.n = range []int{1, 5} {
			w, a := plain.weights(t, r, c.typ, c.rows, c.k), plain.acts(t, r, c.n, c.k)
			want := c.mul(t, definition, w, a, &s)
			for shift := range 9 {
				moved := *w
				moved.Data = append(make([]byte, shift, shift+len(w.Data)), w.Data...)[shift:]
				for _, tier := range tested() {
					if got := c.mul(t, tier, &moved, a, &s); !slices.EqualFunc(got, want, probe.SameBits) {
						t.Fatalf("%v: %s: %d bytes off: another result", c, tier.Name, shift)
					}
				}
			}
		}
	})
}

func TestMatMulAllocates(t *testing.T) {
	forModes(t, func(t *testing.T, c matCase) {
		r := rand.New(rand.NewPCG(4, 0))
		c.k = 256
		w, a := plain.weights(t, r, c.typ, 21, c.k), plain.acts(t, r, 9, c.k)
		y := make([]float32, 9*21)
		var s Scratch
		for _, tier := range tested() {
			for _, n := range []int{1, 9} {
				allocs := testing.AllocsPerRun(5, func() { tier.MatMul(y, 21, w, a, n, 0, 21, c.exact, &s) })
				if allocs != 0 {
					t.Errorf("%v: %s: %v allocations", c, tier.Name, allocs)
				}
			}
		}
	})
}

// TestMatMulRefuses checks that sizes which do not fit are caught before a
// kernel sees them.
func TestMatMulRefuses(t *testing.T) {
	w := func() *Weights { return &Weights{gguf.Q4_0, 4, 64, make([]byte, 4*36)} }
	for name, call := range map[string]func(y []float32, a *act.Acts, s *Scratch){
		"type": func(y []float32, a *act.Acts, s *Scratch) {
			best().MatMul(y, 4, &Weights{gguf.Q8_1, 4, 64, make([]byte, 4096)}, a, 2, 0, 4, false, s)
		},
		"short weights": func(y []float32, a *act.Acts, s *Scratch) {
			v := w()
			v.Data = v.Data[1:]
			best().MatMul(y, 4, v, a, 2, 0, 4, false, s)
		},
		"columns": func(y []float32, a *act.Acts, s *Scratch) {
			v := w()
			v.Cols = 32
			best().MatMul(y, 4, v, a, 2, 0, 4, false, s)
		},
		"batch":         func(y []float32, a *act.Acts, s *Scratch) { best().MatMul(y, 4, w(), a, 3, 0, 4, false, s) },
		"rows":          func(y []float32, a *act.Acts, s *Scratch) { best().MatMul(y, 5, w(), a, 2, 0, 5, false, s) },
		"order":         func(y []float32, a *act.Acts, s *Scratch) { best().MatMul(y, 4, w(), a, 2, 3, 2, false, s) },
		"short results": func(y []float32, a *act.Acts, s *Scratch) { best().MatMul(y[:7], 4, w(), a, 2, 0, 4, false, s) },
		"not quantised": func(y []float32, a *act.Acts, s *Scratch) {
			best().MatMul(y, 4, w(), &act.Acts{N: 2, K: 64, X: a.X}, 2, 0, 4, false, s)
		},
		"short activations": func(y []float32, a *act.Acts, s *Scratch) {
			best().MatMul(y, 4, w(), &act.Acts{N: 2, K: 64, X: a.X[1:]}, 2, 0, 4, true, s)
		},
	} {
		t.Run(name, func(t *testing.T) {
			defer func() {
				if recover() == nil {
					t.Error("accepted")
				}
			}()
			a := plain.acts(t, rand.New(rand.NewPCG(5, 0)), 2, 64)
			call(make([]float32, 8), a, new(Scratch))
		})
	}
}

func TestBalance(t *testing.T) {
	for _, l := range cpu.Levels() {
		for typ, k := range For(l).block {
			if k != nil {
				checkBalance(t, fmt.Sprint(l.Name, " ", gguf.Type(typ)), &k.panel, 1)
			}
		}
	}
	// Few heights, between which a tile may leave a single row.
	tile := func(*float32, int, *byte, int, *byte, int, uintptr, int) {}
	checkBalance(t, "2, 3 and 8", &panel{Tiles: []tileFunc{2: tile, 3: tile, 8: tile}}, 2)
}

// checkBalance wants tiles that there are, and few more of them than if there were all.
func checkBalance(t *testing.T, name string, p *panel, more int) {
	t.Helper()
	for n := 2; n < 1000; n++ {
		tiles := 0
		for left := n; left > 0; tiles++ {
			rows := p.balance(left)
			if rows < 2 || rows > p.rows() || p.Tiles[rows] == nil || rows > left || left-rows == 1 {
				t.Fatalf("%s: %d of %d rows: a tile of %d", name, left, n, rows)
			}
			left -= rows
		}
		if least := (n + p.rows() - 1) / p.rows(); tiles > least+more {
			t.Errorf("%s: %d rows in %d tiles, %d would do", name, n, tiles, least)
		}
	}
}
