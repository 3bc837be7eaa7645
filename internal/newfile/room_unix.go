//go:build linux || darwin

package newfile

import "syscall"

// Room returns how many bytes a folder's file system has left for this user; ok is false if it does not say.
func Room(dir string) (bytes int64, ok bool) {
	var s syscall.Statfs_t
	if syscall.Statfs(dir, &s) != nil || s.Blocks == 0 || s.Bsize <= 0 {
		return 0, false
	}
	return int64(s.Bavail) * int64(s.Bsize), true
}
