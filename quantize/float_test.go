package quantize

import (
	"math/rand/v2"
	"slices"
	"testing"
)

func TestInfinite16(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	for _, exponent := range []uint16{0x7c00, 0x7f80} {
		for range 20000 {
			x := make([]uint16, r.IntN(12))
			b := make([]byte, 2*len(x))
			for i := range x {
				x[i] = uint16(r.Uint32())
				if r.IntN(4) > 0 {
					x[i] &^= exponent & -exponent
				}
				b[2*i], b[2*i+1] = byte(x[i]), byte(x[i]>>8)
			}
			want := slices.IndexFunc(x, func(h uint16) bool { return h&exponent == exponent })
			if got := infinite16(b, exponent); got != want {
				t.Fatalf("%#04x: got %d, want %d", x, got, want)
			}
		}
	}
}
