//go:build !unix

package server

import "os"

// hangup asks a process to read its files again; nil: there is no such signal.
var hangup os.Signal
