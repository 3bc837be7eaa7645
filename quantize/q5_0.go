package quantize

import (
	"encoding/binary"
	"mptgo/internal/half"
	"mptgo/quantize/internal/num"
	"mptgo/quantize/internal/search"
	"mptgo/quantize/internal/vec"

	"mptgo/gguf"
)

// Q5_0 stores 32 values as 5-bit integers q with one scale d: x ≈ (q-16)·d.
//
//	byte  0..1   d, binary16
//	byte  2..5   bit i of this 32-bit word is bit 4 of q[i]
//	byte  6..21  low nibble of byte 6+i is q[i], high nibble is q[16+i]
var q5_0 = Format{
	Type:   gguf.Q5_0,
	Encode: encoder(gguf.Q5_0, encodeQ5_0, fitQ5_0),
	Decode: decoder(gguf.Q5_0, decodeQ5_0),
	better: blockEncoder(gguf.Q5_0, betterQ5_0),
	grid:   gridQ5_0,
	bad:    badHalves(gguf.Q5_0, 0),
}

func encodeQ5_0(b []byte, x []float32) {
	d := vec.Extreme(x) / -16
	half.Put(b[0:2], d)
	var codes [32]uint8
	vec.Truncated(codes[:], x, 0, num.Inverse(d), 16.5, 31)
	packFive((*[20]byte)(b[2:]), &codes)
}

func fitQ5_0(b []byte, x, w []float32) {
	var codes [32]uint8
	half.Put(b, search.FitScale(codes[:], x, w, 16))
	packFive((*[20]byte)(b[2:]), &codes)
}

var startsQ5_0 = search.StartsInteger(16)

func betterQ5_0(b []byte, x, importance []float32) {
	var w [32]float32
	search.WeighBetter(w[:], x, importance)
	var codes [32]uint8
	half.Put(b, search.SingleCodes(codes[:], x, w[:], 16, startsQ5_0))
	packFive((*[20]byte)(b[2:]), &codes)
}

func decodeQ5_0(x []float32, b []byte) {
	d := half.Get(b[0:2])
	var codes [32]uint8
	unpackFive(&codes, (*[20]byte)(b[2:]))
	for i, q := range codes {
		x[i] = float32(int32(q)-16) * d
	}
}

// packFive stores 5-bit codes: the word of their upper bits, then the nibbles.
func packFive(b *[20]byte, codes *[32]uint8) {
	var high uint32
	for i, q := range codes {
		high |= uint32(q>>4&1) << i
	}
	binary.LittleEndian.PutUint32(b[0:4], high)
	packNibbles((*[16]byte)(b[4:]), codes)
}

// unpackFive is the inverse of packFive.
func unpackFive(codes *[32]uint8, b *[20]byte) {
	high := binary.LittleEndian.Uint32(b[0:4])
	q := (*[16]byte)(b[4:])
	for i, v := range q {
		codes[i] = v&15 | uint8(high>>i&1)<<4
		codes[i+16] = v>>4 | uint8(high>>(i+16)&1)<<4
	}
}
