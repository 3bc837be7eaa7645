package quantize

import "mptgo/gguf"

// IQ4_NL stores 32 values as 4-bit indices q into a table of 8-bit numbers that
// lie closer near zero, with one scale d: x ≈ d·K[q].
//
//	byte  0..1   d, binary16
//	byte  2..17  low nibble of byte 2+i is q[i], high nibble is q[16+i]
var iq4_NL = Format{
	Type:   gguf.IQ4_NL,
	Decode: decoder(gguf.IQ4_NL, decodeIQ4_NL),
	bad:    badHalves(gguf.IQ4_NL, 0),
}

// nonLinear is the table K.
var nonLinear = [16]int8{-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113}

func decodeIQ4_NL(x []float32, b []byte) {
	lookupNibbles(x, half(b[0:]), b[2:], &nonLinear)
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
