// Package console talks to people: what a command says beside its results, and how numbers and
// names look. Start with [Note], a line of talk. [Status] is a line about work that goes on,
// [Progress] a bar about bytes, [Visible] a text from a file that cannot command the terminal.
package console

import (
	"fmt"
	"io"
	"strings"
)

// Note prints a line of talk, in its colour. What package mpt says begins with the name of the
// program already, also where a command has put something before it.
func Note(w io.Writer, format string, args ...any) {
	text := ": " + fmt.Sprintf(format, args...)
	for _, name := range []string{"mpt", "measure"} {
		text = strings.ReplaceAll(text, ": "+name+": ", ": ")
	}
	io.WriteString(w, Paint(w, NoteColour, "mpt"+Visible(flagWords.Replace(text))+"\n"))
}
