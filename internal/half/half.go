package half

import (
	"encoding/binary"
	"math"
)

// F16 returns x as an IEEE 754 binary16 number, rounded to nearest even, with
// gradual underflow and overflow to infinity. A NaN becomes the quiet NaN 0x7E00
// with the sign of x.
func F16(x float32) uint16 {
	b := math.Float32bits(x)
	sign := uint16(b>>16) & 0x8000
	b &= 0x7fffffff
	switch {
	case b-0x38800000 < 0x47800000-0x38800000: // 2^-14 <= |x| < 2^16
		// A carry out of the mantissa goes into the exponent, at the top
		// into infinity.
		return sign | uint16((b-0x38000000+0xfff+b>>13&1)>>13)
	case b < 0x38800000:
		// Near 0.5 a float32 has the spacing of a subnormal binary16, so the
		// addition rounds for us.
		return sign | uint16(math.Float32bits(math.Float32frombits(b)+0.5)-0x3f000000)
	case b > 0x7f800000:
		return sign | 0x7e00
	}
	return sign | 0x7c00
}

// F16ToF32 returns the value of the IEEE 754 binary16 number h.
func F16ToF32(h uint16) float32 {
	sign := uint32(h&0x8000) << 16
	switch e := uint32(h & 0x7fff); {
	case e-0x400 < 0x7c00-0x400:
		return math.Float32frombits(sign | (e<<13 + 0x38000000))
	case e < 0x400:
		return math.Float32frombits(sign | math.Float32bits(float32(e)*0x1p-24))
	default:
		return math.Float32frombits(sign | e<<13 | 0x7f800000)
	}
}

// BF16 returns x as a bfloat16 number, the upper half of a float32, rounded to
// nearest even. Subnormal numbers are kept and a NaN is made quiet.
func BF16(x float32) uint16 {
	b := math.Float32bits(x)
	if b&0x7fffffff > 0x7f800000 {
		return uint16(b>>16) | 0x40
	}
	return uint16((b + 0x7fff + b>>16&1) >> 16)
}

// BF16ToF32 returns the value of the bfloat16 number h.
func BF16ToF32(h uint16) float32 { return math.Float32frombits(uint32(h) << 16) }

// Get reads the binary16 number at b, which is how blocks hold their scales.
func Get(b []byte) float32 { return F16ToF32(binary.LittleEndian.Uint16(b)) }

// Put writes x as binary16 to b.
func Put(b []byte, x float32) { binary.LittleEndian.PutUint16(b, F16(x)) }

// Stored returns x as it will be read after it was stored as binary16.
func Stored(x float64) float32 { return F16ToF32(F16(float32(x))) }
