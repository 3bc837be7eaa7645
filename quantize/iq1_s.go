package quantize

import (
	"encoding/binary"
	"mptgo/internal/half"

	"mptgo/gguf"
	"mptgo/internal/codebook"
)

// IQ1_S stores 256 values as points of a grid of 2048 with eight coordinates
// -1, 0 or 1, with a shift δ of ±⅛ and a 3-bit scale s for each 32 and one scale
// d for all: x ≈ (d·(2s+1))·(point+δ).
//
//	byte   0..1   d, binary16
//	byte   2..33  the low 8 bits of the indices into the grid
//	byte  34..49  for each 32 values 16 bits: the high 3 bits of four indices,
//	              s, and the sign of δ
var iq1_S = Format{
	Type:   gguf.IQ1_S,
	Decode: decoder(gguf.IQ1_S, decodeIQ1_S),
	bad:    badHalves(gguf.IQ1_S, 0),
}

func decodeIQ1_S(x []float32, b []byte) {
	d, grid := half.Get(b[0:]), codebook.IQ1()
	for t := range 32 {
		word := int(binary.LittleEndian.Uint16(b[34+t/4*2:]))
		scale := d * float32(2*(word>>12&7)+1)
		index := int(b[2+t]) | word>>(t%4*3)&7<<8
		scaleShifted(x[8*t:8*t+8], scale, grid[8*index:], word>>15 != 0)
	}
}

// scaleShifted sets x to the coordinates of a point, shifted by an eighth down
// or up, times d.
func scaleShifted(x []float32, d float32, point []int8, down bool) {
	delta := float32(0.125)
	if down {
		delta = -0.125
	}
	for i, g := range point[:len(x)] {
		x[i] = d * (float32(g) + delta)
	}
}
