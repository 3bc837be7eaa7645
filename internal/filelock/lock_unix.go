//go:build linux || darwin || freebsd || netbsd || openbsd || dragonfly

package filelock

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// lockByte locks a file, all of it, until it is closed.
func lockByte(f *os.File, _ uint64) error {
	for {
		err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		switch {
		case errors.Is(err, unix.EINTR):
		case errors.Is(err, unix.EWOULDBLOCK):
			return ErrLocked
		default:
			return nil
		}
	}
}

// release removes the name first: afterwards it might be that of another's lock.
func release(f *os.File) error { return errors.Join(os.Remove(f.Name()), f.Close()) }
