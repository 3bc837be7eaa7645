package console

import (
	"fmt"
	"io"
	"os"
	"time"
)

// Status is a line about work that is going on. On a terminal each line takes
// the place of the one before; elsewhere one is printed now and then.
type Status struct {
	w     io.Writer
	lines bool      // w is a terminal that can erase a line
	shown bool      // there is a line on the terminal
	next  time.Time // when the next line is due elsewhere
}

// statusEvery is the time between lines where there is no terminal.
const statusEvery = 10 * time.Second

// NewStatus returns a line on w.
func NewStatus(w io.Writer) *Status {
	return &Status{w: w, lines: IsTerminal(w) && obeysEscapes(w.(*os.File)), next: time.Now().Add(statusEvery)}
}

// Show shows another line, without its end: on what is no terminal, if one is due.
func (s *Status) Show(format string, args ...any) {
	switch now := time.Now(); {
	case s.lines:
		s.shown = true
		fmt.Fprintf(s.w, clearLine+format, args...)
	case now.After(s.next):
		s.next = now.Add(statusEvery)
		fmt.Fprintf(s.w, format+"\n", args...)
	}
}

// Clear takes the line off the terminal.
func (s *Status) Clear() {
	if s.shown {
		fmt.Fprint(s.w, clearLine)
	}
	s.shown = false
}

// clearLine goes to the start of the line and erases it (ECMA-48, EL).
const clearLine = "\r\x1b[K"
