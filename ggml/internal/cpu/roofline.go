package cpu

import "encoding/binary"

// The loops of a roofline [Williams, Waterman, Patterson, "Roofline: an
// insightful visual performance model", 2009]: what a core reads and multiplies
// when it does nothing else. They belong to the machine and not to a [Level].
var roofline = fastestLoops()

var genericLoops = rooflineLoops{"plain Go", readGeneric, multiplyGeneric}

// rooflineLoops are one way to reach the limits.
type rooflineLoops struct {
	name     string
	read     func(b []byte, fetch bool) uint64
	multiply func(x *Chains, w *[32]byte, rounds int)
}

// chainCount is how many multiplications must be under way at the same time:
// two start in a cycle and take five.
const chainCount = 12

// Chains are the numbers that [Multiply] works on.
type Chains [chainCount][32]byte

// MultiplyMACs is the number of 8-bit multiplications in a round of [Multiply].
const MultiplyMACs = chainCount * 32

// RooflineLoops names the loops that [Read] and [Multiply] are on this CPU.
func RooflineLoops() string { return roofline.name }

// Read reads b once from beginning to end and returns the exclusive or of its
// little-endian 64-bit words, the last one filled up with zeros. With fetch it also
// asks for what comes next, where there is an instruction for that: some machines
// read faster so, and some slower.
func Read(b []byte, fetch bool) uint64 { return roofline.read(b, fetch) }

// Multiply does rounds rounds of 8-bit multiplications: in each, the 32 bytes of
// a chain become 16 little-endian int16, the sums x[2i]*w[2i] + x[2i+1]*w[2i+1]
// with x unsigned and w signed, limited to the range of an int16. That is the
// product which block dot products are made of.
func Multiply(x *Chains, w *[32]byte, rounds int) { roofline.multiply(x, w, rounds) }

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

func multiplyGeneric(x *Chains, w *[32]byte, rounds int) {
	for range rounds {
		for c := range x {
			for i := 0; i < 32; i += 2 {
				p := int32(x[c][i])*int32(int8(w[i])) + int32(x[c][i+1])*int32(int8(w[i+1]))
				p = min(max(p, -1<<15), 1<<15-1)
				binary.LittleEndian.PutUint16(x[c][i:], uint16(p))
			}
		}
	}
}
