package interrupt

import "os"

// Hangup stands for a signal that WebAssembly does not have.
var Hangup = os.Interrupt

// HangupCounts reports that there are no hangups. To ask os/signal would be a panic here.
func HangupCounts() bool { return false }
