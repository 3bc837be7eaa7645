package mat

import (
	"mptgo/ggml/internal/scalar"
)

// blockQ3_K is 256 3-bit codes with a scale for all and a 6-bit one for each 16:
// d*(s[i/16]-32)*(q-4).
//
//	byte    0..31   bit j of byte l is bit 2 of q[32j+l]
//	byte   32..95   bits 0, 1 of q, see twoBits
//	byte   96..107  s: the low nibbles of bytes 0..7 are the low 4 bits of
//	                s[0..7], the high nibbles those of s[8..15]; bits 2k, 2k+1
//	                of byte 8+j are the high 2 bits of s[4k+j]
//	byte  108..109  d, binary16
var blockQ3_K = blockType{unpack: func(u *unpacked, row []byte, b int) {
	block := row[b/8*110 : b/8*110+110]
	j := b % 8
	u.twoBits(block[32:96], j)
	for l, v := range block[:32] {
		u.q[l] += int16(v>>j&1<<2) - 4
	}
	u.simple(scalar.FromHalf(block[108:]), 0)
	scales := block[96:108]
	for i := range u.s {
		k := 2*j + i
		low, high := scales[k%8]>>(k/8*4)&15, scales[8+k%4]>>(k/4*2)&3
		u.s[i] = int32(low|high<<4) - 32
	}
}}

// blockQ2_K is 256 2-bit codes with a scale and a minimum for all, and a 4-bit
// scale and minimum for each 16: d*s[i/16]*q - dmin*m[i/16].
//
//	byte   0..15  low nibble is s, high nibble is m
//	byte  16..79  q, see twoBits
//	byte  80..81  d, binary16
//	byte  82..83  dmin, binary16
var blockQ2_K = blockType{min: true, unpack: func(u *unpacked, row []byte, b int) {
	block := row[b/8*84 : b/8*84+84]
	u.twoBits(block[16:80], b%8)
	u.d, u.m = scalar.FromHalf(block[80:]), -scalar.FromHalf(block[82:])
	for i, v := range block[b%8*2:][:2] {
		u.s[i], u.z[i] = int32(v&15), int32(v>>4)
	}
}}

// twoBits sets q to run j of eight runs of 32 codes: each 32 bytes hold four,
// the first in the lowest bits.
func (u *unpacked) twoBits(b []byte, j int) {
	for l, v := range b[j/4*32:][:32] {
		u.q[l] = int16(v >> (j % 4 * 2) & 3)
	}
}
