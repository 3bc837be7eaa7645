package quantize

import (
	"mptgo/gguf"
	"mptgo/internal/half"
	"mptgo/quantize/internal/num"
	"mptgo/quantize/internal/search"
	"mptgo/quantize/internal/vec"
)

// Q5_1 stores 32 values as 5-bit integers q with a scale d and a minimum m:
// x ≈ q·d + m.
//
//	byte  0..1   d, binary16
//	byte  2..3   m, binary16
//	byte  4..7   bit i of this 32-bit word is bit 4 of q[i]
//	byte  8..23  low nibble of byte 8+i is q[i], high nibble is q[16+i]
var q5_1 = Format{
	Type:   gguf.Q5_1,
	Encode: encoder(gguf.Q5_1, encodeQ5_1, fitQ5_1),
	Decode: decoder(gguf.Q5_1, decodeQ5_1),
	better: blockEncoder(gguf.Q5_1, betterQ5_1),
	grid:   gridQ5_1,
	bad:    badHalves(gguf.Q5_1, 0, 2),
}

func encodeQ5_1(b []byte, x []float32) {
	lo, hi := vec.Span(x)
	d := (hi - lo) / 31
	half.Put(b[0:2], d)
	half.Put(b[2:4], lo)
	var codes [32]uint8
	vec.Truncated(codes[:], x, lo, num.Inverse(d), 0.5, 255)
	packFive((*[20]byte)(b[4:]), &codes)
}

func fitQ5_1(b []byte, x, w []float32) {
	var codes [32]uint8
	d, m := search.FitScaleMin(codes[:], x, w, 31, search.WideSweep)
	half.Put(b, d)
	half.Put(b[2:], m)
	packFive((*[20]byte)(b[4:]), &codes)
}

func betterQ5_1(b []byte, x, importance []float32) {
	var codes [32]uint8
	d, m := search.BetterLine(&codes, x, importance, 31)
	half.Put(b, d)
	half.Put(b[2:], m)
	packFive((*[20]byte)(b[4:]), &codes)
}

func decodeQ5_1(x []float32, b []byte) {
	d, m := half.Get(b[0:2]), half.Get(b[2:4])
	var codes [32]uint8
	unpackFive(&codes, (*[20]byte)(b[4:]))
	for i, q := range codes {
		x[i] = float32(float32(q)*d) + m
	}
}
