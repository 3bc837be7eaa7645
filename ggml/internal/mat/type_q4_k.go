package mat

import (
	"mptgo/ggml/internal/scalar"
)

// blockQ4_K is 256 4-bit codes with a scale and a minimum for all, and a 6-bit
// scale and minimum for each 32: (d*s)*q - dmin*m.
//
//	byte   0..1    d, binary16
//	byte   2..3    dmin, binary16
//	byte   4..15   s and m, see sixBits
//	byte  16..143  q: each 32 bytes hold 64 codes, the first 32 in the low nibbles
var blockQ4_K = blockType{min: true, unpack: func(u *unpacked, row []byte, b int) {
	block := row[b/8*144 : b/8*144+144]
	u.scaleMin(block, b%8)
	u.plane(block[16:], b%8)
}}

// blockQ5_K is 256 5-bit codes with the scales and minima of Q4_K.
//
//	byte   0..15   as in Q4_K
//	byte  16..47   bit j of byte l is bit 4 of q[32j+l]
//	byte  48..175  bits 0..3 of q, as in Q4_K
var blockQ5_K = blockType{min: true, unpack: func(u *unpacked, row []byte, b int) {
	block := row[b/8*176 : b/8*176+176]
	u.scaleMin(block, b%8)
	u.plane(block[48:], b%8)
	for l, v := range block[16:48] {
		u.q[l] |= int16(v >> (b % 8) & 1 << 4)
	}
}}

// scaleMin sets u to the scale and the minimum of run j of 32 codes in a block
// of Q4_K or Q5_K.
func (u *unpacked) scaleMin(block []byte, j int) {
	s, m := sixBits((*[12]byte)(block[4:]), j)
	u.simple(scalar.FromHalf(block)*float32(s), -scalar.FromHalf(block[2:])*float32(m))
}

// sixBits returns the j-th scale and minimum of 6 bits of eight. The first four
// of each are the low bits of bytes 0-3 and 4-7; of the others bytes 8-11 hold
// the low 4 bits in their nibbles, the upper bits of bytes 0-7 the rest.
func sixBits(b *[12]byte, j int) (s, m byte) {
	if j < 4 {
		return b[j] & 63, b[j+4] & 63
	}
	return b[j+4]&15 | b[j-4]>>6<<4, b[j+4]>>4 | b[j]>>6<<4
}

// plane sets q to run j of eight runs of 32 nibbles.
func (u *unpacked) plane(b []byte, j int) {
	for l, v := range b[j/2*32:][:32] {
		u.q[l] = int16(v >> (j % 2 * 4) & 15)
	}
}
