package quantize

import (
	"encoding/binary"
	"mptgo/internal/half"

	"mptgo/gguf"
	"mptgo/internal/codebook"
)

// IQ2_XS stores 256 values as points of a grid of 512 with eight coordinates,
// with signs, a 4-bit scale s for each 16 and one scale d for all:
// x ≈ (d·(s+½)/4)·(±point).
//
//	byte   0..1   d, binary16
//	byte   2..65  for each 8 values 16 bits: an index into the grid of 9 bits,
//	              then [codebook.EvenSigns]
//	byte  66..73  s[2j], s[2j+1] in the nibbles of byte 66+j
var iq2_XS = Format{
	Type:   gguf.IQ2_XS,
	Decode: decoder(gguf.IQ2_XS, decodeIQ2_XS),
	bad:    badHalves(gguf.IQ2_XS, 0),
}

func decodeIQ2_XS(x []float32, b []byte) {
	d, grid := half.Get(b[0:]), codebook.IQ2_XS()
	for t := range 32 {
		word := uint32(binary.LittleEndian.Uint16(b[2+2*t:]))
		scale := iq2Scale(d, b[66:], t)
		scaleSigned(x[8*t:8*t+8], scale, grid[8*(word&511):], codebook.EvenSigns(word>>9))
	}
}

// iq2Scale returns the scale of values 8t..8t+7 of an IQ2_XS or IQ2_S block.
func iq2Scale(d float32, scales []byte, t int) float32 {
	s := scales[t/4] >> (t / 2 % 2 * 4) & 15
	return d * (0.5 + float32(s)) * 0.25
}
