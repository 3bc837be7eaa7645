package amd64

import "testing"

// TestVex256 holds the encoder against what GNU as 2.40 makes of the same
// instructions ("{vex} vpdpbusd %ymm14,%ymm8,%ymm0"): every operand with a
// register below and above 8.
func TestVex256(t *testing.T) {
	const bytes, words = 0x50, 0x52
	for _, c := range []struct {
		opcode          byte
		src2, src1, dst int // as in Go assembly
		want            [5]byte
	}{
		{bytes, 0, 0, 0, [5]byte{0xc4, 0xe2, 0x7d, 0x50, 0xc0}},
		{bytes, 8, 0, 0, [5]byte{0xc4, 0xc2, 0x7d, 0x50, 0xc0}},
		{bytes, 0, 8, 0, [5]byte{0xc4, 0xe2, 0x3d, 0x50, 0xc0}},
		{bytes, 0, 0, 8, [5]byte{0xc4, 0x62, 0x7d, 0x50, 0xc0}},
		{bytes, 15, 15, 15, [5]byte{0xc4, 0x42, 0x05, 0x50, 0xff}},
		{bytes, 1, 2, 4, [5]byte{0xc4, 0xe2, 0x6d, 0x50, 0xe1}},
		{bytes, 5, 10, 15, [5]byte{0xc4, 0x62, 0x2d, 0x50, 0xfd}},
		{bytes, 14, 8, 0, [5]byte{0xc4, 0xc2, 0x3d, 0x50, 0xc6}},
		{bytes, 14, 9, 7, [5]byte{0xc4, 0xc2, 0x35, 0x50, 0xfe}},
		{words, 14, 10, 4, [5]byte{0xc4, 0xc2, 0x2d, 0x52, 0xe6}},
		{words, 3, 13, 9, [5]byte{0xc4, 0x62, 0x15, 0x52, 0xcb}},
		{words, 15, 0, 7, [5]byte{0xc4, 0xc2, 0x7d, 0x52, 0xff}},
	} {
		if got := vex256(c.opcode, c.src2, c.src1, c.dst); got != c.want {
			t.Errorf("opcode %#x, Y%d, Y%d, Y%d: % x, want % x", c.opcode, c.src2, c.src1, c.dst, got, c.want)
		}
	}
}
