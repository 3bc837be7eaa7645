package quantize

import (
	"mptgo/gguf"
	"mptgo/internal/codebook"
	"mptgo/internal/half"
	"mptgo/quantize/internal/num"
	"mptgo/quantize/internal/search"
)

// IQ4_NL stores 32 values as 4-bit indices q into a table of 8-bit numbers that
// lie closer near zero, with one scale d: x ≈ d·K[q].
//
//	byte  0..1   d, binary16
//	byte  2..17  low nibble of byte 2+i is q[i], high nibble is q[16+i]
var iq4_NL = Format{
	Type:   gguf.IQ4_NL,
	Encode: blockEncoder(gguf.IQ4_NL, encodeIQ4_NL),
	Decode: decoder(gguf.IQ4_NL, decodeIQ4_NL),
	better: blockEncoder(gguf.IQ4_NL, betterIQ4_NL),
	grid:   gridIQ4_NL,
	bad:    badHalves(gguf.IQ4_NL, 0),
}

func betterIQ4_NL(b []byte, x, importance []float32) {
	var w [32]float32
	search.WeighBetter(w[:], x, importance)
	d := search.FitSingle(x, w[:], 0, search.StartsTable)
	half.Put(b, d)
	var codes [32]uint8
	search.NearestNonLinear(codes[:], x, num.Inverse(d))
	packNibbles((*[16]byte)(b[2:]), &codes)
}

func decodeIQ4_NL(x []float32, b []byte) {
	lookupNibbles(x, half.Get(b[0:]), b[2:], &codebook.NonLinear)
}

// lookupNibbles sets the first half of x to the numbers in table that the low
// nibbles of q stand for, times d, and the second half to those of the high ones.
func lookupNibbles(x []float32, d float32, q []byte, table *[16]int8) {
	n := len(x) / 2
	for i, v := range q[:n] {
		x[i] = d * float32(table[v&15])
		x[i+n] = d * float32(table[v>>4])
	}
}

// encodeIQ4_NL fits one scale; w is for the importance of the values, or nil.
func encodeIQ4_NL(b []byte, x, importance []float32) {
	var w [32]float32
	weighIQ4(w[:], x, importance)
	d := search.FitNonLinear(x, w[:])
	half.Put(b, d)
	var codes [32]uint8
	search.NearestNonLinear(codes[:], x, num.Inverse(d))
	packNibbles((*[16]byte)(b[2:]), &codes)
}

// weighIQ4 sets the weights of all values of a block.
func weighIQ4(w, x, importance []float32) {
	if importance == nil {
		square(w, x)
		return
	}
	// The product, not the quotient, as in the reference; 2/len(x) is exact.
	search.Weigh(w, x, importance, num.SumSquares(x)*(2/float32(len(x))))
}
