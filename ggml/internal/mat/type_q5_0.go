package mat

import (
	"encoding/binary"

	"mptgo/ggml/internal/scalar"
)

// blockQ5_0 is 32 5-bit codes with a scale: d*(q-16).
//
//	byte  0..1   d, binary16
//	byte  2..5   bit i is bit 4 of q[i]
//	byte  6..21  low nibble of byte 6+i is q[i], high nibble is q[16+i]
var blockQ5_0 = blockType{unpack: func(u *unpacked, row []byte, b int) {
	block := row[b*22 : b*22+22]
	u.simple(scalar.FromHalf(block), 0)
	u.nibbles(block[6:], 16)
	u.fifths(block[2:])
}}

// fifths adds the bits of a 32-bit word to the codes as their bit 4.
func (u *unpacked) fifths(b []byte) {
	high := binary.LittleEndian.Uint32(b)
	for i := range u.q {
		u.q[i] += int16(high >> i & 1 << 4)
	}
}
