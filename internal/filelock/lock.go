// Package filelock has processes take turns: a lock is a file, and its holder the process that has it
// locked. The system unlocks it when that process ends, however it does. Start with [Take]; for a file
// that has content of its own, or that programs of others lock too, with [LockFile] or [LockFirstByte].
package filelock

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"time"
)

// Lock is a lock that this process holds.
type Lock struct{ file *os.File }

// HeldError says that another process holds a lock.
type HeldError struct {
	Path   string
	Holder string // what it has written about itself: "process 17 on host since 2006-01-02 15:04:05"
}

func (e *HeldError) Error() string { return fmt.Sprintf("%s: %s holds it", e.Path, e.Holder) }

// ErrLocked says that another process, or another open file of this one, has the lock.
var ErrLocked = errors.New("another process has the lock")

// LockFile locks an open file until it is closed, or returns [ErrLocked]. Others may read and write it
// meanwhile. A file system that has no locks is one that has no other process: there it does nothing.
func LockFile(f *os.File) error { return lockByte(f, farByte) }

// LockFirstByte is [LockFile] for turns with Python's filelock. On Windows, whose locks are of bytes, that
// locks the first one, which nobody else can read or write then; elsewhere there is no difference.
func LockFirstByte(f *os.File) error { return lockByte(f, 0) }

// farByte is far behind the end of any file.
const farByte = 1 << 62

// Take takes the lock at path, which is made if it is not there, and writes into it who has it. If
// another process does, the error is a [*HeldError]. A file system that has no locks is one that has no
// other process.
func Take(path string) (*Lock, error) {
	for {
		f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o666)
		if err != nil {
			return nil, err
		}
		switch err := LockFile(f); {
		case errors.Is(err, ErrLocked):
			f.Close()
			return nil, &HeldError{path, holder(path)}
		case err != nil:
			f.Close()
			return nil, err
		}
		if !Named(f, path) { // its holder has released and removed it meanwhile
			f.Close()
			continue
		}
		l := &Lock{f}
		if err := errors.Join(f.Truncate(0), introduce(f)); err != nil {
			return nil, errors.Join(err, l.Release())
		}
		return l, nil
	}
}

// introduce writes who this process is.
func introduce(f *os.File) error {
	host, err := os.Hostname()
	if err != nil {
		host = "this machine"
	}
	_, err = fmt.Fprintf(f, "process %d on %s since %s\n", os.Getpid(), host, time.Now().Format(time.DateTime))
	return err
}

// holder returns what the holder of a lock has written.
func holder(path string) string {
	const most = 500 // of a file that may be anything
	b, err := os.ReadFile(path)
	line, _, _ := strings.Cut(string(b[:min(len(b), most)]), "\n")
	if err != nil || line == "" {
		return "another process"
	}
	return line
}

// Named reports whether path still is the name of f: who removes a lock does so while it has it, and a lock
// on a file that has lost its name says nothing.
func Named(f *os.File, path string) bool {
	mine, err := f.Stat()
	if err != nil {
		return false
	}
	there, err := os.Stat(path)
	return err == nil && os.SameFile(mine, there)
}

// Release gives the lock back and removes its file.
func (l *Lock) Release() error {
	if l == nil {
		return nil
	}
	return release(l.file)
}
