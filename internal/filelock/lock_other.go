//go:build !(linux || darwin || freebsd || netbsd || openbsd || dragonfly || windows)

package filelock

import (
	"errors"
	"os"
)

// lockByte does nothing: there are no locks here.
func lockByte(*os.File, uint64) error { return nil }

func release(f *os.File) error { return errors.Join(f.Close(), os.Remove(f.Name())) }
