//go:build !(linux || darwin || freebsd || netbsd || openbsd || dragonfly || windows)

package filelock

import (
	"errors"
	"os"
)

// lockFile does nothing: there are no locks here.
func lockFile(*os.File) error { return nil }

func release(f *os.File) error { return errors.Join(f.Close(), os.Remove(f.Name())) }
