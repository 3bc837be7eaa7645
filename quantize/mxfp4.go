package quantize

import (
	"mptgo/gguf"
	"mptgo/internal/codebook"
)

// MXFP4 stores 32 values as 4-bit floats q with a power of two for all
// [OCP Microscaling Formats, 2023]: x ≈ E[q]·2^(e-128), where the table E holds
// twice the numbers of a float with 2 bits of exponent and 1 of mantissa.
//
//	byte  0      e; 255 is a NaN
//	byte  1..16  low nibble of byte 1+i is q[i], high nibble is q[16+i]
var mxfp4 = Format{
	Type:   gguf.MXFP4,
	Decode: decoder(gguf.MXFP4, decodeMXFP4),
	bad:    badMXFP4,
}

func decodeMXFP4(x []float32, b []byte) {
	lookupNibbles(x, codebook.HalfPower(b[0]), b[1:], &codebook.Float4)
}

// badMXFP4 is Format.bad: besides NaN it finds scales that make the largest code
// of their block infinite.
func badMXFP4(src []byte) int {
	const size = 17
	var x [32]float32
	for b := 0; b < len(src); b += size {
		e := src[b]
		if e < 253 {
			continue
		}
		decodeMXFP4(x[:], src[b:b+size])
		if e == 255 || notFinite(x[:]) >= 0 {
			return b / size
		}
	}
	return -1
}
