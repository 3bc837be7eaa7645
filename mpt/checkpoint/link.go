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

// openFile opens a file of a checkpoint. What is no file is not opened: a named pipe may
// have no other end.
func openFile(path string) (*os.File, error) {
	if err := Dangling(path); err != nil {
		return nil, fmt.Errorf("checkpoint: %w", err)
	}
	if info, err := os.Stat(path); err == nil && !info.Mode().IsRegular() {
		return nil, fmt.Errorf("checkpoint: %s is not a regular file", path)
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
