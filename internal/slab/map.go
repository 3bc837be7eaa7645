//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd || solaris || windows

package slab

import (
	"fmt"

	"github.com/edsrzf/mmap-go"
)

func alloc(n int) ([]byte, error) {
	m, err := mmap.MapRegion(nil, n, access, mmap.ANON, 0)
	if err != nil {
		return nil, fmt.Errorf("slab: %d bytes: %w", n, err)
	}
	return m, nil
}

func free(b []byte) error {
	m := mmap.MMap(b)
	return m.Unmap()
}
