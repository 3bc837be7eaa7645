//go:build !wasm

package cli

import (
	"os"
	"os/signal"
	"syscall"
)

// hangup is the signal of a terminal that goes away.
var hangup os.Signal = syscall.SIGHUP

// hangupCounts reports whether it is to end the process: nohup has it ignored.
func hangupCounts() bool { return !signal.Ignored(hangup) }
