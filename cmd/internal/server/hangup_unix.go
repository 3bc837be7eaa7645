//go:build unix

package server

import (
	"os"
	"syscall"
)

// hangup asks a process to read its files again.
var hangup os.Signal = syscall.SIGHUP
