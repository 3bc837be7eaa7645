//go:build !js

package cli

import (
	"os"
	"syscall"
)

// hangup is the signal of a terminal that goes away.
var hangup os.Signal = syscall.SIGHUP
