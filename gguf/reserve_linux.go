package gguf

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// reserve gives f its size and the space on the disk that goes with it.
func reserve(f *os.File, size int64) error {
	// A file system may find out that there is too little only when all of it is used
	// up, which others would suffer from.
	var s unix.Statfs_t
	if unix.Fstatfs(int(f.Fd()), &s) == nil && s.Blocks > 0 && s.Bsize > 0 && uint64(size)/uint64(s.Bsize) > s.Bavail {
		return unix.ENOSPC
	}
	for {
		switch err := unix.Fallocate(int(f.Fd()), 0, 0, size); {
		case errors.Is(err, unix.EINTR):
		case errors.Is(err, errors.ErrUnsupported):
			return f.Truncate(size)
		default:
			return err
		}
	}
}
