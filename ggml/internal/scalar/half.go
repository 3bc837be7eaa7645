package scalar

import (
	"encoding/binary"
	"math"
)

// ToHalf stores x as a binary16 number, rounded to nearest, half to even:
// from 65520 on to infinity. A NaN stays a NaN.
func ToHalf(dst []byte, x float32) {
	bits := math.Float32bits(x)
	sign := uint16(bits >> 16 & 0x8000)
	binary.LittleEndian.PutUint16(dst, sign|half(bits&^signBit))
}

// half rounds the non-negative float32 with the given bits to binary16.
func half(bits uint32) uint16 {
	const (
		infinity = 0x7f800000
		overflow = 0x477ff000 // 65520
		normal   = 0x38800000 // 2^-14
	)
	switch {
	case bits > infinity:
		return 0x7e00
	case bits >= overflow:
		return 0x7c00
	case bits < normal:
		// The spacing of binary16 below 2^-14 is that of float32 from 0.5 on.
		return uint16(math.Float32bits(math.Float32frombits(bits)+0.5) - 0x3f000000)
	}
	bits -= normal - 0x0400<<13 // the exponent in the other bias
	bits += 0x0fff + bits>>13&1 // half to even
	return uint16(bits >> 13)
}

// float16 returns the binary16 number at the start of b.
func FromHalf(b []byte) float32 {
	h := uint32(binary.LittleEndian.Uint16(b))
	sign, rest := h>>15<<31, h&0x7fff
	switch {
	case rest >= 0x7c00: // infinity, NaN
		return math.Float32frombits(sign | InfBits | rest<<13)
	case rest >= 0x0400:
		return math.Float32frombits(sign | (rest<<13 + (127-15)<<23))
	}
	v := float32(rest) / (1 << 24)
	return math.Float32frombits(sign | math.Float32bits(v))
}

// InfBits are the bits of +Inf: larger ones, without the sign, are NaNs.
const InfBits = 0x7f800000

func EncodeF16(dst []byte, src []float32) {
	for i, v := range src {
		ToHalf(dst[2*i:], v)
	}
}

func DecodeF32(dst []float32, row []byte) {
	for i := range dst {
		dst[i] = math.Float32frombits(binary.LittleEndian.Uint32(row[4*i:]))
	}
}

func DecodeF16(dst []float32, row []byte) {
	for i := range dst {
		dst[i] = FromHalf(row[2*i:])
	}
}

func DecodeBF16(dst []float32, row []byte) {
	for i := range dst {
		dst[i] = math.Float32frombits(uint32(binary.LittleEndian.Uint16(row[2*i:])) << 16)
	}
}
