package search

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"mptgo/quantize/internal/vec"
)

// groupsOf returns eight groups of n values: zeros, equal ones, those that are all above or all
// below zero, large and tiny ones, and two at random.
func groupsOf(r *rand.Rand, n int) []float32 {
	x := make([]float32, vec.Groups*n)
	for i := range x {
		v := float32(r.NormFloat64())
		switch i / n {
		case 0:
			v = 0
		case 1:
			v = -3
		case 2:
			v = 1 + v*v
		case 3:
			v = -1 - v*v
		case 4:
			v *= 0x1p100
		case 5:
			v *= 0x1p-120
		}
		x[i] = v
	}
	return x
}

// TestFitScaleMins: eight groups together have the bits that each has alone, and no codes but
// theirs are written.
func TestFitScaleMins(t *testing.T) {
	r := rand.New(rand.NewPCG(8, 9))
	sweeps := []Sweep{WideSweep, {From: -1, Step: 0.1, Steps: 20}, {From: -0.5, Step: 0.1, Steps: 15, Absolute: true}}
	for i := range 60 {
		n, top, s := []int{16, 32}[i%2], []int32{3, 15, 31}[i%3], sweeps[i/2%3]
		x, w := groupsOf(r, n), make([]float32, vec.Groups*n)
		for j := range w {
			w[j] = r.Float32()
		}
		got := slices.Repeat([]uint8{99}, len(x)+n)
		scale, lo := fitScaleMins(got[:len(x)], x, w, top, s)
		if !slices.Equal(got[len(x):], slices.Repeat([]uint8{99}, n)) {
			t.Fatalf("codes behind the groups: %v", got[len(x):])
		}
		for g := range vec.Groups {
			want := make([]uint8, n)
			a, b := FitScaleMin(want, x[g*n:(g+1)*n], w[g*n:(g+1)*n], top, s)
			if math.Float32bits(a) != math.Float32bits(scale[g]) || math.Float32bits(b) != math.Float32bits(lo[g]) {
				t.Errorf("group %d of %d values: scale %v and minimum %v, want %v and %v", g, n, scale[g], lo[g], a, b)
			}
			if codes := got[g*n : (g+1)*n]; !slices.Equal(codes, want) {
				t.Errorf("group %d of %d values: codes %v, want %v", g, n, codes, want)
			}
		}
	}
}
