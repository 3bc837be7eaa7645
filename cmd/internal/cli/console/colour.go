package console

import (
	"io"
	"os"
	"strings"
)

// Colour is what a terminal is told before a text, so that people see what it is
// (ECMA-48, SGR).
type Colour string

// The colours of what is no answer. Both can be read on a dark and on a light ground.
const (
	PromptColour Colour = "\x1b[1;32m" // bold green
	NoteColour   Colour = "\x1b[36m"   // cyan

	// Plain ends a colour.
	Plain Colour = "\x1b[0m"
)

// Colours reports whether texts on w may have colours: it is a terminal that obeys, and
// neither NO_COLOR (no-color.org) nor TERM speaks against it.
func Colours(w io.Writer) bool {
	return IsTerminal(w) && coloursWanted(os.Getenv) && obeysEscapes(w.(*os.File))
}

func coloursWanted(env func(string) string) bool {
	return env("NO_COLOR") == "" && env("TERM") != "dumb"
}

// paint returns lines in a colour if w shows colours, else as they are.
func paint(w io.Writer, c Colour, lines string) string {
	if !Colours(w) {
		return lines
	}
	text := strings.TrimRight(lines, "\n")
	return string(c) + text + string(Plain) + lines[len(text):]
}
