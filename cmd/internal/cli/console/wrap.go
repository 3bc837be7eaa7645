package console

import (
	"io"
	"os"
	"strings"

	"github.com/rivo/uniseg"
	"golang.org/x/term"
)

// Wrapper breaks lines of a text between words, where Unicode allows it (UAX 14), so that they
// fit on a terminal. The text may come in pieces: a word is written when it has ended or is as
// wide as the screen, at the latest by [Wrapper.Flush]. Blocks of code and tables stay as they are, and so does a word
// that is longer than a line. Every write must be whole characters.
type Wrapper struct {
	w       io.Writer
	columns func() int // of the terminal now; less than narrow: nothing is broken

	held   string // a word that may go on
	begun  bool   // and whose beginning is on the screen
	space  string // what is between it and the word before it
	line   string // how the line of the text, not of the screen, begins
	column int    // on the screen
	fence  string // what ends the block of code, "" outside of one
	out    strings.Builder
}

const (
	narrow     = 20 // columns that are too few to break lines for
	lineHead   = 16 // bytes of a line that tell whether it is to be broken
	tabStop    = 8
	codeIndent = "    "
)

// Wrap returns a [Wrapper] around w if it is a terminal, of which it asks the width as it
// goes, and w itself if it is none.
func Wrap(w io.Writer) io.Writer {
	if !IsTerminal(w) {
		return w
	}
	return NewWrapper(w, columnsOf(w.(*os.File)))
}

// columnsOf returns a function that tells the width of a terminal, 0 if it is not known.
func columnsOf(f *os.File) func() int {
	return func() int {
		columns, _, err := term.GetSize(int(f.Fd()))
		if err != nil {
			return 0
		}
		return columns
	}
}

// NewWrapper returns a wrapper for a screen of so many columns.
func NewWrapper(w io.Writer, columns func() int) *Wrapper { return &Wrapper{w: w, columns: columns} }

// Write implements io.Writer.
func (w *Wrapper) Write(b []byte) (int, error) {
	w.held += string(b)
	for w.held != "" {
		n, ended := w.segment()
		if !ended && uniseg.StringWidth(w.held) < max(narrow, w.columns()) {
			break
		}
		w.put(w.held[:n])
		w.held = w.held[n:]
		w.begun = !ended && w.space == ""
	}
	return len(b), w.send()
}

// Flush writes what was held back. The text may go on.
func (w *Wrapper) Flush() error {
	if w.held != "" {
		w.put(w.held)
	}
	w.write(w.space)
	w.held, w.space = "", ""
	return w.send()
}

// send hands over what is to be written.
func (w *Wrapper) send() error {
	if w.out.Len() == 0 {
		return nil
	}
	_, err := io.WriteString(w.w, w.out.String())
	w.out.Reset()
	return err
}

// segment returns the length of the text up to where a line may be broken or ends, and
// whether it is known that it ends there. The lines of code need not wait for that.
func (w *Wrapper) segment() (n int, ended bool) {
	if i := strings.IndexByte(w.held, '\n'); w.fence != "" || w.verbatim() {
		if i >= 0 {
			return i + 1, true
		}
		return len(w.held), true
	}
	for rest, state := w.held, -1; ; {
		var s string
		s, rest, _, state = uniseg.FirstLineSegmentInString(rest, state)
		n += len(s)
		if rest == "" || !strings.HasSuffix(s, "/") { // paths and commands stay whole
			return n, rest != "" || strings.HasSuffix(s, "\n")
		}
	}
}

// put writes a segment, but not yet spaces at its end. Where there is no room for it on the
// line it goes to the next one, and the spaces before it are left out.
func (w *Wrapper) put(s string) {
	if len(w.line) < lineHead {
		w.line += s
	}
	word := strings.TrimRight(s, " ")
	if w.column > 0 && !w.begun && w.full(strings.TrimSuffix(word, "\n")) {
		w.space = "\n"
	}
	w.write(w.space + word)
	w.space = s[len(word):]
	if strings.HasSuffix(word, "\n") {
		w.endLine()
	}
}

// full reports whether a word has no room on the line of the screen.
func (w *Wrapper) full(word string) bool {
	columns := w.columns()
	if columns < narrow || w.fence != "" || w.verbatim() {
		return false
	}
	// Nothing is written in the last column: terminals differ in what they do there.
	return w.column+uniseg.StringWidth(w.space+word) >= columns
}

// write writes a text as it is.
func (w *Wrapper) write(s string) {
	w.out.WriteString(s)
	w.advance(s, w.columns())
}

// advance moves on the screen as the terminal does.
func (w *Wrapper) advance(s string, columns int) {
	if i := strings.LastIndexAny(s, "\r\n"); i >= 0 {
		w.column, s = 0, s[i+1:]
	}
	for i, part := range strings.Split(s, "\t") {
		if i > 0 {
			w.column += tabStop - w.column%tabStop
		}
		w.column += uniseg.StringWidth(part)
	}
	if columns > 0 {
		w.column %= columns
	}
}

// verbatim reports whether the line is code, a table, or the beginning or end of a block.
func (w *Wrapper) verbatim() bool {
	return strings.HasPrefix(w.line, codeIndent) || strings.HasPrefix(w.line, "\t") ||
		strings.HasPrefix(strings.TrimLeft(w.line, " "), "|") || fenceOf(w.line) != ""
}

// endLine goes on to the next line, which may be in a block of code.
func (w *Wrapper) endLine() {
	switch f := fenceOf(w.line); {
	case w.fence == "":
		w.fence = f
	case f == w.fence && strings.Trim(w.line, f[:1]+" \n") == "":
		w.fence = ""
	}
	w.line = ""
}

// fenceOf returns the mark that a line begins with if it begins or ends a block of code.
func fenceOf(line string) string {
	line = strings.TrimLeft(line, " ")
	for _, mark := range []string{"```", "~~~"} {
		if strings.HasPrefix(line, mark) {
			return mark
		}
	}
	return ""
}
