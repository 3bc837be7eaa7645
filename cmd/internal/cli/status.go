package cli

import (
	"fmt"
	"io"
	"os"
	"time"
)

// status is a line about work that is going on. On a terminal each line takes
// the place of the one before; elsewhere one is printed now and then.
type status struct {
	w     io.Writer
	lines bool      // w is a terminal that can erase a line
	shown bool      // there is a line on the terminal
	next  time.Time // when the next line is due elsewhere
}

// statusEvery is the time between lines where there is no terminal.
const statusEvery = 10 * time.Second

func newStatus(w io.Writer) *status {
	return &status{w: w, lines: isTerminal(w) && obeysEscapes(w.(*os.File)), next: time.Now().Add(statusEvery)}
}

func (s *status) show(format string, args ...any) {
	switch now := time.Now(); {
	case s.lines:
		s.shown = true
		fmt.Fprintf(s.w, clearLine+format, args...)
	case now.After(s.next):
		s.next = now.Add(statusEvery)
		fmt.Fprintf(s.w, format+"\n", args...)
	}
}

// clear takes the line off the terminal.
func (s *status) clear() {
	if s.shown {
		fmt.Fprint(s.w, clearLine)
	}
	s.shown = false
}

// clearLine goes to the start of the line and erases it (ECMA-48, EL).
const clearLine = "\r\x1b[K"
