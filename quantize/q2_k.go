package quantize

import (
	"mptgo/gguf"
	"mptgo/internal/half"
	"mptgo/quantize/internal/num"
	"mptgo/quantize/internal/search"
)

// Q2_K stores 256 values as 2-bit integers q, with a 4-bit scale s and a 4-bit
// minimum m for each 16 and one scale of either kind for all:
// x ≈ (d·s)·q - (dmin·m).
//
//	byte   0..15  low nibble is s, high nibble is m
//	byte  16..79  q, see [twoBits]
//	byte  80..81  d, binary16
//	byte  82..83  dmin, binary16
var q2_K = Format{
	Type:   gguf.Q2_K,
	Encode: blockEncoder(gguf.Q2_K, encodeQ2_K),
	Decode: decoder(gguf.Q2_K, decodeQ2_K),
	better: blockEncoder(gguf.Q2_K, betterQ2_K),
	grid:   gridQ2_K,
	bad:    badHalves(gguf.Q2_K, 80, 82),
}

// sweepQ2_K is used when the importance of the values is not known.
var sweepQ2_K = search.Sweep{From: -0.5, Step: 0.1, Steps: 15, Absolute: true}

func encodeQ2_K(b []byte, x, importance []float32) {
	k := search.ScaleMinBlock{Group: 16, N: 16}
	if importance == nil {
		for i, v := range x {
			k.W[i] = num.Abs(v)
		}
		k.Fit(x, 3, sweepQ2_K)
		k.Integers(15)
	} else {
		search.Weigh(k.W[:], x, importance, num.MeanSquare(x))
		k.Fit(x, 3, search.WideSweep)
		k.FitIntegers(15)
	}
	k.Requantize(x, 3, b[80:], b[82:])
	storeQ2_K(b, &k)
}

// storeQ2_K stores codes, scales and minima in a Q2_K block.
func storeQ2_K(b []byte, k *search.ScaleMinBlock) {
	for j := range 16 {
		b[j] = k.S[j] | k.M[j]<<4
	}
	packTwoBits((*[64]byte)(b[16:]), &k.Codes)
}

var startsQ2_K = []float32{-0.8, -0.5, -0.2, 0, 0.3, 0.6, 1}

func betterQ2_K(b []byte, x, importance []float32) {
	k := search.ScaleMinBlock{Group: 16, N: 16}
	search.WeighBetter(k.W[:], x, importance)
	k.FitBetter(x, 3, 15, startsQ2_K, b[80:], b[82:])
	storeQ2_K(b, &k)
}

func decodeQ2_K(x []float32, b []byte) {
	d, dmin := half.Get(b[80:]), half.Get(b[82:])
	codes := twoBits((*[64]byte)(b[16:]))
	for j, sm := range b[:16] {
		scale, lo := d*float32(sm&15), dmin*float32(sm>>4)
		for i := 16 * j; i < 16*j+16; i++ {
			x[i] = float32(scale*float32(codes[i])) - lo
		}
	}
}

// twoBits returns the 256 codes of 2 bits in b. Each 32 bytes hold 128 of them:
// the lowest bits of the bytes are the first 32 codes, and so on.
func twoBits(b *[64]byte) (codes [256]uint8) {
	for i := range codes {
		n, k, l := i/128, i/32%4, i%32
		codes[i] = b[32*n+l] >> (2 * k) & 3
	}
	return codes
}

// packTwoBits is the inverse of twoBits; it takes the low two bits of each code.
func packTwoBits(b *[64]byte, codes *[256]uint8) {
	clear(b[:])
	for i, q := range codes {
		n, k, l := i/128, i/32%4, i%32
		b[32*n+l] |= q & 3 << (2 * k)
	}
}
