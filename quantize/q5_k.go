package quantize

import (
	"mptgo/gguf"
	"mptgo/internal/half"
	"mptgo/quantize/internal/search"
)

// Q5_K stores 256 values as 5-bit integers q, with a 6-bit scale s and a 6-bit
// minimum m for each 32 and one scale of either kind for all:
// x ≈ (d·s)·q - (dmin·m).
//
//	byte   0..1    d, binary16
//	byte   2..3    dmin, binary16
//	byte   4..15   s and m, see [scaleMin]
//	byte  16..47   bit j of byte l is bit 4 of q[32j+l]
//	byte  48..175  bits 0..3 of q: each 32 bytes hold 64 codes, the first 32 in
//	               the low nibbles
var q5_K = Format{
	Type:   gguf.Q5_K,
	Encode: blockEncoder(gguf.Q5_K, encodeQ5_K),
	Decode: decoder(gguf.Q5_K, decodeQ5_K),
	better: blockEncoder(gguf.Q5_K, betterQ5_K),
	grid:   gridQ5_K,
	bad:    badHalves(gguf.Q5_K, 0, 2),
}

// sweepQ5_K is used when the importance of the values is not known.
var sweepQ5_K = search.Sweep{From: -0.5, Step: 0.1, Steps: 15}

func encodeQ5_K(b []byte, x, importance []float32) {
	k := fitSixBit(x, importance, 31, sweepQ5_K)
	k.Requantize(x, 31, b, b[2:])
	storeQ5_K(b, k)
}

// storeQ5_K stores codes, scales and minima in a Q5_K block.
func storeQ5_K(b []byte, k *search.ScaleMinBlock) {
	packScaleMin((*[12]byte)(b[4:]), &k.S, &k.M)
	high := (*[32]byte)(b[16:])
	clear(high[:])
	for i, q := range k.Codes {
		high[i%32] |= q >> 4 << (i / 32)
	}
	packPlane((*[128]byte)(b[48:]), &k.Codes)
}

func betterQ5_K(b []byte, x, importance []float32) {
	k := search.ScaleMinBlock{Group: 32, N: 8}
	search.WeighBetter(k.W[:], x, importance)
	k.FitBetter(x, 31, 63, startsSixBit, b, b[2:])
	storeQ5_K(b, &k)
}

func decodeQ5_K(x []float32, b []byte) {
	d, dmin := half.Get(b[0:]), half.Get(b[2:])
	packed, high, low := (*[12]byte)(b[4:]), b[16:48], b[48:]
	for j := range 8 {
		s, m := scaleMin(packed, j)
		scale, lo := d*float32(s), dmin*float32(m)
		for l := range 32 {
			code := low[j/2*32+l]>>(j%2*4)&15 | high[l]>>j&1<<4
			x[32*j+l] = float32(scale*float32(code)) - lo
		}
	}
}
