package quantize

import (
	"mptgo/gguf"
	"mptgo/internal/half"
	"mptgo/quantize/internal/num"
	"mptgo/quantize/internal/search"
)

// Q4_K stores 256 values as 4-bit integers q, with a 6-bit scale s and a 6-bit
// minimum m for each 32 and one scale of either kind for all:
// x ≈ (d·s)·q - (dmin·m).
//
//	byte   0..1    d, binary16
//	byte   2..3    dmin, binary16
//	byte   4..15   s and m, see [scaleMin]
//	byte  16..143  q: each 32 bytes hold 64 codes, the first 32 in the low nibbles
var q4_K = Format{
	Type:   gguf.Q4_K,
	Encode: blockEncoder(gguf.Q4_K, encodeQ4_K),
	Decode: decoder(gguf.Q4_K, decodeQ4_K),
	better: blockEncoder(gguf.Q4_K, betterQ4_K),
	grid:   gridQ4_K,
	bad:    badHalves(gguf.Q4_K, 0, 2),
}

// sweepQ4_K is used when the importance of the values is not known.
var sweepQ4_K = search.Sweep{From: -1, Step: 0.1, Steps: 20}

func encodeQ4_K(b []byte, x, importance []float32) {
	k := fitSixBit(x, importance, 15, sweepQ4_K)
	k.Requantize(x, 15, b, b[2:])
	storeQ4_K(b, k)
}

// storeQ4_K stores codes, scales and minima in a Q4_K block.
func storeQ4_K(b []byte, k *search.ScaleMinBlock) {
	packScaleMin((*[12]byte)(b[4:]), &k.S, &k.M)
	packPlane((*[128]byte)(b[16:]), &k.Codes)
}

// fitSixBit returns the fit of x to codes 0..top with scales and minima of 6
// bits for each 32 values.
func fitSixBit(x, importance []float32, top int32, s search.Sweep) *search.ScaleMinBlock {
	k := search.ScaleMinBlock{Group: 32, N: 8}
	if importance == nil {
		for i := 0; i < len(x); i += 32 {
			spread := num.Sqrt(num.MeanSquare(x[i : i+32]))
			for l, v := range x[i : i+32] {
				k.W[i+l] = spread + num.Abs(v)
			}
		}
		k.Fit(x, top, s)
		k.Integers(63)
	} else {
		search.Weigh(k.W[:], x, importance, 2*num.SumSquares(x)/256)
		k.Fit(x, top, search.WideSweep)
		k.FitIntegers(63)
	}
	return &k
}

// startsSixBit are the starts of the better search for Q4_K and Q5_K.
var startsSixBit = []float32{-1, -0.6, -0.3, 0, 0.3, 0.6, 1, 1.4}

func betterQ4_K(b []byte, x, importance []float32) {
	k := search.ScaleMinBlock{Group: 32, N: 8}
	search.WeighBetter(k.W[:], x, importance)
	k.FitBetter(x, 15, 63, startsSixBit, b, b[2:])
	storeQ4_K(b, &k)
}

func decodeQ4_K(x []float32, b []byte) {
	d, dmin := half.Get(b[0:]), half.Get(b[2:])
	packed, q := (*[12]byte)(b[4:]), b[16:]
	for j := range 8 {
		s, m := scaleMin(packed, j)
		scale, lo := d*float32(s), dmin*float32(m)
		for l := range 32 {
			code := q[j/2*32+l] >> (j % 2 * 4) & 15
			x[32*j+l] = float32(scale*float32(code)) - lo
		}
	}
}

// scaleMin returns the 6-bit scale and minimum number j of the eight in b. The
// first four have the low 6 bits of bytes 0..3 and 4..7; the last four have
// their low 4 bits in the nibbles of bytes 8..11 and their high 2 bits on top
// of the first.
func scaleMin(b *[12]byte, j int) (s, m uint8) {
	if j < 4 {
		return b[j] & 63, b[j+4] & 63
	}
	return b[j+4]&15 | b[j-4]>>6<<4, b[j+4]>>4 | b[j]>>6<<4
}

// packScaleMin is the inverse of scaleMin, for all eight of both.
func packScaleMin(b *[12]byte, s, m *[16]uint8) {
	for j := range 4 {
		b[j] = s[j] | s[j+4]>>4<<6
		b[j+4] = m[j] | m[j+4]>>4<<6
		b[j+8] = s[j+4]&15 | m[j+4]<<4
	}
}

// packPlane stores the low four bits of codes: each 32 bytes hold 64 codes, the
// first 32 in the low nibbles.
func packPlane(b *[128]byte, codes *[256]uint8) {
	for i := range b {
		low := i/32*64 + i%32
		b[i] = codes[low]&15 | codes[low+32]<<4
	}
}
