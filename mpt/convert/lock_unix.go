//go:build linux || darwin || freebsd || netbsd || openbsd || dragonfly

package convert

import (
	"os"
	"syscall"
	"time"
)

// lockable reports whether there are locks.
const lockable = true

// lockAlone takes a lock on f if nobody else has one.
func lockAlone(f *os.File) bool {
	return syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) == nil
}

// lockShared takes a lock on f, in the place of the one there is, that others may
// have too. Nobody has one alone for long; if somebody does, it is not ours to wait.
func lockShared(f *os.File) {
	for range 100 {
		if syscall.Flock(int(f.Fd()), syscall.LOCK_SH|syscall.LOCK_NB) != syscall.EWOULDBLOCK {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
}
