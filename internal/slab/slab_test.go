package slab

import (
	"math"
	"testing"
	"unsafe"
)

func TestAlloc(t *testing.T) {
	for _, n := range []int{0, 1, 64, 4097, 5 << 20} {
		b, err := Alloc(n)
		if err != nil || len(b) != n {
			t.Fatalf("%d bytes: %d, %v", n, len(b), err)
		}
		if n > 0 && uintptr(unsafe.Pointer(&b[0]))%64 != 0 {
			t.Errorf("%d bytes do not begin at a cache line", n)
		}
		for i, x := range b {
			if x != 0 {
				t.Fatalf("byte %d of %d is %d", i, n, x)
			}
			b[i] = 1
		}
		if err := Free(b); err != nil {
			t.Error(err)
		}
	}
}

func TestAllocRefuses(t *testing.T) {
	for _, n := range []int{-1, math.MaxInt / 2} {
		if b, err := Alloc(n); err == nil {
			t.Errorf("%d bytes: %d of them, no error", n, len(b))
		}
	}
}
