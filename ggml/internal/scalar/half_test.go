package scalar

import (
	"math"
	"testing"

	"mptgo/ggml/internal/probe"
	definition "mptgo/internal/half"
)

// TestFloat16 checks all binary16 numbers.
func TestFloat16(t *testing.T) {
	for h := range 1 << 16 {
		got := FromHalf([]byte{byte(h), byte(h >> 8)})
		if want := definition.F16ToF32(uint16(h)); !probe.SameBits(got, want) {
			t.Fatalf("%#04x is %v, want %v", h, got, want)
		}
	}
}

// TestPutFloat16 checks every binary16 number and the float32 numbers around
// every point halfway between two of them.
func TestPutFloat16(t *testing.T) {
	value := func(h uint16) float32 { return FromHalf([]byte{byte(h), byte(h >> 8)}) }
	check := func(x float32, want uint16) {
		t.Helper()
		var b [2]byte
		ToHalf(b[:], x)
		if got := uint16(b[0]) | uint16(b[1])<<8; got != want {
			t.Fatalf("%x: got %#04x, want %#04x", x, got, want)
		}
	}
	for h := uint16(0); h < 0x7c00; h++ {
		low, even := value(h), h+h&1
		middle := 65520 + float32(0)
		if h < 0x7bff {
			middle = (low + value(h+1)) / 2
		}
		for sign := range uint16(2) {
			s, bit := 1-2*float32(sign), sign<<15
			check(s*low, bit|h)
			check(s*math.Nextafter32(middle, 0), bit|h)
			check(s*middle, bit|even)
			check(s*math.Nextafter32(middle, 1e9), bit|h+1)
		}
	}
	check(math.SmallestNonzeroFloat32, 0)
	check(math.MaxFloat32, 0x7c00)
	check(float32(math.Inf(-1)), 0xfc00)
}
