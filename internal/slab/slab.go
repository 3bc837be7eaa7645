// Package slab allocates large memory outside of Go's heap: the collector lets a heap
// grow to twice what is in use, and gives memory back late. A slab takes memory from
// the system as it is written to and gives it back when it is freed.
package slab

import "fmt"

// Alloc returns n bytes of zeros, which begin at a cache line or a page of the system.
// On systems without mapped memory they are part of Go's heap.
func Alloc(n int) ([]byte, error) {
	if n < 0 {
		return nil, fmt.Errorf("slab: %d bytes", n)
	}
	if n == 0 {
		return nil, nil
	}
	return alloc(n)
}

// Free gives back what [Alloc] has returned, which must not be used any more.
func Free(b []byte) error {
	if len(b) == 0 {
		return nil
	}
	return free(b)
}
