//go:build linux || darwin || freebsd

package hub

import "golang.org/x/sys/unix"

// freeBytes returns how many bytes may still be written to the file system of dir.
func freeBytes(dir string) (int64, bool) {
	var s unix.Statfs_t
	if unix.Statfs(dir, &s) != nil {
		return 0, false
	}
	return int64(s.Bavail) * int64(s.Bsize), true
}
