//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd || solaris

package slab

import "github.com/edsrzf/mmap-go"

// Private memory: unlike shared memory it may lie in large pages.
const access = mmap.COPY
