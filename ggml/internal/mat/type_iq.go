package mat

import (
	"encoding/binary"

	"mptgo/ggml/internal/scalar"
	"mptgo/internal/codebook"
)

// Types whose codes are indices of points with four or eight coordinates, which
// are the weights but for signs and scales.

// blockIQ2_XXS is 256 values with a scale for all and a 4-bit one for each 32:
// (d/8)*(2s+1)*(±point).
//
//	byte  0..1   d, binary16
//	byte  2..65  for each 32 values, four indices of 8 bits and a 32-bit word:
//	             four of the codebook's signs of 7 bits, then s
var blockIQ2_XXS = blockType{unpack: func(u *unpacked, row []byte, b int) {
	block := row[b/8*66 : b/8*66+66]
	group := block[2+b%8*8:][:8]
	word := binary.LittleEndian.Uint32(group[4:])
	u.simple(scalar.FromHalf(block)/8*float32(2*(word>>28)+1), 0)
	grid := codebook.IQ2_XXS()
	for l, index := range group[:4] {
		u.point(8*l, grid[8*int(index):][:8], codebook.EvenSigns(word>>(7*l)))
	}
}}

// blockIQ2_XS is 256 values with a scale for all and a 4-bit one for each 16:
// (d/8)*(2s+1)*(±point).
//
//	byte   0..1   d, binary16
//	byte   2..65  for each 8 values 16 bits: an index of 9 bits, then signs
//	byte  66..73  s[2j], s[2j+1] in the nibbles of byte 66+j
var blockIQ2_XS = blockType{unpack: func(u *unpacked, row []byte, b int) {
	block := row[b/8*74 : b/8*74+74]
	u.oddScales(scalar.FromHalf(block)/8, block[66+b%8])
	grid := codebook.IQ2_XS()
	for l := range 4 {
		word := binary.LittleEndian.Uint16(block[2+b%8*8+2*l:])
		u.point(8*l, grid[8*int(word&511):][:8], codebook.EvenSigns(uint32(word>>9)))
	}
}}

// blockIQ2_S is 256 values with a scale for all and a 4-bit one for each 16:
// (d/8)*(2s+1)*(±point).
//
//	byte   0..1   d, binary16
//	byte   2..33  the low 8 bits of the indices
//	byte  34..65  the signs of 8 values each
//	byte  66..73  bits 2k, 2k+1 of byte 66+j are the high 2 bits of index 4j+k
//	byte  74..81  s[2j], s[2j+1] in the nibbles of byte 74+j
var blockIQ2_S = blockType{unpack: func(u *unpacked, row []byte, b int) {
	block := row[b/8*82 : b/8*82+82]
	j := b % 8
	u.oddScales(scalar.FromHalf(block)/8, block[74+j])
	grid := codebook.IQ2_S()
	for l := range 4 {
		index := int(block[2+4*j+l]) | int(block[66+j]>>(2*l)&3)<<8
		u.point(8*l, grid[8*index:][:8], block[34+4*j+l])
	}
}}

// blockIQ3_XXS is 256 values with a scale for all and a 4-bit one for each 32:
// (d/4)*(2s+1)*(±point).
//
//	byte   0..1   d, binary16
//	byte   2..65  indices
//	byte  66..97  for each 32 values a 32-bit word: as in IQ2_XXS
var blockIQ3_XXS = blockType{unpack: func(u *unpacked, row []byte, b int) {
	block := row[b/8*98 : b/8*98+98]
	j := b % 8
	word := binary.LittleEndian.Uint32(block[66+4*j:])
	u.simple(scalar.FromHalf(block)/4*float32(2*(word>>28)+1), 0)
	grid := codebook.IQ3_XXS()
	for l, index := range block[2+8*j:][:8] {
		signs := codebook.EvenSigns(word>>(l/2*7)) >> (l % 2 * 4)
		u.point(4*l, grid[4*int(index):][:4], signs)
	}
}}

// blockIQ3_S is 256 values with a scale for all and a 4-bit one for each 32:
// d*(2s+1)*(±point).
//
//	byte    0..1    d, binary16
//	byte    2..65   the low 8 bits of the indices
//	byte   66..73   bit k of byte 66+j is bit 8 of index 8j+k
//	byte   74..105  the signs of 8 values each
//	byte  106..109  s[2j], s[2j+1] in the nibbles of byte 106+j
var blockIQ3_S = blockType{unpack: func(u *unpacked, row []byte, b int) {
	block := row[b/8*110 : b/8*110+110]
	j := b % 8
	s := block[106+j/2] >> (j % 2 * 4) & 15
	u.simple(scalar.FromHalf(block)*float32(2*s+1), 0)
	grid := codebook.IQ3_S()
	for l, low := range block[2+8*j:][:8] {
		index := int(low) | int(block[66+j]>>l&1)<<8
		u.point(4*l, grid[4*index:][:4], block[74+4*j+l/2]>>(l%2*4))
	}
}}

// blockIQ1_S is 256 values with a scale for all, and a 3-bit one and a shift δ
// of ±1/8 for each 32: (d/8)*(2s+1)*8(point+δ).
//
//	byte   0..1   d, binary16
//	byte   2..33  the low 8 bits of the indices
//	byte  34..49  for each 32 values 16 bits: the high 3 bits of four indices,
//	              s, and the sign of δ
var blockIQ1_S = blockType{unpack: func(u *unpacked, row []byte, b int) {
	block := row[b/8*50 : b/8*50+50]
	j := b % 8
	word := int(binary.LittleEndian.Uint16(block[34+2*j:]))
	u.simple(scalar.FromHalf(block)/8*float32(2*(word>>12&7)+1), 0)
	grid := codebook.IQ1()
	for l, low := range block[2+4*j:][:4] {
		index := int(low) | word>>(3*l)&7<<8
		u.shifted(8*l, grid[8*index:][:8], word>>15 != 0)
	}
}}

// blockIQ1_M is 256 values with a scale for all, a 3-bit one for each 16 and a
// shift δ of ±1/8 for each 8: (d/8)*(2s+1)*8(point+δ).
//
//	byte   0..31  the low 8 bits of the indices
//	byte  32..47  for each 8 values 4 bits: the high 3 bits of the index and the
//	              sign of δ
//	byte  48..55  four 16-bit words: four of s each, then 4 bits of d, binary16,
//	              the lowest ones first
var blockIQ1_M = blockType{unpack: func(u *unpacked, row []byte, b int) {
	block := row[b/8*56 : b/8*56+56]
	j := b % 8
	u.simple(scaleIQ1_M(block)/8, 0)
	s := binary.LittleEndian.Uint16(block[48+j/2*2:]) >> (j % 2 * 6)
	u.s = [2]int32{int32(2*(s&7) + 1), int32(2*(s>>3&7) + 1)}
	grid := codebook.IQ1()
	for l, low := range block[4*j:][:4] {
		high := int(block[32+2*j+l/2]) >> (l % 2 * 4) & 15
		index := int(low) | high&7<<8
		u.shifted(8*l, grid[8*index:][:8], high&8 != 0)
	}
}}

// scaleIQ1_M puts the scale of a block of IQ1_M together.
func scaleIQ1_M(block []byte) float32 {
	d := block[49]>>4 | block[51]&0xf0
	high := block[53]>>4 | block[55]&0xf0
	return scalar.FromHalf([]byte{d, high})
}

// oddScales sets u to the scales d*(2s+1), where the nibbles of v are s.
func (u *unpacked) oddScales(d float32, v byte) {
	u.simple(d, 0)
	u.s = [2]int32{int32(2*(v&15) + 1), int32(2*(v>>4) + 1)}
}

// point sets the codes from k on to the coordinates of a point, negated where a
// bit of signs is set.
func (u *unpacked) point(k int, point []int8, signs byte) {
	for i, g := range point {
		u.q[k+i] = int16(g)
		if signs>>i&1 != 0 {
			u.q[k+i] = -int16(g)
		}
	}
}

// shifted sets the codes from k on to eight times the coordinates of a point
// that is shifted by an eighth, down or up.
func (u *unpacked) shifted(k int, point []int8, down bool) {
	shift := int16(1)
	if down {
		shift = -1
	}
	for i, g := range point {
		u.q[k+i] = 8*int16(g) + shift
	}
}
