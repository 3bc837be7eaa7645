package quantize

import (
	"mptgo/gguf"
	"mptgo/internal/codebook"
	"mptgo/internal/half"
	"mptgo/quantize/internal/search"
)

// IQ2_S stores 256 values as points of a grid of 1024 with eight coordinates,
// with signs, a 4-bit scale s for each 16 and one scale d for all:
// x ≈ (d·(s+½)/4)·(±point).
//
//	byte   0..1   d, binary16
//	byte   2..33  the low 8 bits of the indices into the grid
//	byte  34..65  the signs of 8 values each
//	byte  66..73  bits 2k, 2k+1 of byte 66+j are the high 2 bits of index 4j+k
//	byte  74..81  s[2j], s[2j+1] in the nibbles of byte 74+j
var iq2_S = Format{
	Type:   gguf.IQ2_S,
	Encode: blockEncoder(gguf.IQ2_S, encodeIQ2_S),
	Decode: decoder(gguf.IQ2_S, decodeIQ2_S),
	bad:    badHalves(gguf.IQ2_S, 0),
}

func decodeIQ2_S(x []float32, b []byte) {
	d, grid := half.Get(b[0:]), codebook.IQ2_S()
	for t := range 32 {
		high := b[66+t/4] >> (t % 4 * 2) & 3
		index := int(b[2+t]) | int(high)<<8
		scaleSigned(x[8*t:8*t+8], iq2Scale(d, b[74:], t), grid[8*index:], b[34+t])
	}
}

var searchIQ2_S = search.GridSearch{Book: search.BookIQ2_S, Group: 16, Steps: 9, Step: 0.1, Zero: 1e-8, Fudge: 0.9875}

func encodeIQ2_S(b []byte, x, importance []float32) {
	var w [256]float32
	search.WeighGrid(w[:], x, importance, 0.25)
	groups, d, s := searchIQ2_S.FitBlock(x, w[:])
	clear(b)
	if d == 0 {
		return
	}
	half.Put(b, d)
	for j, g := range groups {
		b[74+j/2] |= s[j] << (j % 2 * 4)
		for k, index := range g.Index[:2] {
			t := 2*j + k
			b[2+t] = byte(index)
			b[66+t/4] |= byte(index>>8) << (t % 4 * 2)
			b[34+t] = g.Signs[k]
		}
	}
}
