package vec

import (
	"math"
	"math/rand/v2"
	"testing"

	"mptgo/quantize/internal/num"
)

// nasty returns n values among which are zeros of both signs, tiny and large ones, and equals.
func nasty(r *rand.Rand, n int) []float32 {
	x := make([]float32, n)
	for i := range x {
		switch v := float32(r.NormFloat64()); r.IntN(12) {
		case 0:
			x[i] = float32(math.Copysign(0, float64(v)))
		case 1:
			x[i] = v * 0x1p-130
		case 2:
			x[i] = v * 0x1p20
		case 3:
			x[i] = x[r.IntN(i+1)] * float32(1-2*r.IntN(2))
		case 4:
			x[i] = float32(math.Round(float64(4*v))) / 2
		default:
			x[i] = v
		}
	}
	return x
}

func random(r *rand.Rand, n int) []float32 {
	x := make([]float32, n)
	for i := range x {
		x[i] = r.Float32()
	}
	return x
}

// plain runs f without assembly.
func plain(f func()) {
	old, old16 := avx2, f16c
	defer func() { avx2, f16c = old, old16 }()
	avx2, f16c = false, false
	f()
}

func same(t *testing.T, what string, got, want []float32) {
	t.Helper()
	for i := range want {
		if math.Float32bits(got[i]) != math.Float32bits(want[i]) {
			t.Fatalf("%s: %v at %d, want %v", what, got[i], i, want[i])
		}
	}
}

// TestSearchLoops holds the loops of searches against their definitions.
func TestSearchLoops(t *testing.T) {
	if !avx2 {
		t.Skip("this CPU has no AVX2: there are only the definitions")
	}
	r := rand.New(rand.NewPCG(1, 2))
	var table Halves
	for i := range table {
		table[i] = float32(i / 30)
	}
	for range 2000 {
		n := 1 + r.IntN(40)
		x, w := nasty(r, n), random(r, n)
		var inv, a, b, a2, b2 [Tries]float32
		copy(inv[:], nasty(r, Tries))
		Correlate(&a, &b, x, w, &inv, -32, 31)
		plain(func() { Correlate(&a2, &b2, x, w, &inv, -32, 31) })
		same(t, "Correlate: sx", a[:], a2[:])
		same(t, "Correlate: s2", b[:], b2[:])

		var scales, c, d, c2, d2 [TableTries]float32
		for i, v := range nasty(r, TableTries) {
			scales[i] = 100 * v
		}
		CorrelateTable(&c, &d, x, w, &scales, &table)
		plain(func() { CorrelateTable(&c2, &d2, x, w, &scales, &table) })
		same(t, "CorrelateTable: a", c[:], c2[:])
		same(t, "CorrelateTable: b", d[:], d2[:])
	}
}

// TestGroupLoops holds the loops over groups against their definitions.
func TestGroupLoops(t *testing.T) {
	if !avx2 {
		t.Skip("this CPU has no AVX2: there are only the definitions")
	}
	r := rand.New(rand.NewPCG(3, 4))
	for range 2000 {
		n := Groups * (1 + r.IntN(32))
		x, w := nasty(r, n), random(r, n)
		var p [8]PerGroup // inv, lo, scale, least; results
		for i := range 4 {
			copy(p[i][:], nasty(r, Groups))
		}
		var q [3]PerGroup
		GroupSums(&p[4], &p[5], &p[6], x, w, &p[0], &p[1], 15)
		plain(func() { GroupSums(&q[0], &q[1], &q[2], x, w, &p[0], &p[1], 15) })
		for i := range q {
			same(t, "GroupSums", p[4+i][:], q[i][:])
		}
		for _, absolute := range []bool{false, true} {
			GroupErrors(&p[7], x, w, &p[0], &p[1], 15, &p[2], &p[3], absolute)
			plain(func() { GroupErrors(&q[0], x, w, &p[0], &p[1], 15, &p[2], &p[3], absolute) })
			same(t, "GroupErrors", p[7][:], q[0][:])
		}
	}
}

// TestCodeLoops holds the loops that make codes, and those that look for the largest values,
// against their definitions.
func TestCodeLoops(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	for range 4000 {
		n := 1 + r.IntN(70)
		x := nasty(r, n)
		lo, hi := Span(x)
		top := Extreme(x)
		lo2, hi2 := num.Span(x)
		same(t, "Span and Extreme", []float32{lo, hi, top}, []float32{lo2, hi2, num.Extreme(x)})
		got, want := make([]uint8, n), make([]uint8, n)
		check := func(what string, f func(codes []uint8)) {
			t.Helper()
			f(got)
			plain(func() { f(want) })
			if string(got) != string(want) {
				t.Fatalf("%s of %v: %v, want %v", what, x, got, want)
			}
		}
		for _, c := range []Code{
			{Scale: -8 / top, Least: -8, Most: 7, Offset: 8},
			{Scale: 15 / (hi - lo), Lo: lo, Most: 15},
			{Scale: top / 32, Divide: true, Least: -32, Most: 31, Offset: 32},
			{Scale: 0.1, Lo: -1, Divide: true, Most: 3},
		} {
			check("Codes", func(codes []uint8) { Codes(codes, x, &c) })
		}
		check("Truncated", func(codes []uint8) { Truncated(codes, x, 0, num.Inverse(top/-8), 8.5, 15) })
		check("Truncated", func(codes []uint8) { Truncated(codes, x, lo, num.Inverse((hi-lo)/31), 0.5, 255) })
		check("Rounded", func(codes []uint8) { Rounded(codes, x, num.Inverse(num.Abs(top)/127)) })
	}
	halves := make([]uint8, 16)
	x := []float32{-127, -126.5, -0.5, 0.5, 1.5, 2.5, 126.5, 127, -0.49999997, 0.49999997, -1.5, -2.5, 0, 3, -3, 0.25}
	Rounded(halves, x, 1)
	for i, v := range x {
		if int8(halves[i]) != int8(math.Round(float64(v))) {
			t.Errorf("%v is rounded to %d", v, int8(halves[i]))
		}
	}
}

// TestDecodeF16 tries all numbers, with all others beside them.
func TestDecodeF16(t *testing.T) {
	src := make([]byte, 2<<16)
	for i := range 1 << 16 {
		src[2*i], src[2*i+1] = byte(i), byte(i>>8)
	}
	for range 3 {
		got, want := make([]float32, 1<<16), make([]float32, 1<<16)
		DecodeF16(got, src)
		plain(func() { DecodeF16(want, src) })
		same(t, "DecodeF16", got, want)
		rand.Shuffle(1<<16, func(i, j int) {
			src[2*i], src[2*i+1], src[2*j], src[2*j+1] = src[2*j], src[2*j+1], src[2*i], src[2*i+1]
		})
	}
}
