package quantize

import (
	"mptgo/gguf"
	"mptgo/internal/half"
	"mptgo/quantize/internal/num"
	"mptgo/quantize/internal/search"
	"mptgo/quantize/internal/vec"
)

// Q4_0 stores 32 values as 4-bit integers q with one scale d: x ≈ (q-8)·d.
//
//	byte  0..1   d, binary16
//	byte  2..17  low nibble of byte 2+i is q[i], high nibble is q[16+i]
var q4_0 = Format{
	Type:   gguf.Q4_0,
	Encode: encoder(gguf.Q4_0, encodeQ4_0, fitQ4_0),
	Decode: decoder(gguf.Q4_0, decodeQ4_0),
	better: blockEncoder(gguf.Q4_0, betterQ4_0),
	grid:   gridQ4_0,
	bad:    badHalves(gguf.Q4_0, 0),
}

// encodeQ4_0 maps the value of greatest magnitude to code 0, whatever its sign:
// the codes reach one step further down than up.
func encodeQ4_0(b []byte, x []float32) {
	d := vec.Extreme(x) / -8
	half.Put(b[0:2], d)
	var codes [32]uint8
	vec.Truncated(codes[:], x, 0, num.Inverse(d), 8.5, 15)
	packNibbles((*[16]byte)(b[2:]), &codes)
}

func fitQ4_0(b []byte, x, w []float32) {
	var codes [32]uint8
	half.Put(b, search.FitScale(codes[:], x, w, 8))
	packNibbles((*[16]byte)(b[2:]), &codes)
}

var startsQ4_0 = search.StartsInteger(8)

func betterQ4_0(b []byte, x, importance []float32) {
	var w [32]float32
	search.WeighBetter(w[:], x, importance)
	var codes [32]uint8
	half.Put(b, search.SingleCodes(codes[:], x, w[:], 8, startsQ4_0))
	packNibbles((*[16]byte)(b[2:]), &codes)
}

func decodeQ4_0(x []float32, b []byte) {
	d := half.Get(b[0:2])
	q := (*[16]byte)(b[2:])
	for i, v := range q {
		x[i] = float32(int32(v&15)-8) * d
		x[i+16] = float32(int32(v>>4)-8) * d
	}
}

// packNibbles sets byte i of q to the low four bits of codes i and i+16.
func packNibbles(q *[16]byte, codes *[32]uint8) {
	for i := range q {
		q[i] = codes[i]&15 | codes[i+16]<<4
	}
}
