package hub

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
)

// ErrSpace is wrapped by the error of a disk that is too small.
var ErrSpace = errors.New("not enough space on the disk")

// free is replaced by tests.
var free = freeBytes

// checkSpace returns an error if n bytes, and one in a hundred more, do not fit on the
// disk of the folder dir, which need not exist yet.
func checkSpace(dir string, n int64) error {
	for {
		if _, err := os.Stat(dir); err == nil || dir == filepath.Dir(dir) {
			break
		}
		dir = filepath.Dir(dir)
	}
	n += n / 100
	if have, ok := free(dir); ok && have < n {
		return fmt.Errorf("%s: %w: %s are needed, %s are free", dir, ErrSpace, gigabytes(n), gigabytes(have))
	}
	return nil
}

// gigabytes writes bytes as the sites and disks do.
func gigabytes(n int64) string {
	if n < 1e9 {
		return fmt.Sprintf("%.1f MB", float64(n)/1e6)
	}
	return fmt.Sprintf("%.1f GB", float64(n)/1e9)
}

// full names the cause if err is that of a full disk, and says that nothing is lost.
func full(err error) error {
	if errors.Is(err, syscall.ENOSPC) {
		return fmt.Errorf("%w: %w: what has come is kept: make room and start again", ErrSpace, err)
	}
	return err
}
