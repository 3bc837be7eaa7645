package quantize

import (
	"mptgo/gguf"
	"mptgo/internal/half"
	"mptgo/quantize/internal/num"
	"mptgo/quantize/internal/search"
	"mptgo/quantize/internal/vec"
)

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
	Encode: blockEncoder(gguf.Q3_K, encodeQ3_K),
	Decode: decoder(gguf.Q3_K, decodeQ3_K),
	better: blockEncoder(gguf.Q3_K, betterQ3_K),
	grid:   gridQ3_K,
	bad:    badHalves(gguf.Q3_K, 108),
}

func encodeQ3_K(b []byte, x, importance []float32) {
	var codes [256]uint8
	var scales [16]float32
	var s [16]uint8
	if importance == nil {
		for j := range scales {
			scales[j] = search.FitRefined(codes[16*j:16*j+16], x[16*j:16*j+16], 4)
		}
		half.Put(b[108:], signedMultiples(&s, scales[:]))
	} else {
		var w [256]float32
		var sums [16]float32
		search.Weigh(w[:], x, importance, 2*num.SumSquares(x)/256)
		for j := range scales {
			i, k := 16*j, 16*j+16
			scales[j] = search.FitScale(codes[i:k], x[i:k], w[i:k], 4)
			sums[j] = num.Sum(w[i:k])
		}
		half.Put(b[108:], search.FitScale(s[:], scales[:], sums[:], 32))
	}
	requantizeQ3_K(&codes, x, half.Get(b[108:]), &s)
	packThree(b, &codes, &s)
}

// signedMultiples sets s to integers 0..63 and returns a scale such that the
// scales are scale·(s-32); the one of greatest magnitude gets 0.
func signedMultiples(s *[16]uint8, scales []float32) float32 {
	m := num.Extreme(scales)
	if m == 0 {
		return 0
	}
	inv := -32 / m
	for j, v := range scales {
		s[j] = uint8(num.Clamp(num.Nearest(float32(inv*v)), -32, 31) + 32)
	}
	return 1 / inv
}

// requantizeQ3_K sets the codes anew for the scales as they are stored.
func requantizeQ3_K(codes *[256]uint8, x []float32, d float32, s *[16]uint8) {
	for j, v := range s {
		scale := d * float32(int32(v)-32)
		if scale == 0 {
			continue
		}
		i, k := 16*j, 16*j+16
		vec.Codes(codes[i:k], x[i:k], &vec.Code{Scale: scale, Divide: true, Least: -4, Most: 3, Offset: 4})
	}
}

// packThree stores codes and integer scales in a Q3_K block.
func packThree(b []byte, codes *[256]uint8, s *[16]uint8) {
	clear(b[:32])
	for i, q := range codes {
		b[i%32] |= q >> 2 << (i / 32)
	}
	packTwoBits((*[64]byte)(b[32:]), codes)
	clear(b[96:108])
	for j, v := range s {
		b[96+j%8] |= v & 15 << (j / 8 * 4)
		b[104+j%4] |= v >> 4 << (j / 4 * 2)
	}
}

var startsQ3_K = search.StartsInteger(4)

func betterQ3_K(b []byte, x, importance []float32) {
	var w [256]float32
	search.WeighBetter(w[:], x, importance)
	var k search.ScaleBlock
	k.Fit(x, w[:], 16, 4, -32, 31, startsQ3_K)
	half.Put(b[108:], k.D)
	var codes [256]uint8
	var ints [16]uint8
	for j, s := range k.S {
		ints[j] = uint8(s + 32)
		k.Code(codes[16*j:16*j+16], x[16*j:], j, 4)
	}
	packThree(b, &codes, &ints)
}

func decodeQ3_K(x []float32, b []byte) {
	d := half.Get(b[108:])
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
