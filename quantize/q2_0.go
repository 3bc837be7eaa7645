package quantize

import (
	"mptgo/gguf"
	"mptgo/internal/half"
)

// Q2_0 stores 64 values as 2-bit integers q with one scale d: x ≈ (q-1)·d.
//
//	byte  0..1   d, binary16
//	byte  2..17  bits 2k, 2k+1 of byte 2+j are q[4j+k]
var q2_0 = Format{
	Type:   gguf.Q2_0,
	Decode: decoder(gguf.Q2_0, decodeQ2_0),
	bad:    badHalves(gguf.Q2_0, 0),
}

func decodeQ2_0(x []float32, b []byte) {
	d := half.Get(b[0:])
	for i := range x {
		q := b[2+i/4] >> (i % 4 * 2) & 3
		x[i] = float32(int32(q)-1) * d
	}
}
