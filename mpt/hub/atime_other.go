//go:build !linux

package hub

import (
	"io/fs"
	"time"
)

// lastUse returns when a file was last written.
func lastUse(info fs.FileInfo) time.Time { return info.ModTime() }
