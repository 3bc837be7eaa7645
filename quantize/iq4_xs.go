package quantize

import (
	"encoding/binary"

	"mptgo/gguf"
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
	Decode: decoder(gguf.IQ4_XS, decodeIQ4_XS),
	bad:    badHalves(gguf.IQ4_XS, 0),
}

func decodeIQ4_XS(x []float32, b []byte) {
	d := half(b[0:])
	high := binary.LittleEndian.Uint16(b[2:])
	for j := range 8 {
		low := b[4+j/2] >> (j % 2 * 4) & 15
		s := int32(low) | int32(high>>(2*j)&3)<<4
		lookupNibbles(x[32*j:32*j+32], d*float32(s-32), b[8+16*j:], &nonLinear)
	}
}
