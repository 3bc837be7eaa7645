package cpu

import (
	"fmt"
	"math/rand/v2"
	"testing"
)

func TestRead(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for _, n := range []int{0, 1, 7, 8, 31, 32, 511, 512, 513, 1024, 5000} {
		for offset := range 3 {
			b := randomBytes(r, n+offset)[offset:]
			var want uint64
			for i, v := range b {
				want ^= uint64(v) << (i % 8 * 8)
			}
			if got := readGeneric(b, false); got != want {
				t.Errorf("%d bytes: %x in plain Go, want %x", n, got, want)
			}
			for _, fetch := range []bool{false, true} {
				if got := Read(b, fetch); got != want {
					t.Errorf("%d bytes, fetched %v: %x with %s, want %x", n, fetch, got, RooflineLoops(), want)
				}
			}
		}
	}
}

func TestMultiply(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for rounds := range 20 {
		var x Chains
		var w [32]byte
		copy(w[:], randomBytes(r, 32))
		for c := range x {
			copy(x[c][:], randomBytes(r, 32))
		}
		w[0], w[1], x[0][0], x[0][1] = 0x80, 0x80, 255, 255 // beyond an int16
		got, want := x, x
		Multiply(&got, &w, rounds)
		multiplyGeneric(&want, &w, rounds)
		if got != want {
			t.Fatalf("%d rounds: %s and plain Go differ", rounds, RooflineLoops())
		}
	}
	// 255*-128 + 255*-128 is limited to -32768.
	var x Chains
	w := [32]byte{0x80, 0x80}
	x[0][0], x[0][1] = 255, 255
	multiplyGeneric(&x, &w, 1)
	if x[0][0] != 0 || x[0][1] != 0x80 {
		t.Errorf("% x, want 00 80", x[0][:2])
	}
}

func BenchmarkRead(b *testing.B) {
	buf := make([]byte, 1<<30)
	for i := 0; i < len(buf); i += 4096 {
		buf[i] = 1
	}
	for _, fetch := range []bool{false, true} {
		b.Run(fmt.Sprintf("fetch=%v", fetch), func(b *testing.B) {
			b.SetBytes(int64(len(buf)))
			for b.Loop() {
				Read(buf, fetch)
			}
		})
	}
}

func BenchmarkMultiply(b *testing.B) {
	var x Chains
	w := [32]byte{1, 2, 3}
	const rounds = 1000
	b.SetBytes(rounds * MultiplyMACs) // one byte for each multiplication
	for b.Loop() {
		Multiply(&x, &w, rounds)
	}
}

func randomBytes(r *rand.Rand, n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(r.Uint32())
	}
	return b
}
