package probe

import (
	"math"
	"math/rand/v2"
)

// HostileFloats are numbers that kernels get wrong.
var HostileFloats = []float32{
	0, float32(math.Copysign(0, -1)), 1, -1,
	math.SmallestNonzeroFloat32, -math.SmallestNonzeroFloat32, 0x1p-127, -0x1.fffffcp-127, 0x1p-126,
	math.MaxFloat32, -math.MaxFloat32, float32(math.Inf(1)), float32(math.Inf(-1)), float32(math.NaN()),
	math.Float32frombits(0x7f800001), math.Float32frombits(0xffffffff),
	6, -6, 0x1.800002p2, -0x1.800002p2, -87.33, 0x1.62e42ep+6, -88, 89, -104, 65504, 65519.996, 65520, 0x1p-14, 0x1p-24, 0x1p-25,
}

// A Filler fills x with one kind of values.
type Filler struct {
	Name string
	Fill func(r *rand.Rand, x []float32)
}

// Fillers fill with ordinary numbers, any bits, hostile numbers, and one hostile number
// among ordinary ones.
var Fillers = []Filler{
	{"normal", func(r *rand.Rand, x []float32) {
		for i := range x {
			x[i] = float32(r.NormFloat64() * 3)
		}
	}},
	{"bits", func(r *rand.Rand, x []float32) {
		for i := range x {
			x[i] = math.Float32frombits(r.Uint32())
		}
	}},
	{"hostile", func(r *rand.Rand, x []float32) {
		for i := range x {
			x[i] = HostileFloats[r.IntN(len(HostileFloats))]
		}
	}},
	{"one hostile", func(r *rand.Rand, x []float32) {
		for i := range x {
			x[i] = float32(r.NormFloat64())
		}
		if len(x) > 0 {
			x[r.IntN(len(x))] = HostileFloats[r.IntN(len(HostileFloats))]
		}
	}},
}

// SameFloats reports whether a and b are equal bit by bit; any NaN equals any other.
func SameFloats(a, b []float32) bool {
	for i := range a {
		if math.Float32bits(a[i]) != math.Float32bits(b[i]) && (a[i] == a[i] || b[i] == b[i]) {
			return false
		}
	}
	return len(a) == len(b)
}

// SameBits reports whether two results are equal to the bit or both NaN.
func SameBits(a, b float32) bool {
	return math.Float32bits(a) == math.Float32bits(b) || a != a && b != b
}
