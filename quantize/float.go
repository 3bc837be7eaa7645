package quantize

import (
	"encoding/binary"
	"math"

	"mptgo/gguf"
	"mptgo/internal/half"
	"mptgo/quantize/internal/vec"
)

// The float types: blocks of a single value.

var f32 = Format{
	Type: gguf.F32,
	Encode: func(dst []byte, src, _ []float32) {
		for i, x := range src {
			binary.LittleEndian.PutUint32(dst[4*i:], math.Float32bits(x))
		}
	},
	Decode: func(dst []float32, src []byte) {
		for i := range dst {
			dst[i] = math.Float32frombits(binary.LittleEndian.Uint32(src[4*i:]))
		}
	},
	bad: func(src []byte) int {
		for i := 0; i < len(src); i += 4 {
			if binary.LittleEndian.Uint32(src[i:])&0x7f800000 == 0x7f800000 {
				return i / 4
			}
		}
		return -1
	},
}

var f16 = Format{
	Type: gguf.F16,
	Encode: func(dst []byte, src, _ []float32) {
		for i, x := range src {
			binary.LittleEndian.PutUint16(dst[2*i:], half.F16(x))
		}
	},
	Decode: vec.DecodeF16,
	bad:    func(src []byte) int { return infinite16(src, 0x7c00) },
}

var bf16 = Format{
	Type: gguf.BF16,
	Encode: func(dst []byte, src, _ []float32) {
		for i, x := range src {
			binary.LittleEndian.PutUint16(dst[2*i:], half.BF16(x))
		}
	},
	Decode: func(dst []float32, src []byte) {
		for i := range dst {
			dst[i] = half.BF16ToF32(binary.LittleEndian.Uint16(src[2*i:]))
		}
	},
	bad: func(src []byte) int { return infinite16(src, 0x7f80) },
}

// infinite16 returns the index of the first 16-bit number in src whose exponent
// bits, the mask exponent, are all set, or -1.
func infinite16(src []byte, exponent uint16) int {
	// Four numbers at a time: one more unit carries a full exponent into the
	// place of the sign.
	const each = 0x0001_0001_0001_0001
	mask, unit := uint64(exponent)*each, uint64(0x8000-exponent)*each
	i := 0
	for ; i+8 <= len(src); i += 8 {
		if (binary.LittleEndian.Uint64(src[i:])&mask+unit)&(0x8000*each) != 0 {
			break
		}
	}
	for ; i+2 <= len(src); i += 2 {
		if binary.LittleEndian.Uint16(src[i:])&exponent == exponent {
			return i / 2
		}
	}
	return -1
}
