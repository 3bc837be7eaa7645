package half

import (
	"math"
	"testing"
)

// value16 is binary16 by its definition.
func value16(h uint16) float64 {
	sign := 1 - 2*float64(h>>15)
	e, m := int(h>>10&31), float64(h&0x3ff)
	switch e {
	case 0:
		return sign * math.Ldexp(m, -24)
	case 31:
		if m != 0 {
			return math.NaN()
		}
		return math.Inf(int(sign))
	}
	return sign * math.Ldexp(1024+m, e-25)
}

func TestF16ToF32(t *testing.T) {
	for h := range 1 << 16 {
		want, got := value16(uint16(h)), F16ToF32(uint16(h))
		if math.IsNaN(want) {
			if bits := uint32(h&0x8000)<<16 | 0x7f800000 | uint32(h&0x3ff)<<13; math.Float32bits(got) != bits {
				t.Fatalf("%#04x: got %#x, want NaN %#x", h, math.Float32bits(got), bits)
			}
		} else if math.Float64bits(float64(got)) != math.Float64bits(want) {
			t.Fatalf("%#04x: got %v, want %v", h, got, want)
		}
	}
}

// TestF16 tries every binary16 number, the point half-way to the next one, and
// the float32 neighbours of both.
func TestF16(t *testing.T) {
	for h := range uint16(0x7c00) {
		next := value16(h + 1)
		if h == 0x7bff {
			next = 65536 // where the next number would be but for the infinity
		}
		x, middle := float32(value16(h)), float32((value16(h)+next)/2)
		even := h + h&1
		for _, c := range []struct {
			x    float32
			want uint16
		}{
			{x, h},
			{math.Nextafter32(x, 1e9), h},
			{math.Nextafter32(middle, 0), h},
			{middle, even},
			{math.Nextafter32(middle, 1e9), h + 1},
		} {
			checkF16(t, c.x, c.want)
			checkF16(t, -c.x, c.want|0x8000)
		}
	}
	for _, x := range []float32{65536, 1e30, float32(math.Inf(1))} {
		checkF16(t, x, 0x7c00)
		checkF16(t, -x, 0xfc00)
	}
	for _, bits := range []uint32{0x7f800001, 0x7fc00000, 0x7fffffff} {
		checkF16(t, math.Float32frombits(bits), 0x7e00)
		checkF16(t, math.Float32frombits(bits|1<<31), 0xfe00)
	}
}

func checkF16(t *testing.T, x float32, want uint16) {
	t.Helper()
	if got := F16(x); got != want {
		t.Fatalf("F16(%v) = %#04x, want %#04x", x, got, want)
	}
}

func TestBF16(t *testing.T) {
	for _, c := range []struct{ x, want uint32 }{
		{0, 0}, {0x80000000, 0x8000}, {1, 0}, {0x8000, 0}, {0x8001, 1}, {0x18000, 2},
		{0x3f808000, 0x3f80}, {0x3f808001, 0x3f81}, {0x3f818000, 0x3f82}, {0x3f817fff, 0x3f81},
		{0x7f7fffff, 0x7f80}, {0x7f800000, 0x7f80}, {0xff800000, 0xff80},
		{0x7f800001, 0x7fc0}, {0xffffffff, 0xffff}, {0x7fa00000, 0x7fe0},
	} {
		if got := BF16(math.Float32frombits(c.x)); uint32(got) != c.want {
			t.Errorf("BF16(%#08x) = %#04x, want %#04x", c.x, got, c.want)
		}
	}
	for h := range uint32(1 << 16) {
		if got := math.Float32bits(BF16ToF32(uint16(h))); got != h<<16 {
			t.Fatalf("BF16ToF32(%#04x) = %#08x", h, got)
		}
	}
}
