package quantize

import (
	"encoding/binary"
	"mptgo/internal/half"

	"mptgo/gguf"
	"mptgo/internal/codebook"
)

// IQ2_XXS stores 256 values as points of a grid of 256 with eight coordinates,
// with signs, a 4-bit scale s for each 32 and one scale d for all:
// x ≈ (d·(s+½)/4)·(±point).
//
//	byte  0..1   d, binary16
//	byte  2..65  for each 32 values, four indices into the grid of 8 bits and
//	             a 32-bit word: four of [codebook.EvenSigns] of 7 bits, then s
var iq2_XXS = Format{
	Type:   gguf.IQ2_XXS,
	Decode: decoder(gguf.IQ2_XXS, decodeIQ2_XXS),
	bad:    badHalves(gguf.IQ2_XXS, 0),
}

func decodeIQ2_XXS(x []float32, b []byte) {
	d, grid := half.Get(b[0:]), codebook.IQ2_XXS()
	for j := range 8 {
		group := b[2+8*j : 10+8*j]
		word := binary.LittleEndian.Uint32(group[4:])
		scale := d * (0.5 + float32(word>>28)) * 0.25
		for l, index := range group[:4] {
			at := x[32*j+8*l:]
			scaleSigned(at[:8], scale, grid[8*int(index):], codebook.EvenSigns(word>>(7*l)))
		}
	}
}
