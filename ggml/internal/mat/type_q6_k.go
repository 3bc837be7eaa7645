package mat

import (
	"mptgo/ggml/internal/scalar"
)

// blockQ6_K is 256 6-bit codes with a scale for all and one for each 16:
// d*s[i/16]*(q-32).
//
//	byte    0..127  low nibbles: 64 bytes for each 128 codes
//	byte  128..191  bits 4 and 5: 32 bytes for each 128 codes
//	byte  192..207  s, int8
//	byte  208..209  d, binary16
//
// The 128 codes of a half are four runs of 32. The low nibbles of its 64 bytes
// are runs 0 and 1, the high nibbles runs 2 and 3; bits 2j and 2j+1 of its
// other 32 bytes belong to run j.
var blockQ6_K = blockType{unpack: func(u *unpacked, row []byte, b int) {
	block := row[b/8*210 : b/8*210+210]
	half, run := b%8/4, b%4
	low := block[half*64+run%2*32:][:32]
	high := block[128+half*32:][:32]
	for i := range u.q {
		nibble := low[i] >> (run / 2 * 4) & 15
		bits := high[i] >> (run * 2) & 3
		u.q[i] = int16(nibble|bits<<4) - 32
	}
	scales := block[192+b%8*2:]
	u.s = [2]int32{int32(int8(scales[0])), int32(int8(scales[1]))}
	u.d = scalar.FromHalf(block[208:])
}}
