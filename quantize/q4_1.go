package quantize

import "mptgo/gguf"

// Q4_1 stores 32 values as 4-bit integers q with a scale d and a minimum m:
// x ≈ q·d + m.
//
//	byte  0..1   d, binary16
//	byte  2..3   m, binary16
//	byte  4..19  low nibble of byte 4+i is q[i], high nibble is q[16+i]
type blockQ4_1 = [20]byte

var q4_1 = Format{
	Type: gguf.Q4_1,
	Encode: func(dst []byte, src, weights []float32) {
		if weights != nil {
			encodeWeighted(dst, src, weights, len(blockQ4_1{}), fitQ4_1)
			return
		}
		for len(src) > 0 {
			encodeQ4_1((*blockQ4_1)(dst), (*[32]float32)(src))
			dst, src = dst[len(blockQ4_1{}):], src[32:]
		}
	},
	Decode: func(dst []float32, src []byte) {
		for len(dst) > 0 {
			decodeQ4_1((*[32]float32)(dst), (*blockQ4_1)(src))
			dst, src = dst[32:], src[len(blockQ4_1{}):]
		}
	},
	bad: badHalves(len(blockQ4_1{}), 0, 2),
}

func encodeQ4_1(b *blockQ4_1, x *[32]float32) {
	lo, hi := span(x[:])
	d := (hi - lo) / 15
	id := inverse(d)
	putHalf(b[0:2], d)
	putHalf(b[2:4], lo)
	q := (*[16]byte)(b[4:])
	for i := range q {
		l := min(int32(float32((x[i]-lo)*id)+0.5), 15)
		h := min(int32(float32((x[i+16]-lo)*id)+0.5), 15)
		q[i] = byte(l | h<<4)
	}
}

func fitQ4_1(b []byte, x, w *[32]float32) {
	var codes [32]uint8
	d, m := fitScaleMin(codes[:], x[:], w[:], 15, wideSweep)
	putHalf(b, d)
	putHalf(b[2:], m)
	packNibbles((*[16]byte)(b[4:]), &codes)
}

func decodeQ4_1(x *[32]float32, b *blockQ4_1) {
	d, m := half(b[0:2]), half(b[2:4])
	q := (*[16]byte)(b[4:])
	for i, v := range q {
		x[i] = float32(float32(v&15)*d) + m
		x[i+16] = float32(float32(v>>4)*d) + m
	}
}
