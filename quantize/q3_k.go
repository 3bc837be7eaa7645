package quantize

import "mptgo/gguf"

// Q3_K stores 256 values as 3-bit integers q, with a 6-bit scale s for each 16
// and one scale d for all: x ≈ (d·(s-32))·(q-4).
//
//	byte    0..31   bit k of byte l is bit 2 of q[32k+l]
//	byte   32..95   bits 0, 1 of q, see [twoBits]
//	byte   96..107  s: the low nibbles of bytes 0..7 are the low 4 bits of
//	                s[0..7], the high nibbles those of s[8..15]; bits 2k, 2k+1
//	                of byte 8+j are the high 2 bits of s[4k+j]
//	byte  108..109  d, binary16
var q3_K = Format{
	Type:   gguf.Q3_K,
	Decode: decoder(gguf.Q3_K, decodeQ3_K),
	bad:    badHalves(gguf.Q3_K, 108),
}

func decodeQ3_K(x []float32, b []byte) {
	d := half(b[108:])
	codes := twoBits((*[64]byte)(b[32:]))
	for i := range codes {
		codes[i] |= b[i%32] >> (i / 32) & 1 << 2
	}
	s := b[96:108]
	for j := range 16 {
		low := s[j%8] >> (j / 8 * 4) & 15
		high := s[8+j%4] >> (j / 4 * 2) & 3
		scale := d * float32(int32(low|high<<4)-32)
		for i := 16 * j; i < 16*j+16; i++ {
			x[i] = scale * float32(int32(codes[i])-4)
		}
	}
}
