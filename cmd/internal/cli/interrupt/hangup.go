//go:build !wasm

package interrupt

import (
	"os"
	"os/signal"
	"syscall"
)

// Hangup is the signal of a terminal that goes away.
var Hangup os.Signal = syscall.SIGHUP

// HangupCounts reports whether it is to end the process: nohup has it ignored.
func HangupCounts() bool { return !signal.Ignored(Hangup) }
