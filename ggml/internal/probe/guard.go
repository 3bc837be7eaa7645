// Package probe is what the tests of kernels share: numbers that kernels get wrong, memory
// that ends where it must, and the levels of CPU features that a run is for.
package probe

import (
	"testing"
	"unsafe"
)

// Guarded returns a copy of s that ends at an unreadable page, where the system
// has such.
func Guarded[T any](t testing.TB, s []T) []T {
	t.Helper()
	if len(s) == 0 {
		return nil
	}
	g := Memory[T](t, len(s))
	copy(g, s)
	return g
}

// Memory returns n zeros that end at an unreadable page, and are readable until the
// test ends.
func Memory[T any](t testing.TB, n int) []T {
	t.Helper()
	if n == 0 {
		return nil
	}
	var one T
	mem := Bytes(t, n*int(unsafe.Sizeof(one)))
	return unsafe.Slice((*T)(unsafe.Pointer(&mem[0])), n)
}
