package checkpoint

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
)

// errDangling is wrapped by errors about links to files that do not exist. It is not
// [fs.ErrNotExist]: a file that nobody wants is missing without harm, but a link says
// that there was one.
var errDangling = errors.New("the download is not complete, or the folder was copied without what its links are to: " +
	"download it again, or copy it with the files (cp -rL); a link to a file that is not wanted can be removed")

// Dangling returns an error if path is a symbolic link to what does not exist, as in the
// cache of a hub whose blobs were removed; nil otherwise.
func Dangling(path string) error {
	info, err := os.Lstat(path)
	if err != nil || info.Mode()&fs.ModeSymlink == 0 {
		return nil
	}
	if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	to, err := os.Readlink(path)
	if err != nil {
		return nil
	}
	return fmt.Errorf("%s is a link to %s, which does not exist: %w", path, to, errDangling)
}

// Usable returns an error if there is something at path that is no file, or a link to
// nothing; nil if there is a file, or nothing at all. What it refuses must not be opened:
// a named pipe may have no other end, and a device may never end.
func Usable(path string) error {
	if err := Dangling(path); err != nil {
		return err
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().IsRegular() {
		return nil
	}
	return fmt.Errorf("%s is not a regular file but %s: put the file itself in its place, or remove it: %w",
		path, kindOf(info.Mode()), fs.ErrInvalid)
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

// openFile opens a file of a checkpoint.
func openFile(path string) (*os.File, error) {
	if err := Usable(path); err != nil {
		return nil, fmt.Errorf("checkpoint: %w", err)
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("checkpoint: %w", err)
	}
	return f, nil
}

// isThere reports whether there is a file, or a link that may be dangling.
func isThere(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}
