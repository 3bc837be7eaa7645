package quantize

import (
	"mptgo/gguf"
	"mptgo/internal/half"
	"mptgo/quantize/internal/num"
	"mptgo/quantize/internal/search"
	"mptgo/quantize/internal/vec"
)

// Q6_K stores 256 values as 6-bit integers q with an 8-bit scale s for each 16
// and one scale d for all: x ≈ (d·s)·(q-32).
//
//	byte    0..127  ql, the low 4 bits of q: 64 bytes for each half of the block
//	byte  128..191  qh, the high 2 bits of q: 32 bytes for each half
//	byte  192..207  s, signed
//	byte  208..209  d, binary16
//
// In each half, for l in 0..31:
//
//	q[l]     low nibble of ql[l],      bits 0, 1 of qh[l]
//	q[l+32]  low nibble of ql[l+32],   bits 2, 3 of qh[l]
//	q[l+64]  high nibble of ql[l],     bits 4, 5 of qh[l]
//	q[l+96]  high nibble of ql[l+32],  bits 6, 7 of qh[l]
var q6_K = Format{
	Type: gguf.Q6_K,
	Encode: func(dst []byte, src, weights []float32) {
		var squared [256]float32
		for len(src) > 0 {
			w := squared[:]
			if weights != nil {
				w, weights = weights[:256], weights[256:]
			} else {
				square(w, src[:256])
			}
			encodeQ6_K(dst[:210], src[:256], w)
			dst, src = dst[210:], src[256:]
		}
	},
	Decode: decoder(gguf.Q6_K, decodeQ6_K),
	better: blockEncoder(gguf.Q6_K, betterQ6_K),
	grid:   gridQ6_K,
	bad:    badHalves(gguf.Q6_K, 208),
}

// encodeQ6_K fits a scale to each 16 values, quantises these scales to 8 bits,
// and then quantises the values with what is left of the scales.
func encodeQ6_K(b []byte, x, w []float32) {
	var codes [256]uint8
	var scales [16]float32
	for j := range scales {
		i, k := 16*j, 16*j+16
		scales[j] = search.FitScale(codes[i:k], x[i:k], w[i:k], 32)
	}
	top := num.Extreme(scales[:])
	if num.Tiny(top) {
		clear(b)
		return
	}
	is := -128 / top
	half.Put(b[208:], 1/is)
	d := half.Get(b[208:])
	for j, scale := range scales {
		s := min(num.Nearest(float32(is*scale)), 127)
		b[192+j] = byte(s)
		if ds := d * float32(s); ds != 0 {
			i, k := 16*j, 16*j+16
			vec.Codes(codes[i:k], x[i:k], &vec.Code{Scale: ds, Divide: true, Least: -32, Most: 31, Offset: 32})
		}
	}
	packSix((*[192]byte)(b), &codes)
}

// startsQ6_K are few: with so many codes they make little difference.
var startsQ6_K = []float32{-32, -32.6, -31.5, 31, 31.4}

func betterQ6_K(b []byte, x, importance []float32) {
	var w [256]float32
	search.WeighBetter(w[:], x, importance)
	var k search.ScaleBlock
	k.Fit(x, w[:], 16, 32, -128, 127, startsQ6_K)
	half.Put(b[208:], k.D)
	var codes [256]uint8
	for j, s := range k.S {
		b[192+j] = byte(s)
		k.Code(codes[16*j:16*j+16], x[16*j:], j, 32)
	}
	packSix((*[192]byte)(b), &codes)
}

func decodeQ6_K(x []float32, b []byte) {
	d := half.Get(b[208:])
	var codes [256]uint8
	unpackSix(&codes, (*[192]byte)(b))
	for j := range 16 {
		ds := d * float32(int8(b[192+j]))
		for i := 16 * j; i < 16*j+16; i++ {
			x[i] = ds * float32(int32(codes[i])-32)
		}
	}
}

// packSix stores 6-bit codes as the low nibbles and high bits of a Q6_K block.
func packSix(b *[192]byte, codes *[256]uint8) {
	for part := range 2 {
		q := (*[128]uint8)(codes[128*part:])
		low := (*[64]byte)(b[64*part:])
		high := (*[32]byte)(b[128+32*part:])
		for l := range high {
			q0, q1, q2, q3 := q[l], q[l+32], q[l+64], q[l+96]
			low[l] = q0&15 | q2<<4
			low[l+32] = q1&15 | q3<<4
			high[l] = q0>>4 | q1>>4<<2 | q2>>4<<4 | q3>>4<<6
		}
	}
}

// unpackSix is the inverse of packSix.
func unpackSix(codes *[256]uint8, b *[192]byte) {
	for part := range 2 {
		q := (*[128]uint8)(codes[128*part:])
		low := (*[64]byte)(b[64*part:])
		high := (*[32]byte)(b[128+32*part:])
		for l, h := range high {
			q[l] = low[l]&15 | h&3<<4
			q[l+32] = low[l+32]&15 | h>>2&3<<4
			q[l+64] = low[l]>>4 | h>>4&3<<4
			q[l+96] = low[l+32]>>4 | h>>6<<4
		}
	}
}

// square sets w to x·x, the weights of values whose importance is not known.
func square(w, x []float32) {
	for i, v := range x {
		w[i] = v * v
	}
}
