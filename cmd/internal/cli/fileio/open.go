// Package fileio reads and writes files as commands do: an input that does not end is an error,
// a signal ends the wait for a pipe, an output is there whole or not at all. Start with
// [ReadFile] and [Write].
package fileio

import (
	"fmt"
	"io/fs"
	"os"
)

// IsFile reports whether path is a regular file.
func IsFile(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular()
}

// IsFolder reports whether path is a folder.
func IsFolder(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}

// Exists reports whether there is something at path.
func Exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// Open is os.Open for files that must not be pipes, for which it would wait, or devices.
func Open(name string) (*os.File, error) {
	if err := Regular(name); err != nil {
		return nil, err
	}
	return os.Open(name)
}

// Regular returns an error if there is something with this name that is no file.
func Regular(name string) error {
	if info, err := os.Stat(name); err == nil && !info.Mode().IsRegular() {
		return &fs.PathError{Op: "open", Path: name, Err: fmt.Errorf("not a regular file but %s", kindOf(info.Mode()))}
	}
	return nil
}

func kindOf(m fs.FileMode) string {
	switch {
	case m.IsDir():
		return "a folder"
	case m&fs.ModeNamedPipe != 0:
		return "a named pipe"
	case m&fs.ModeSocket != 0:
		return "a socket"
	}
	return "a device"
}
