//go:build unix

package newfile

import (
	"io/fs"
	"os"
	"syscall"
)

// keepOwner gives a file the owner and the group of another, as far as the process may.
func keepOwner(file string, like fs.FileInfo) {
	st, ok := like.Sys().(*syscall.Stat_t)
	if !ok {
		return
	}
	if os.Chown(file, int(st.Uid), int(st.Gid)) != nil {
		os.Chown(file, -1, int(st.Gid))
	}
}
