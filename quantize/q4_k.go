package quantize

import "mptgo/gguf"

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
	Decode: decoder(gguf.Q4_K, decodeQ4_K),
	bad:    badHalves(gguf.Q4_K, 0, 2),
}

func decodeQ4_K(x []float32, b []byte) {
	d, dmin := half(b[0:]), half(b[2:])
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
