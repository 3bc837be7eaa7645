package quantize

import (
	"encoding/binary"
	"mptgo/internal/half"

	"mptgo/gguf"
	"mptgo/internal/codebook"
)

// IQ1_M stores 256 values as points of the grid of IQ1_S, with a shift δ of ±⅛
// for each 8, a 3-bit scale s for each 16 and one scale d for all:
// x ≈ (d·(2s+1))·(point+δ).
//
//	byte   0..31  the low 8 bits of the indices into the grid
//	byte  32..47  for each 8 values 4 bits: the high 3 bits of the index and the
//	              sign of δ
//	byte  48..55  four 16-bit words: four of s each, then 4 bits of d, binary16,
//	              the lowest ones first
var iq1_M = Format{
	Type:   gguf.IQ1_M,
	Decode: decoder(gguf.IQ1_M, decodeIQ1_M),
	bad:    badIQ1_M,
}

func decodeIQ1_M(x []float32, b []byte) {
	d, grid := half.F16ToF32(iq1Scale(b)), codebook.IQ1()
	for t := range 32 {
		high := int(b[32+t/2]>>(t%2*4)) & 15
		u := t / 2
		s := binary.LittleEndian.Uint16(b[48+u/4*2:]) >> (u % 4 * 3) & 7
		index := int(b[t]) | high&7<<8
		scaleShifted(x[8*t:8*t+8], d*float32(2*s+1), grid[8*index:], high&8 != 0)
	}
}

// iq1Scale puts the binary16 scale of an IQ1_M block together.
func iq1Scale(b []byte) (d uint16) {
	for i := range 4 {
		d |= binary.LittleEndian.Uint16(b[48+2*i:]) >> 12 << (4 * i)
	}
	return d
}

// badIQ1_M is Format.bad.
func badIQ1_M(src []byte) int {
	const size = 56
	for b := 0; b < len(src); b += size {
		if iq1Scale(src[b:b+size])&0x7c00 == 0x7c00 {
			return b / size
		}
	}
	return -1
}
