package cpu

import "encoding/binary"

// The loops of a roofline [Williams, Waterman, Patterson, "Roofline: an insightful visual
// performance model", 2009]: what a core reads and multiplies when it does nothing else. How fast
// it reads belongs to the machine, how fast it multiplies to the instructions of a [Level].
var fastestRead = chooseRead()

// Multiplier is a loop of 8-bit multiplications whose numbers stay in registers.
type Multiplier struct {
	Name string
	MACs int // multiplications in a round
	run  func(x *Chains, rounds int)

	Exceeded bool // the kernels of the level multiply long prompts with other instructions, which do more
}

// chainCount is how many multiplications must be under way at the same time:
// two start in a cycle and take five.
const chainCount = 12

// Chains are the numbers that a [Multiplier] works on: what it multiplies, and a vector for
// every chain. Loops of narrower vectors use the beginning of each.
type Chains struct {
	X, W [64]byte // unsigned and signed
	Sums [chainCount][64]byte
}

// MultiplierOf returns the loop with the instruction that the kernels of a level multiply with, or
// one in plain Go where there is none.
func MultiplierOf(level string) Multiplier {
	if m, ok := multipliers[level]; ok {
		return m
	}
	return genericMultiplier
}

// Run does rounds rounds.
func (m Multiplier) Run(x *Chains, rounds int) {
	if rounds > 0 {
		m.run(x, rounds)
	}
}

var genericMultiplier = Multiplier{Name: "plain Go", MACs: chainCount * 32, run: pairsGeneric}

// Read reads b once from beginning to end and returns the exclusive or of its
// little-endian 64-bit words, the last one filled up with zeros. With fetch it also
// asks for what comes next, where there is an instruction for that: some machines
// read faster so, and some slower.
func Read(b []byte, fetch bool) uint64 { return fastestRead(b, fetch) }

func readGeneric(b []byte, _ bool) uint64 {
	var s0, s1, s2, s3 uint64 // four chains, so that loads need not wait for each other
	for ; len(b) >= 32; b = b[32:] {
		s0 ^= binary.LittleEndian.Uint64(b)
		s1 ^= binary.LittleEndian.Uint64(b[8:])
		s2 ^= binary.LittleEndian.Uint64(b[16:])
		s3 ^= binary.LittleEndian.Uint64(b[24:])
	}
	for i, v := range b {
		s0 ^= uint64(v) << (i % 8 * 8)
	}
	return s0 ^ s1 ^ s2 ^ s3
}

// pairsGeneric multiplies by pairs, as AVX2 does: in each round the 32 bytes of a chain become
// 16 little-endian int16, the sums v[2i]*w[2i] + v[2i+1]*w[2i+1] with v unsigned and w signed,
// limited to the range of an int16.
func pairsGeneric(x *Chains, rounds int) {
	for range rounds {
		for c := range x.Sums {
			v := x.Sums[c][:32]
			for i := 0; i < len(v); i += 2 {
				p := int32(v[i])*int32(int8(x.W[i])) + int32(v[i+1])*int32(int8(x.W[i+1]))
				p = min(max(p, -1<<15), 1<<15-1)
				binary.LittleEndian.PutUint16(v[i:], uint16(p))
			}
		}
	}
}

// dotsGeneric multiplies by fours, as VNNI does: in each round the sum of x[4i+k]*w[4i+k] over k
// is added to the little-endian int32 i of a chain, with x unsigned and w signed. A chain has n
// bytes.
func dotsGeneric(x *Chains, rounds, n int) {
	for range rounds {
		for c := range x.Sums {
			for i := 0; i < n; i += 4 {
				sum := binary.LittleEndian.Uint32(x.Sums[c][i:])
				for k := i; k < i+4; k++ {
					sum += uint32(int32(x.X[k]) * int32(int8(x.W[k])))
				}
				binary.LittleEndian.PutUint32(x.Sums[c][i:], sum)
			}
		}
	}
}
