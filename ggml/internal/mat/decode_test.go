package mat

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"mptgo/ggml/internal/probe"
	"mptgo/gguf"
)

// leftUndecoded are the types that have no decoder on amd64.
var leftUndecoded = []gguf.Type{gguf.Q2_K}

// eachDecoder runs f for every decoder of every tier, and fails where one is missing that others of the tier
// have.
func eachDecoder(t testing.TB, f func(tier set, typ gguf.Type)) {
	for _, tier := range tested() {
		if tier.float == nil || tier.float.decode[gguf.F32].kernel == nil {
			continue // the definition decodes
		}
		for _, typ := range matTypes() {
			if tier.float.decode[typ].kernel != nil {
				f(tier, typ)
			} else if !slices.Contains(leftUndecoded, typ) {
				t.Errorf("%s: %v has no decoder: add a row to decodersAVX2, or to leftUndecoded", tier.Name, typ)
			}
		}
	}
}

// TestDecodeColumns holds every decoder to the definition: rows that end where memory ends, whole ones and
// parts that cut large blocks, side by side and in strips.
func TestDecodeColumns(t *testing.T) {
	eachDecoder(t, func(tier set, typ gguf.Type) {
		t.Run(fmt.Sprintf("%v/%s", typ, tier.Name), func(t *testing.T) {
			r := rand.New(rand.NewPCG(5, uint64(typ)))
			unit, _ := typ.Block()
			for _, d := range []data{plain, hostile, broken} {
				for _, cols := range []int{max(unit, 32), 3 * max(unit, 32), 2*max(unit, 32) + 32%max(unit, 1)} {
					if isFloat(typ) {
						cols += r.IntN(40)
					}
					if cols%unit == 0 {
						testDecodeColumns(t, r, tier, d.weights(t, r, typ, 2, cols))
					}
				}
			}
		})
	})
}

func testDecodeColumns(t *testing.T, r *rand.Rand, tier set, w *Weights) {
	t.Helper()
	var s Scratch
	p := product{w: *w, row: len(w.Data) / w.Rows, s: &s}
	for range 8 {
		c0 := r.IntN((w.Cols+31)/32) * 32
		c1 := w.Cols
		if n := (c1 - c0) / 32; n > 1 && r.IntN(2) == 0 {
			c1 = c0 + 32*(1+r.IntN(n))
		}
		distance := StripRows * (1 + r.IntN(3))
		pieces := (c1 - c0 + StripRows - 1) / StripRows
		got := probe.Memory[float32](t, (pieces-1)*distance+StripRows)
		want := make([]float32, len(got))
		row := r.IntN(w.Rows)
		s.poison()
		p.decodeColumns(tier.float, got, distance, row, c0, c1)
		p.decodeGeneric(want, distance, row, c0, c1)
		if !probe.SameFloats(got, want) {
			t.Fatalf("columns %d to %d of %d, %d apart: %v, want %v", c0, c1, w.Cols, distance, got, want)
		}
	}
}

func BenchmarkDecode(b *testing.B) {
	const cols = 2048
	eachDecoder(b, func(tier set, typ gguf.Type) {
		if tier.Name != best().Name {
			return
		}
		b.Run(fmt.Sprintf("type=%v/isa=%s", typ, tier.Name), func(b *testing.B) {
			p := product{w: *plain.weights(b, rand.New(rand.NewPCG(0, 0)), typ, 1, cols), s: &Scratch{}}
			p.row = len(p.w.Data)
			to := make([]float32, cols)
			for b.Loop() {
				p.decodeColumns(tier.float, to, StripRows, 0, 0, cols)
			}
			b.ReportMetric(float64(b.N)*cols/b.Elapsed().Seconds()/1e9, "Gweights/s")
		})
	})
}
