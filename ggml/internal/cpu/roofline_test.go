package cpu

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"strings"
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
					t.Errorf("%d bytes, fetched %v: %x, want %x", n, fetch, got, want)
				}
			}
		}
	}
}

// TestMultipliers: every loop that this CPU can run does what its definition says.
func TestMultipliers(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for _, l := range Levels() {
		if !l.Runs() {
			t.Logf("%s: this CPU lacks it", l.Name)
			continue
		}
		m := MultiplierOf(l.Name)
		for rounds := range 20 {
			got := randomChains(r)
			want := got
			m.Run(&got, rounds)
			switch {
			case !strings.Contains(m.Name, "VNNI"):
				pairsGeneric(&want, rounds)
			default:
				dotsGeneric(&want, rounds, m.MACs/chainCount)
			}
			if got != want {
				t.Fatalf("%s: %d rounds of %s are not what plain Go makes of them", l.Name, rounds, m.Name)
			}
		}
	}
}

// TestMultipliersComplete: where there are loops, each level of kernels has one.
func TestMultipliersComplete(t *testing.T) {
	for _, l := range fastLevels {
		if _, ok := multipliers[l.Name]; !ok && multipliers != nil {
			t.Errorf("%s: add a row to multipliers", l.Name)
		} else if ok && MultiplierOf(l.Name).Exceeded != (l.Name == "amx") {
			t.Errorf("%s: has it tiles, or not", l.Name)
		}
	}
}

// TestMultiplyByHand: 255*-128 + 255*-128 is limited to -32768 as a pair, and is all there as a
// sum of four.
func TestMultiplyByHand(t *testing.T) {
	var x Chains
	for i := range 4 {
		x.X[i], x.W[i], x.Sums[0][i] = 255, 0x80, 255
	}
	pairs, dots := x, x
	pairsGeneric(&pairs, 1)
	if got := pairs.Sums[0][:4]; !bytes.Equal(got, []byte{0, 0x80, 0, 0x80}) {
		t.Errorf("pairs: % x, want 00 80 00 80", got)
	}
	dots.Sums[0] = [64]byte{}
	dotsGeneric(&dots, 2, 32)
	if got := int32(binary.LittleEndian.Uint32(dots.Sums[0][:])); got != 2*4*255*-128 {
		t.Errorf("dots: %d, want %d", got, 2*4*255*-128)
	}
}

func randomChains(r *rand.Rand) (x Chains) {
	copy(x.X[:], randomBytes(r, 64))
	copy(x.W[:], randomBytes(r, 64))
	for c := range x.Sums {
		copy(x.Sums[c][:], randomBytes(r, 64))
	}
	x.W[0], x.W[1], x.Sums[0][0], x.Sums[0][1] = 0x80, 0x80, 255, 255 // beyond an int16
	return x
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
	for _, l := range Levels() {
		if !l.Runs() {
			continue
		}
		b.Run(l.Name, func(b *testing.B) {
			var x Chains
			m := MultiplierOf(l.Name)
			const rounds = 1000
			b.SetBytes(int64(rounds * m.MACs)) // one byte for each multiplication
			for b.Loop() {
				m.Run(&x, rounds)
			}
		})
	}
}

func randomBytes(r *rand.Rand, n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(r.Uint32())
	}
	return b
}
