//go:build !(darwin || dragonfly || freebsd || linux || netbsd || openbsd || solaris || windows)

package slab

import "unsafe"

// line is the size of a cache line.
const line = 64

func alloc(n int) ([]byte, error) {
	b := make([]byte, n+line)
	skip := -int(uintptr(unsafe.Pointer(&b[0]))) & (line - 1)
	return b[skip : skip+n : skip+n], nil
}

func free([]byte) error { return nil }
