package mat

import (
	"mptgo/ggml/internal/scalar"
)

// blockTQ2_0 is 256 2-bit codes with a scale: d*(q-1).
//
//	byte   0..63  q, as in Q2_K
//	byte  64..65  d, binary16
var blockTQ2_0 = blockType{unpack: func(u *unpacked, row []byte, b int) {
	block := row[b/8*66 : b/8*66+66]
	u.simple(scalar.FromHalf(block[64:]), 0)
	u.twoBits(block[:64], b%8)
	for i := range u.q {
		u.q[i]--
	}
}}

// blockTQ1_0 is 256 ternary digits with a scale: d*(q-1).
//
//	byte   0..31  five digits each: digit n of byte l is q[32n+l]
//	byte  32..47  five digits each: digit n of byte 32+l is q[160+16n+l]
//	byte  48..51  four digits each: digit n of byte 48+l is q[240+4n+l]
//	byte  52..53  d, binary16
//
// A byte is a fraction of 256, rounded up: multiplied by 3, the digits come out on
// top, the first one first.
var blockTQ1_0 = blockType{unpack: func(u *unpacked, row []byte, b int) {
	block := row[b/8*54 : b/8*54+54]
	u.simple(scalar.FromHalf(block[52:]), 0)
	for i := range u.q {
		k := b%8*32 + i
		var v byte
		var n int
		switch {
		case k < 160:
			v, n = block[k%32], k/32
		case k < 240:
			v, n = block[32+k%16], (k-160)/16
		default:
			v, n = block[48+k%4], (k-240)/4
		}
		u.q[i] = int16(uint16(v*powers3[n])*3>>8) - 1
	}
}}

var powers3 = [5]byte{1, 3, 9, 27, 81}
