package quantize

import "mptgo/gguf"

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
var sweepQ2_K = sweep{from: -0.5, step: 0.1, steps: 15, absolute: true}

func encodeQ2_K(b []byte, x, importance []float32) {
	k := scaleMinBlock{group: 16, n: 16}
	if importance == nil {
		for i, v := range x {
			k.w[i] = abs(v)
		}
		k.fit(x, 3, sweepQ2_K)
		k.integers(15)
	} else {
		weigh(k.w[:], x, importance, meanSquare(x))
		k.fit(x, 3, wideSweep)
		k.fitIntegers(15)
	}
	k.requantize(x, 3, b[80:], b[82:])
	k.packTwo(b)
}

// packTwo stores codes, scales and minima in a Q2_K block.
func (k *scaleMinBlock) packTwo(b []byte) {
	for j := range 16 {
		b[j] = k.s[j] | k.m[j]<<4
	}
	packTwoBits((*[64]byte)(b[16:]), &k.codes)
}

var startsQ2_K = []float32{-0.8, -0.5, -0.2, 0, 0.3, 0.6, 1}

func betterQ2_K(b []byte, x, importance []float32) {
	k := scaleMinBlock{group: 16, n: 16}
	weighBetter(k.w[:], x, importance)
	k.fitBetter(x, 3, 15, startsQ2_K, b[80:], b[82:])
	k.packTwo(b)
}

func decodeQ2_K(x []float32, b []byte) {
	d, dmin := half(b[80:]), half(b[82:])
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
