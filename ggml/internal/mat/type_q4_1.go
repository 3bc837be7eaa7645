package mat

import (
	"mptgo/ggml/internal/scalar"
)

// blockQ4_1 is 32 4-bit codes with a scale and a minimum: d*q + m.
//
//	byte  0..1   d, binary16
//	byte  2..3   m, binary16
//	byte  4..19  low nibble of byte 4+i is q[i], high nibble is q[16+i]
var blockQ4_1 = blockType{min: true, unpack: func(u *unpacked, row []byte, b int) {
	block := row[b*20 : b*20+20]
	u.simple(scalar.FromHalf(block), scalar.FromHalf(block[2:]))
	u.nibbles(block[4:], 0)
}}
