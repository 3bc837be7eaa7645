package quantize

import (
	"encoding/binary"
	"mptgo/internal/half"
	"mptgo/quantize/internal/num"
	"mptgo/quantize/internal/search"

	"mptgo/gguf"
	"mptgo/internal/codebook"
)

// IQ4_XS stores 256 values as 4-bit indices q into the table K of IQ4_NL, with a
// 6-bit scale s for each 32 and one scale d for all: x ≈ (d·(s-32))·K[q].
//
//	byte  0..1    d, binary16
//	byte  2..3    bits 2j, 2j+1 of this 16-bit word are the high 2 bits of s[j]
//	byte  4..7    the low 4 bits of s[2j], s[2j+1] in the nibbles of byte 4+j
//	byte  8..135  q: each 16 bytes hold 32 codes, the first 16 in the low nibbles
var iq4_XS = Format{
	Type:   gguf.IQ4_XS,
	Encode: blockEncoder(gguf.IQ4_XS, encodeIQ4_XS),
	Decode: decoder(gguf.IQ4_XS, decodeIQ4_XS),
	better: blockEncoder(gguf.IQ4_XS, betterIQ4_XS),
	grid:   gridIQ4_XS,
	bad:    badHalves(gguf.IQ4_XS, 0),
}

func betterIQ4_XS(b []byte, x, importance []float32) {
	var w [256]float32
	search.WeighBetter(w[:], x, importance)
	var k search.ScaleBlock
	k.Fit(x, w[:], 8, 0, -32, 31, search.StartsTable)
	half.Put(b, k.D)
	var ints [8]uint8
	for j := range ints {
		ints[j] = uint8(k.S[j] + 32)
		var codes [32]uint8
		search.NearestNonLinear(codes[:], x[32*j:32*j+32], num.Inverse(k.D*float32(k.S[j])))
		packNibbles((*[16]byte)(b[8+16*j:]), &codes)
	}
	packScalesIQ4_XS(b[2:8], &ints)
}

func decodeIQ4_XS(x []float32, b []byte) {
	d := half.Get(b[0:])
	high := binary.LittleEndian.Uint16(b[2:])
	for j := range 8 {
		low := b[4+j/2] >> (j % 2 * 4) & 15
		s := int32(low) | int32(high>>(2*j)&3)<<4
		lookupNibbles(x[32*j:32*j+32], d*float32(s-32), b[8+16*j:], &codebook.NonLinear)
	}
}

func encodeIQ4_XS(b []byte, x, importance []float32) {
	var w [256]float32
	weighIQ4(w[:], x, importance)
	var scales [8]float32
	for j := range scales {
		scales[j] = search.FitNonLinear(x[32*j:32*j+32], w[32*j:32*j+32])
	}
	d := -num.Extreme(scales[:]) / 32
	half.Put(b, d)
	id := num.Inverse(d)
	var s [8]uint8
	for j, scale := range scales {
		n := num.Clamp(num.Nearest(float32(id*scale)), -32, 31)
		s[j] = uint8(n + 32)
		var codes [32]uint8
		search.NearestNonLinear(codes[:], x[32*j:32*j+32], num.Inverse(d*float32(n)))
		packNibbles((*[16]byte)(b[8+16*j:]), &codes)
	}
	packScalesIQ4_XS(b[2:8], &s)
}

// packScalesIQ4_XS stores the scales of the groups.
func packScalesIQ4_XS(b []byte, s *[8]uint8) {
	var high uint16
	for j, v := range s {
		high |= uint16(v>>4) << (2 * j)
	}
	binary.LittleEndian.PutUint16(b, high)
	for j := range 4 {
		b[2+j] = s[2*j]&15 | s[2*j+1]<<4
	}
}
