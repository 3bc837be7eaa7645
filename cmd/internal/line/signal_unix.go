//go:build unix

package line

import (
	"os"
	"os/signal"
	"syscall"
	"time"
)

// signals are those that tell about the terminal.
type signals struct {
	resized, resumed chan os.Signal
}

func (s *signals) start() {
	s.resized, s.resumed = make(chan os.Signal, 1), make(chan os.Signal, 1)
	signal.Notify(s.resized, syscall.SIGWINCH)
	signal.Notify(s.resumed, syscall.SIGCONT)
}

func (s *signals) end() {
	signal.Stop(s.resized)
	signal.Stop(s.resumed)
}

// stopGroup stops the processes that the terminal stops when Ctrl-Z is pressed and it is not
// in raw mode, and returns when they go on. Where no shell would let them go on, the signal
// stops nothing.
func (e *Editor) stopGroup() {
	syscall.Kill(0, syscall.SIGTSTP)
	select {
	case <-e.signals.resumed:
	case <-time.After(100 * time.Millisecond):
	}
}
