package hub

import (
	"io/fs"
	"syscall"
	"time"
)

// lastUse returns when a file was last read or written.
func lastUse(info fs.FileInfo) time.Time {
	used := info.ModTime()
	if s, ok := info.Sys().(*syscall.Stat_t); ok {
		if at := time.Unix(s.Atim.Unix()); at.After(used) {
			used = at
		}
	}
	return used
}
