package quantize

import "mptgo/gguf"

// IQ3_S stores 256 values as points of a grid of 512 with four coordinates,
// with signs, a 4-bit scale s for each 32 and one scale d for all:
// x ≈ (d·(2s+1))·(±point).
//
//	byte    0..1    d, binary16
//	byte    2..65   the low 8 bits of the indices into the grid
//	byte   66..73   bit k of byte 66+j is bit 8 of index 8j+k
//	byte   74..105  the signs of 8 values each
//	byte  106..109  s[2j], s[2j+1] in the nibbles of byte 106+j
var iq3_S = Format{
	Type:   gguf.IQ3_S,
	Decode: decoder(gguf.IQ3_S, decodeIQ3_S),
	bad:    badHalves(gguf.IQ3_S, 0),
}

func decodeIQ3_S(x []float32, b []byte) {
	d, grid := half(b[0:]), gridIQ3_S()
	for t := range 64 {
		s := b[106+t/16] >> (t / 8 % 2 * 4) & 15
		index := int(b[2+t]) | int(b[66+t/8]>>(t%8)&1)<<8
		signs := b[74+t/2] >> (t % 2 * 4)
		scaleSigned(x[4*t:4*t+4], d*float32(1+2*int32(s)), grid[4*index:], signs)
	}
}
