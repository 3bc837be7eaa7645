package scalar

import (
	"math"
	"math/rand/v2"
	"testing"
)

// TestWide compares the functions in float64 with those of package math, which are
// good to an ulp or so.
func TestWide(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	for range 200000 {
		x := math.Ldexp(r.Float64(), r.IntN(30)-4)
		if r.IntN(2) == 0 {
			x = float64(float32(x)) // as angles are
		}
		s, c := SinCos64(x)
		if e := max(math.Abs(s-math.Sin(x)), math.Abs(c-math.Cos(x))); !(e < 4e-16) {
			t.Fatalf("SinCos64(%v) = %v, %v: off by %g", x, s, c, e)
		}
		x = math.Ldexp(r.Float64()+0.1, r.IntN(60)-30)
		if got, want := Log64(x), math.Log(x); !(math.Abs(got-want) <= 1e-15*math.Abs(want)) {
			t.Fatalf("Log64(%v) = %v, want %v", x, got, want)
		}
		x = 700 * (2*r.Float64() - 1)
		if got, want := Exp64(x), math.Exp(x); !(math.Abs(got-want) <= 1e-15*want) {
			t.Fatalf("Exp64(%v) = %v, want %v", x, got, want)
		}
	}
	for _, c := range []struct{ b, e, want float64 }{{10000, 0, 1}, {10000, 0.5, 100}, {2, 10, 1024}, {500000, -1, 1.0 / 500000}} {
		if got := Pow64(c.b, c.e); math.Abs(got-c.want) > 1e-14*c.want {
			t.Errorf("Pow64(%v, %v) = %v, want %v", c.b, c.e, got, c.want)
		}
	}
	if s, c := SinCos64(0); s != 0 || c != 1 || Log64(1) != 0 || Exp64(0) != 1 {
		t.Error("0 and 1 are not exact")
	}
}

// TestWideRounded: rounded to float32, sines and cosines of the angles that positions
// make are those of package math.
func TestWideRounded(t *testing.T) {
	for p := 0; p < 1<<17; p += 7 {
		for k := range 16 {
			x := float64(float32(p) * float32(math.Pow(10000, -float64(k)/16)))
			s, c := SinCos64(x)
			if float32(s) != float32(math.Sin(x)) || float32(c) != float32(math.Cos(x)) {
				t.Fatalf("SinCos64(%v) = %v, %v, not %v, %v", x, s, c, math.Sin(x), math.Cos(x))
			}
		}
	}
}
