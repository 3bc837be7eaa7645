package gguf

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// reserve gives f its size and the space on the disk that goes with it.
func reserve(f *os.File, size int64) error {
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
