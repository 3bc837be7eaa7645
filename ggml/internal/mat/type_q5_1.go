package mat

import (
	"mptgo/ggml/internal/scalar"
)

// blockQ5_1 is 32 5-bit codes with a scale and a minimum: d*q + m.
//
//	byte  0..1   d, binary16
//	byte  2..3   m, binary16
//	byte  4..7   bit i is bit 4 of q[i]
//	byte  8..23  low nibble of byte 8+i is q[i], high nibble is q[16+i]
var blockQ5_1 = blockType{min: true, unpack: func(u *unpacked, row []byte, b int) {
	block := row[b*24 : b*24+24]
	u.simple(scalar.FromHalf(block), scalar.FromHalf(block[2:]))
	u.nibbles(block[8:], 0)
	u.fifths(block[4:])
}}
