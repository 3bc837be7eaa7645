package quantize

import (
	"math"
	"mptgo/internal/half"
	"mptgo/quantize/internal/num"
	"mptgo/quantize/internal/search"
	"mptgo/quantize/internal/vec"

	"mptgo/gguf"
)

// Q8_0 stores 32 values as 8-bit integers q with one scale d: x ≈ q·d.
//
//	byte  0..1   d, binary16
//	byte  2..33  q, signed
var q8_0 = Format{
	Type:   gguf.Q8_0,
	Encode: encoder(gguf.Q8_0, encodeQ8_0, nil),
	Decode: decoder(gguf.Q8_0, decodeQ8_0),
	better: blockEncoder(gguf.Q8_0, betterQ8_0),
	grid:   gridQ8_0,
	bad:    badHalves(gguf.Q8_0, 0),
}

func encodeQ8_0(b []byte, x []float32) {
	d := num.Abs(vec.Extreme(x)) / 127
	half.Put(b[0:2], d)
	vec.Rounded(b[2:34], x, num.Inverse(d))
}

var startsQ8_0 = search.StartsInteger(128)

func betterQ8_0(b []byte, x, importance []float32) {
	var w [32]float32
	search.WeighBetter(w[:], x, importance)
	var codes [32]uint8
	half.Put(b, search.SingleCodes(codes[:], x, w[:], 128, startsQ8_0))
	for i, q := range codes {
		b[2+i] = q - 128
	}
}

func decodeQ8_0(x []float32, b []byte) {
	d := half.Get(b[0:2])
	q := (*[32]byte)(b[2:])
	for i, v := range q {
		x[i] = float32(int8(v)) * d
	}
}

// absMax returns the largest magnitude in x.
func absMax(x []float32) float32 {
	var m uint32 // without sign, floats are ordered like their bits
	for _, v := range x {
		m = max(m, math.Float32bits(v)&^(1<<31))
	}
	return math.Float32frombits(m)
}
