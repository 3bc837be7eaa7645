package mat

import (
	"mptgo/ggml/internal/scalar"
)

// blockQ8_0 is 32 signed bytes with a scale: d*q.
//
//	byte  0..1   d, binary16
//	byte  2..33  q
var blockQ8_0 = blockType{unpack: func(u *unpacked, row []byte, b int) {
	block := row[b*34 : b*34+34]
	u.simple(scalar.FromHalf(block), 0)
	for i, v := range block[2:34] {
		u.q[i] = int16(int8(v))
	}
}}
