package quantize

import (
	"mptgo/gguf"
	"mptgo/internal/half"
	"mptgo/quantize/internal/num"
	"mptgo/quantize/internal/search"
	"mptgo/quantize/internal/vec"
)

// Q4_1 stores 32 values as 4-bit integers q with a scale d and a minimum m:
// x ≈ q·d + m.
//
//	byte  0..1   d, binary16
//	byte  2..3   m, binary16
//	byte  4..19  low nibble of byte 4+i is q[i], high nibble is q[16+i]
var q4_1 = Format{
	Type:   gguf.Q4_1,
	Encode: encoder(gguf.Q4_1, encodeQ4_1, fitQ4_1),
	Decode: decoder(gguf.Q4_1, decodeQ4_1),
	better: blockEncoder(gguf.Q4_1, betterQ4_1),
	grid:   gridQ4_1,
	bad:    badHalves(gguf.Q4_1, 0, 2),
}

func encodeQ4_1(b []byte, x []float32) {
	lo, hi := vec.Span(x)
	d := (hi - lo) / 15
	half.Put(b[0:2], d)
	half.Put(b[2:4], lo)
	var codes [32]uint8
	vec.Truncated(codes[:], x, lo, num.Inverse(d), 0.5, 15)
	packNibbles((*[16]byte)(b[4:]), &codes)
}

func fitQ4_1(b []byte, x, w []float32) {
	var codes [32]uint8
	d, m := search.FitScaleMin(codes[:], x, w, 15, search.WideSweep)
	half.Put(b, d)
	half.Put(b[2:], m)
	packNibbles((*[16]byte)(b[4:]), &codes)
}

func betterQ4_1(b []byte, x, importance []float32) {
	var codes [32]uint8
	d, m := search.BetterLine(&codes, x, importance, 15)
	half.Put(b, d)
	half.Put(b[2:], m)
	packNibbles((*[16]byte)(b[4:]), &codes)
}

func decodeQ4_1(x []float32, b []byte) {
	d, m := half.Get(b[0:2]), half.Get(b[2:4])
	q := (*[16]byte)(b[4:])
	for i, v := range q {
		x[i] = float32(float32(v&15)*d) + m
		x[i+16] = float32(float32(v>>4)*d) + m
	}
}
