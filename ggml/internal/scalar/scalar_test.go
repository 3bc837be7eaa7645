package scalar

import (
	"math"
	"math/big"
	"math/rand/v2"
	"testing"

	"mptgo/ggml/internal/probe"
)

// TestFMA compares FMA with exact arithmetic rounded once.
func TestFMA(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 300000 {
		x, y, z := finite(r), finite(r), finite(r)
		switch r.IntN(3) {
		case 0: // the sum nearly cancels
			z = -float32(float64(x)*float64(y)) * (1 + float32(r.IntN(5)-2)*0x1p-23)
		case 1:
			x, y, z = nearTie(r)
		}
		if got, want := FMA(x, y, z), exactFMA(x, y, z); !probe.SameFloats([]float32{got}, []float32{want}) {
			t.Fatalf("FMA(%x, %x, %x) = %x, want %x", x, y, z, got, want)
		}
	}
}

func finite(r *rand.Rand) float32 {
	for {
		x := math.Float32frombits(r.Uint32())
		if r.IntN(8) == 0 {
			x = probe.HostileFloats[r.IntN(len(probe.HostileFloats))]
		}
		if x-x == 0 {
			return x
		}
	}
}

// nearTie returns operands with x·y = ±u/2·(1 - k²·2^-46), where u is the last
// place of z: the sum in float64 is a tie, the exact one is not.
func nearTie(r *rand.Rand) (x, y, z float32) {
	last := r.IntN(230) - 149
	first := (last - 1) / 2
	k := float64(r.IntN(8)) * 0x1p-23
	x = float32(math.Ldexp(1+k, first))
	y = float32(math.Ldexp(1-k, last-1-first))
	z = float32(math.Ldexp(float64(r.IntN(1<<24)), last))
	if r.IntN(2) == 0 {
		x = -x
	}
	return x, y, z
}

func exactFMA(x, y, z float32) float32 {
	p := float64(x) * float64(y)
	if math.IsInf(float64(z), 0) || z != z || p == 0 || float64(z) == -p {
		return float32(p + float64(z)) // exact, and knows the sign of a zero
	}
	sum := new(big.Float).SetPrec(2000).SetFloat64(p)
	sum.Add(sum, new(big.Float).SetFloat64(float64(z)))
	f, _ := sum.Float32()
	return f
}

func TestFMASpecial(t *testing.T) {
	inf, nan := float32(math.Inf(1)), float32(math.NaN())
	for _, c := range []struct{ x, y, z, want float32 }{
		{inf, 1, 1, inf}, {inf, 1, -inf, nan}, {inf, 0, 1, nan}, {1, 1, inf, inf}, {nan, 1, 1, nan}, {1, 1, nan, nan},
		{math.MaxFloat32, 2, -math.MaxFloat32, math.MaxFloat32}, {math.MaxFloat32, 2, 0, inf},
	} {
		if got := FMA(c.x, c.y, c.z); !probe.SameFloats([]float32{got}, []float32{c.want}) {
			t.Errorf("FMA(%v, %v, %v) = %v, want %v", c.x, c.y, c.z, got, c.want)
		}
	}
}

func TestFold(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	var a [16]float32
	for i := range a {
		a[i] = float32(math.Ldexp(r.Float64(), r.IntN(30)))
	}
	quarter := func(i int) float32 { return (a[i] + a[i+8]) + (a[i+4] + a[i+12]) }
	want := (quarter(0) + quarter(2)) + (quarter(1) + quarter(3))
	if got := Fold(&a); got != want {
		t.Errorf("got %v, want %v", got, want)
	}
}

// TestExp walks through the float32 numbers and compares with float64.
func TestExp(t *testing.T) {
	worst := 0.0
	for bits := uint64(0); bits < 1<<32; bits += 4099 {
		x := math.Float32frombits(uint32(bits))
		if x != x || x < expLow || x > expHigh {
			continue
		}
		want := math.Exp(float64(x))
		_, exponent := math.Frexp(want)
		ulp := math.Ldexp(1, exponent-24)
		worst = max(worst, math.Abs(float64(Exp(x))-want)/ulp)
	}
	t.Logf("largest error: %.3f ulp", worst)
	if worst > 1 {
		t.Errorf("error of %.3f ulp", worst)
	}
}

func TestExpSpecial(t *testing.T) {
	inf, nan := float32(math.Inf(1)), float32(math.NaN())
	for _, c := range []struct{ x, want float32 }{
		{0, 1}, {float32(math.Copysign(0, -1)), 1}, {math.SmallestNonzeroFloat32, 1},
		{inf, inf}, {-inf, 0}, {nan, nan}, {math.Float32frombits(0xff800001), nan},
		{-88, 0}, {-math.MaxFloat32, 0}, {math.MaxFloat32, inf},
		{math.Nextafter32(expHigh, inf), inf}, {math.Nextafter32(expLow, -inf), 0},
	} {
		if got := Exp(c.x); !probe.SameFloats([]float32{got}, []float32{c.want}) {
			t.Errorf("Exp(%v) = %v, want %v", c.x, got, c.want)
		}
	}
	if y := Exp(expHigh); y > math.MaxFloat32 || y < 0x1.ffff00p127 {
		t.Errorf("Exp(%v) = %v", expHigh, y)
	}
	if y := Exp(expLow); y < 0x1p-126 {
		t.Errorf("Exp(%v) = %v is subnormal", expLow, y)
	}
}

func TestGELU(t *testing.T) {
	worst := 0.0
	check := func(x float32) {
		want := 0.5 * float64(x) * math.Erfc(-float64(x)/math.Sqrt2)
		worst = max(worst, math.Abs(float64(GELU(x))-want)/max(1, math.Abs(float64(x))))
	}
	for x := float32(-8); x < 8; x += 0x1p-13 {
		check(x)
	}
	for bits := uint64(0); bits < 1<<32; bits += 65521 {
		if x := math.Float32frombits(uint32(bits)); x == x && !math.IsInf(float64(x), 0) {
			check(x)
		}
	}
	t.Logf("largest error: %.3g·max(1, |x|)", worst)
	if worst > 2e-7 {
		t.Errorf("error of %v·max(1, |x|)", worst)
	}
}

func TestGELUSpecial(t *testing.T) {
	inf, nan, zero := float32(math.Inf(1)), float32(math.NaN()), float32(0)
	for _, c := range []struct{ x, want float32 }{
		{0, 0}, {-zero, -zero}, {inf, inf}, {-inf, 0}, {nan, nan},
		{0x1.800002p2, 0x1.800002p2}, {-0x1.800002p2, 0}, {math.MaxFloat32, math.MaxFloat32}, {-math.MaxFloat32, 0},
	} {
		if got := GELU(c.x); !probe.SameFloats([]float32{got}, []float32{c.want}) {
			t.Errorf("gelu(%v) = %v, want %v", c.x, got, c.want)
		}
	}
}
