package mat

import (
	"encoding/binary"

	"mptgo/ggml/internal/scalar"
	"mptgo/internal/codebook"
)

// blockIQ4_NL is 32 4-bit codes that stand for the numbers K of a table, with a
// scale: d*K[q]. It lies like Q4_0.
var blockIQ4_NL = blockType{unpack: func(u *unpacked, row []byte, b int) {
	block := row[b*18 : b*18+18]
	u.simple(scalar.FromHalf(block), 0)
	u.table(block[2:], &codebook.NonLinear)
}}

// blockIQ4_XS is 256 codes of IQ4_NL with a scale for all and a 6-bit one for
// each 32: (d*(s-32))*K[q].
//
//	byte  0..1    d, binary16
//	byte  2..3    bits 2j, 2j+1 of this 16-bit word are the high 2 bits of s[j]
//	byte  4..7    the low 4 bits of s[2j], s[2j+1] in the nibbles of byte 4+j
//	byte  8..135  q: each 16 bytes hold 32 codes, the first 16 in the low nibbles
var blockIQ4_XS = blockType{unpack: func(u *unpacked, row []byte, b int) {
	block := row[b/8*136 : b/8*136+136]
	j := b % 8
	low := block[4+j/2] >> (j % 2 * 4) & 15
	high := binary.LittleEndian.Uint16(block[2:]) >> (2 * j) & 3
	u.simple(scalar.FromHalf(block)*float32(int32(low)|int32(high)<<4-32), 0)
	u.table(block[8+16*j:], &codebook.NonLinear)
}}

// blockMXFP4 is 32 4-bit floats with a power of two: E[q]*2^(e-128).
//
//	byte  0      e
//	byte  1..16  low nibble of byte 1+i is q[i], high nibble is q[16+i]
var blockMXFP4 = blockType{unpack: func(u *unpacked, row []byte, b int) {
	block := row[b*17 : b*17+17]
	u.simple(codebook.HalfPower(block[0]), 0)
	u.table(block[1:], &codebook.Float4)
}}

// table sets q to what the nibbles of 16 bytes stand for.
func (u *unpacked) table(b []byte, t *[16]int8) {
	for i, v := range b[:16] {
		u.q[i], u.q[16+i] = int16(t[v&15]), int16(t[v>>4])
	}
}
