package mat

import (
	"mptgo/ggml/internal/scalar"
)

// blockQ4_0 is 32 4-bit codes with a scale: d*(q-8).
//
//	byte  0..1   d, binary16
//	byte  2..17  low nibble of byte 2+i is q[i], high nibble is q[16+i]
var blockQ4_0 = blockType{unpack: func(u *unpacked, row []byte, b int) {
	block := row[b*18 : b*18+18]
	u.simple(scalar.FromHalf(block), 0)
	u.nibbles(block[2:], 8)
}}

// nibbles sets q to the 4-bit codes in 16 bytes less the given zero point: the
// low nibbles are the first half, the high nibbles the second.
func (u *unpacked) nibbles(b []byte, zero int16) {
	for i, v := range b[:16] {
		u.q[i] = int16(v&15) - zero
		u.q[16+i] = int16(v>>4) - zero
	}
}
