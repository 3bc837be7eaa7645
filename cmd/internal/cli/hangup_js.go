package cli

import (
	"os"
	"syscall"
)

// hangup stands for a signal that a browser does not have.
var hangup os.Signal = syscall.SIGTERM
