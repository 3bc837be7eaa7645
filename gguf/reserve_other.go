//go:build !linux

package gguf

import "os"

// reserve gives f its size. Whether that reserves space depends on the file
// system.
func reserve(f *os.File, size int64) error { return f.Truncate(size) }
