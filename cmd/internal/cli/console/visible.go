package console

import (
	"fmt"
	"io"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Visible returns a text that may come from a file with its control characters, which a
// terminal would obey, and marks that turn the direction of writing, written as escapes.
func Visible(s string) string {
	if !strings.ContainsFunc(s, hidden) && utf8.ValidString(s) {
		return s
	}
	var b strings.Builder
	for i, r := range s {
		switch {
		case r == utf8.RuneError && !strings.HasPrefix(s[i:], string(r)):
			fmt.Fprintf(&b, `\x%02x`, s[i])
		case !hidden(r):
			b.WriteRune(r)
		case r < 0x100:
			fmt.Fprintf(&b, `\x%02x`, r)
		default:
			fmt.Fprintf(&b, `\u%04x`, r)
		}
	}
	return b.String()
}

// hidden reports whether a character is not to be printed as it is.
func hidden(r rune) bool {
	return unicode.IsControl(r) && r != '\n' && r != '\t' || unicode.Is(unicode.Bidi_Control, r)
}

// VisibleWriter shows texts on a terminal as visible returns them, but for the ends of lines.
// Every write must be whole characters.
type VisibleWriter struct{ W io.Writer }

// Write implements io.Writer.
func (v VisibleWriter) Write(b []byte) (int, error) {
	if _, err := io.WriteString(v.W, strings.ReplaceAll(Visible(string(b)), `\x0d`, "\r")); err != nil {
		return 0, err
	}
	return len(b), nil
}

// OneLine returns a name from a file so that it stays in its place in a table.
func OneLine(s string) string {
	return strings.NewReplacer("\n", `\n`, "\t", `\t`, "\r", `\r`).Replace(Visible(s))
}
