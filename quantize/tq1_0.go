package quantize

import (
	"mptgo/gguf"
	"mptgo/internal/half"
	"mptgo/quantize/internal/num"
)

// TQ1_0 stores 256 values as ternary digits t with one scale d: x ≈ (t-1)·d.
//
//	byte   0..31  five digits each: digit n of byte m is t[32n+m]
//	byte  32..47  five digits each: digit n of byte 32+m is t[160+16n+m]
//	byte  48..51  four digits each: digit n of byte 48+m is t[240+4n+m]
//	byte  52..53  d, binary16
//
// A byte is a fixed-point fraction of 256, rounded up: multiplied by 3, the
// digits come out on top, the first one first.
var tq1_0 = Format{
	Type:   gguf.TQ1_0,
	Encode: blockEncoder(gguf.TQ1_0, encodeTQ1_0),
	Decode: decoder(gguf.TQ1_0, decodeTQ1_0),
	bad:    badHalves(gguf.TQ1_0, 52),
}

func decodeTQ1_0(x []float32, b []byte) {
	d := half.Get(b[52:])
	for _, group := range [][]byte{b[0:32], b[32:48], b[48:52]} {
		power := uint8(1)
		for range min(5, len(x)/len(group)) { // what is left of x ends the last group
			for m, v := range group {
				digit := int32(v*power) * 3 >> 8
				x[m] = float32(digit-1) * d
			}
			x = x[len(group):]
			power *= 3
		}
	}
}

func encodeTQ1_0(b []byte, x, _ []float32) {
	half.Put(b[52:], absMax(x))
	id := num.Inverse(absMax(x))
	for _, group := range [][]byte{b[0:32], b[32:48], b[48:52]} {
		digits := min(5, len(x)/len(group))
		for m := range group {
			v := 0
			for n := range 5 {
				v *= 3
				if n < digits {
					v += ternary(x[n*len(group)+m], id)
				}
			}
			group[m] = byte((v*256 + 242) / 243)
		}
		x = x[digits*len(group):]
	}
}

// ternary returns the digit of v: 0, 1 or 2.
func ternary(v, id float32) int { return int(num.Round(float32(v*id))) + 1 }
