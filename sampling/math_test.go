package sampling

import (
	"math"
	"math/rand/v2"
	"testing"
)

func TestExp(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	for range 200_000 {
		x := -math.Exp(r.Float64()*20 - 13) // 2e-6 to 1097
		got, want := exp(x), math.Exp(x)
		if x < -708 {
			want = 0
		}
		if math.Abs(got-want) > 0x1p-51*want {
			t.Fatalf("exp(%v) = %v, want %v", x, got, want)
		}
	}
	if got := exp(0); got != 1 {
		t.Errorf("exp(0) = %v", got)
	}
	if got := exp(math.Inf(-1)); got != 0 {
		t.Errorf("exp(-Inf) = %v", got)
	}
}

func TestLog(t *testing.T) {
	r := rand.New(rand.NewPCG(2, 2))
	for range 200_000 {
		x := math.Exp(r.Float64()*200 - 110)
		if got, want := log(x), math.Log(x); math.Abs(got-want) > 0x1p-50*math.Abs(want) {
			t.Fatalf("log(%v) = %v, want %v", x, got, want)
		}
	}
	if got := log(1); got != 0 {
		t.Errorf("log(1) = %v", got)
	}
}

func TestPower(t *testing.T) {
	for _, c := range []struct {
		base float64
		n    int
		want float64
	}{
		{1.75, 0, 1}, {1.75, 1, 1.75}, {2, 10, 1024}, {1, 1 << 30, 1}, {3, 40, 12157665459056928801},
		{2, 200, math.MaxFloat32}, {1e30, 1 << 30, math.MaxFloat32},
	} {
		if got := power(c.base, c.n); got != c.want {
			t.Errorf("power(%v, %d) = %v, want %v", c.base, c.n, got, c.want)
		}
	}
}

// TestSameEverywhere holds the bits of exp and log to those of one machine: a
// compiler that fuses a product into an addition shows here.
func TestSameEverywhere(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 3))
	h := uint64(14695981039346656037)
	for range 10_000 {
		u := float64(r.Uint64()>>11) * 0x1p-53
		for _, y := range []float64{exp(-u * 30), exp(-u), log(u + 0x1p-60)} {
			h = (h ^ math.Float64bits(y)) * 1099511628211
		}
	}
	if want := uint64(0xf444a77f0928c374); h != want {
		t.Errorf("hash of the results is %#x, want %#x", h, want)
	}
}
