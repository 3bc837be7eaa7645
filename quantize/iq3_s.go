package quantize

import (
	"mptgo/gguf"
	"mptgo/internal/codebook"
	"mptgo/internal/half"
	"mptgo/quantize/internal/search"
)

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
	Encode: blockEncoder(gguf.IQ3_S, encodeIQ3_S),
	Decode: decoder(gguf.IQ3_S, decodeIQ3_S),
	better: blockEncoder(gguf.IQ3_S, betterIQ3_S),
	agree:  noGroupOfZeros,
	bad:    badHalves(gguf.IQ3_S, 0),
}

// betterIQ3_S is the reference's search without its mistake.
func betterIQ3_S(b []byte, x, importance []float32) { writeIQ3_S(b, x, importance, false) }

// noGroupOfZeros reports whether a block has nothing to make that mistake with.
func noGroupOfZeros(x []float32) bool {
	for i := 0; i < len(x); i += 32 {
		if absMax(x[i:i+32]) == 0 {
			return false
		}
	}
	return true
}

func decodeIQ3_S(x []float32, b []byte) {
	d, grid := half.Get(b[0:]), codebook.IQ3_S()
	for t := range 64 {
		s := b[106+t/16] >> (t / 8 % 2 * 4) & 15
		index := int(b[2+t]) | int(b[66+t/8]>>(t%8)&1)<<8
		signs := b[74+t/2] >> (t % 2 * 4)
		scaleSigned(x[4*t:4*t+4], d*float32(1+2*int32(s)), grid[4*index:], signs)
	}
}

var searchIQ3_S = search.GridSearch{Book: search.BookIQ3_S, Group: 32, Steps: 9, Step: 0.2, Again: true, Fudge: 1.033}

// encodeIQ3_S has a mistake of the reference: a group of zeros writes no
// indices and signs and leaves no place for them, so that the groups after it
// in the block come back wrong.
func encodeIQ3_S(b []byte, x, importance []float32) { writeIQ3_S(b, x, importance, true) }

// writeIQ3_S encodes a block, with or without the mistake.
func writeIQ3_S(b []byte, x, importance []float32, mistake bool) {
	var w [256]float32
	search.WeighGrid(w[:], x, importance, 0)
	groups, d, s := searchIQ3_S.FitBlock(x, w[:])
	clear(b)
	if d == 0 {
		return
	}
	half.Put(b, d)
	place := 0
	for j, g := range groups[:8] {
		b[106+j/2] |= s[j] << (j % 2 * 4)
		if g.Empty && mistake {
			continue
		}
		for k, index := range g.Index {
			b[2+8*place+k] = byte(index)
			b[66+j] |= byte(index>>8) << k
		}
		copy(b[74+4*place:], g.Signs[:])
		place++
	}
}
