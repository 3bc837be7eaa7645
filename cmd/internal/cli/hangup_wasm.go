package cli

import "os"

// hangup stands for a signal that WebAssembly does not have.
var hangup = os.Interrupt

// hangupCounts reports that there are no hangups. To ask os/signal would be a panic here.
func hangupCounts() bool { return false }
