package quantize

import (
	"mptgo/gguf"
	"mptgo/internal/half"
	"mptgo/quantize/internal/num"
)

// TQ2_0 stores 256 values as 2-bit integers q with one scale d: x ≈ (q-1)·d.
// The codes of ternary weights are 0, 1 and 2.
//
//	byte   0..63  q, see [twoBits]
//	byte  64..65  d, binary16
var tq2_0 = Format{
	Type:   gguf.TQ2_0,
	Encode: blockEncoder(gguf.TQ2_0, encodeTQ2_0),
	Decode: decoder(gguf.TQ2_0, decodeTQ2_0),
	bad:    badHalves(gguf.TQ2_0, 64),
}

func decodeTQ2_0(x []float32, b []byte) {
	d := half.Get(b[64:])
	for i, q := range twoBits((*[64]byte)(b)) {
		x[i] = float32(int32(q)-1) * d
	}
}

func encodeTQ2_0(b []byte, x, _ []float32) {
	d := absMax(x)
	id := num.Inverse(d)
	half.Put(b[64:], d)
	var codes [256]uint8
	for i, v := range x {
		codes[i] = uint8(ternary(v, id))
	}
	packTwoBits((*[64]byte)(b), &codes)
}
