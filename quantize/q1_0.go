package quantize

import (
	"mptgo/gguf"
	"mptgo/internal/half"
)

// Q1_0 stores the signs of 128 values with one scale d: x ≈ d or -d.
//
//	byte  0..1   d, binary16
//	byte  2..17  bit i%8 of byte 2+i/8 is set if x[i] is d
var q1_0 = Format{
	Type:   gguf.Q1_0,
	Decode: decoder(gguf.Q1_0, decodeQ1_0),
	bad:    badHalves(gguf.Q1_0, 0),
}

func decodeQ1_0(x []float32, b []byte) {
	d := half.Get(b[0:])
	for i := range x {
		x[i] = d
		if b[2+i/8]>>(i%8)&1 == 0 {
			x[i] = -d
		}
	}
}
