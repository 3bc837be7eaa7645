package kernel

import (
	"math"
	"math/rand/v2"
	"testing"
	"unsafe"
)

// guarded returns a copy of s that ends at an unreadable page, where the system
// has such.
func guarded[T any](t testing.TB, s []T) []T {
	t.Helper()
	if len(s) == 0 {
		return nil
	}
	mem := guardedBytes(t, len(s)*int(unsafe.Sizeof(s[0])))
	g := unsafe.Slice((*T)(unsafe.Pointer(&mem[0])), len(s))
	copy(g, s)
	return g
}

// hostileFloats are numbers that kernels get wrong.
var hostileFloats = []float32{
	0, float32(math.Copysign(0, -1)), 1, -1,
	math.SmallestNonzeroFloat32, -math.SmallestNonzeroFloat32, 0x1p-127, -0x1.fffffcp-127, 0x1p-126,
	math.MaxFloat32, -math.MaxFloat32, float32(math.Inf(1)), float32(math.Inf(-1)), float32(math.NaN()),
	math.Float32frombits(0x7f800001), math.Float32frombits(0xffffffff),
	6, -6, 0x1.800002p2, -0x1.800002p2, expLow, expHigh, -88, 89, -104, 65504, 65519.996, 65520, 0x1p-14, 0x1p-24, 0x1p-25,
}

// A filler fills x with one kind of values.
type filler struct {
	name string
	fill func(r *rand.Rand, x []float32)
}

var fillers = []filler{
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
			x[i] = hostileFloats[r.IntN(len(hostileFloats))]
		}
	}},
	{"one hostile", func(r *rand.Rand, x []float32) {
		for i := range x {
			x[i] = float32(r.NormFloat64())
		}
		if len(x) > 0 {
			x[r.IntN(len(x))] = hostileFloats[r.IntN(len(hostileFloats))]
		}
	}},
}

// sameFloats reports whether a and b are equal bit by bit; any NaN equals any other.
func sameFloats(a, b []float32) bool {
	for i := range a {
		if math.Float32bits(a[i]) != math.Float32bits(b[i]) && (a[i] == a[i] || b[i] == b[i]) {
			return false
		}
	}
	return len(a) == len(b)
}
