package quantize

import (
	"math"

	"mptgo/gguf"
)

// Q8_0 stores 32 values as 8-bit integers q with one scale d: x ≈ q·d.
//
//	byte  0..1   d, binary16
//	byte  2..33  q, signed
type blockQ8_0 = [34]byte

var q8_0 = Format{
	Type: gguf.Q8_0,
	Encode: func(dst []byte, src, _ []float32) {
		for len(src) > 0 {
			encodeQ8_0((*blockQ8_0)(dst), (*[32]float32)(src))
			dst, src = dst[len(blockQ8_0{}):], src[32:]
		}
	},
	Decode: func(dst []float32, src []byte) {
		for len(dst) > 0 {
			decodeQ8_0((*[32]float32)(dst), (*blockQ8_0)(src))
			dst, src = dst[32:], src[len(blockQ8_0{}):]
		}
	},
	bad: badHalves(len(blockQ8_0{}), 0),
}

func encodeQ8_0(b *blockQ8_0, x *[32]float32) {
	d := absMax(x) / 127
	id := inverse(d)
	putHalf(b[0:2], d)
	q := (*[32]byte)(b[2:])
	for i, v := range x {
		q[i] = byte(round(float32(v * id)))
	}
}

func decodeQ8_0(x *[32]float32, b *blockQ8_0) {
	d := half(b[0:2])
	q := (*[32]byte)(b[2:])
	for i := range x {
		x[i] = float32(int8(q[i])) * d
	}
}

// absMax returns the largest magnitude in x.
func absMax(x *[32]float32) float32 {
	var m uint32 // without sign, floats are ordered like their bits
	for _, v := range x {
		m = max(m, math.Float32bits(v)&^(1<<31))
	}
	return math.Float32frombits(m)
}

// round returns x rounded to the nearest integer, halves away from zero, for
// |x| < 2^31. The addition is exact enough in float64: it cannot carry a float32
// below one half up to one.
func round(x float32) int32 {
	return int32(float64(x) + math.Copysign(0.5, float64(x)))
}
