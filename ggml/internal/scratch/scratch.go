// Package scratch is memory that calls work in and keep for the next one.
package scratch

import "unsafe"

// grow sets the length of *buf to n and returns it; the content is arbitrary if
// it was shorter.
func Grow[T any](buf *[]T, n int) []T {
	if cap(*buf) < n {
		*buf = make([]T, n)
	}
	*buf = (*buf)[:n]
	return *buf
}

// Bytes returns the memory of x as bytes.
func Bytes(x []float32) []byte {
	return unsafe.Slice((*byte)(unsafe.Pointer(&x[0])), 4*len(x))
}
