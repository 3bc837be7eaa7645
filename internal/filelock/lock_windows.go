package filelock

import (
	"errors"
	"os"

	"golang.org/x/sys/windows"
)

// lockByte locks a byte of a file, or behind its end, until it is closed: locked bytes cannot be read by
// others here.
func lockByte(f *os.File, at uint64) error {
	const how = windows.LOCKFILE_EXCLUSIVE_LOCK | windows.LOCKFILE_FAIL_IMMEDIATELY
	where := &windows.Overlapped{Offset: uint32(at), OffsetHigh: uint32(at >> 32)}
	err := windows.LockFileEx(windows.Handle(f.Fd()), how, 0, 1, 0, where)
	if errors.Is(err, windows.ERROR_LOCK_VIOLATION) {
		return ErrLocked
	}
	return nil
}

// release closes the file first: one that is open cannot be removed. If another process has it by then,
// it stays.
func release(f *os.File) error {
	err := f.Close()
	os.Remove(f.Name())
	return err
}
