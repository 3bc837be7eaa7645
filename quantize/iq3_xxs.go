package quantize

import (
	"encoding/binary"
	"mptgo/internal/half"
	"mptgo/quantize/internal/search"

	"mptgo/gguf"
	"mptgo/internal/codebook"
)

// IQ3_XXS stores 256 values as points of a grid of 256 with four coordinates,
// with signs, a 4-bit scale s for each 32 and one scale d for all:
// x ≈ (d·(s+½)/2)·(±point).
//
//	byte   0..1   d, binary16
//	byte   2..65  indices into the grid
//	byte  66..97  for each 32 values a 32-bit word: four of [codebook.EvenSigns] of 7
//	              bits, then s
var iq3_XXS = Format{
	Type:   gguf.IQ3_XXS,
	Encode: blockEncoder(gguf.IQ3_XXS, encodeIQ3_XXS),
	Decode: decoder(gguf.IQ3_XXS, decodeIQ3_XXS),
	bad:    badHalves(gguf.IQ3_XXS, 0),
}

func decodeIQ3_XXS(x []float32, b []byte) {
	d, grid := half.Get(b[0:]), codebook.IQ3_XXS()
	for t := range 64 {
		word := binary.LittleEndian.Uint32(b[66+t/8*4:])
		scale := d * (0.5 + float32(word>>28)) * 0.5
		signs := codebook.EvenSigns(word>>(t/2%4*7)) >> (t % 2 * 4)
		scaleSigned(x[4*t:4*t+4], scale, grid[4*int(b[2+t]):], signs)
	}
}

var searchIQ3_XXS = search.GridSearch{Book: search.BookIQ3_XXS, Group: 32, Steps: 15, Step: 0.2, Zero: 1e-8, Even: true,
	Fudge: 1.0125}

func encodeIQ3_XXS(b []byte, x, importance []float32) {
	var w [256]float32
	search.WeighGrid(w[:], x, importance, 0)
	groups, d, s := searchIQ3_XXS.FitBlock(x, w[:])
	clear(b)
	if d == 0 {
		return
	}
	half.Put(b, d)
	for j, g := range groups[:8] {
		word := uint32(s[j]) << 28
		for k, index := range g.Index {
			b[2+8*j+k] = byte(index)
			word |= uint32(g.Signs[k/2]&127) << (k / 2 * 7)
		}
		binary.LittleEndian.PutUint32(b[66+4*j:], word)
	}
}
