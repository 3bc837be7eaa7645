// Package console talks to people: what a command says beside its results, and how numbers and
// names look. Start with [Note], a line of talk. [Status] is a line about work that goes on,
// [Progress] a bar about bytes, [Visible] a text from a file that cannot command the terminal.
package console

import (
	"fmt"
	"io"
	"os"
	"strings"
)

// Note prints a line of talk, see [Talk]. What package mpt says begins with the name of the
// program already, also where a command has put something before it.
func Note(w io.Writer, format string, args ...any) {
	text := ": " + fmt.Sprintf(format, args...)
	for _, name := range []string{"mpt", "measure"} {
		text = strings.ReplaceAll(text, ": "+name+": ", ": ")
	}
	Talk(w, "mpt"+Visible(flagWords.Replace(text))+"\n")
}

// Talk prints lines that are no result. On a terminal they have the colour of notes and are
// broken between words.
func Talk(w io.Writer, lines string) {
	if f, ok := w.(*os.File); ok && IsTerminal(w) {
		var b strings.Builder
		wrap := NewWrapper(&b, columnsOf(f))
		io.WriteString(wrap, lines) // into memory: it does not fail
		wrap.Flush()
		lines = b.String()
	}
	io.WriteString(w, paint(w, NoteColour, lines))
}
