package quantize

import (
	"math"

	"mptgo/gguf"
	"mptgo/internal/codebook"
)

// NVFP4 stores 64 values as 4-bit floats q with an 8-bit float u for each 16:
// x ≈ E[q]·u, with the table E of MXFP4.
//
//	byte  0..3   u, with 4 bits of exponent and 3 of mantissa, no sign
//	byte  4..35  q: each 8 bytes hold 16 codes, the first 8 in the low nibbles
var nvfp4 = Format{
	Type:   gguf.NVFP4,
	Decode: decoder(gguf.NVFP4, decodeNVFP4),
	bad:    func([]byte) int { return -1 }, // every scale is finite
}

func decodeNVFP4(x []float32, b []byte) {
	for s := range 4 {
		lookupNibbles(x[16*s:16*s+16], halfFloat8(b[s]), b[4+8*s:], &codebook.Float4)
	}
}

// halfFloat8 returns half of what the 8-bit float u stands for. Its NaN, 0x7F,
// counts as 0 and bit 7 is ignored.
func halfFloat8(u uint8) float32 {
	if u == 0x7f {
		return 0
	}
	e, m := int(u>>3&15), float64(u&7)
	if e == 0 {
		return float32(math.Ldexp(m, -10))
	}
	return float32(math.Ldexp(8+m, e-11))
}
