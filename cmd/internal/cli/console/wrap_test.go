package console

import (
	"strings"
	"testing"
)

// wrapped returns what a terminal of so many columns is sent for a text in pieces of n bytes
// that are whole characters.
func wrapped(t *testing.T, columns, n int, text string) string {
	t.Helper()
	var b strings.Builder
	w := NewWrapper(&b, func() int { return columns })
	for piece := ""; text != ""; piece = "" {
		for _, r := range text {
			if piece += string(r); len(piece) >= n {
				break
			}
		}
		text = text[len(piece):]
		if _, err := w.Write([]byte(piece)); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestWrap(t *testing.T) {
	const long = "pneumonoultramicroscopicsilicovolcanoconiosis"
	for _, c := range []struct{ name, text, want string }{
		{"short", "Once upon a time\n", "Once upon a time\n"},
		{"words", "Once upon a time there was a cat.", "Once upon a time\nthere was a cat."},
		{"the last column stays free", "aaaa bbbb cccc dddd eeee", "aaaa bbbb cccc dddd\neeee"},
		{"too wide by one", "aaaa bbbb cccc ddddd eee", "aaaa bbbb cccc\nddddd eee"},
		{"spaces at a break", "aaaa bbbb cccc dddd   eeee", "aaaa bbbb cccc dddd\neeee"},
		{"spaces elsewhere", "  a  b \n c ", "  a  b \n c "},
		{"lines of the text", "a\n\nb\nccccc ddddd eeeee fffff\n", "a\n\nb\nccccc ddddd eeeee\nfffff\n"},
		{"a long word", "so " + long + " it is", "so\n" + long + " it is"},
		{"paths", "it is in (/some/folder/of/yours) now", "it is in\n(/some/folder/of/yours) now"},
		{"hyphens", "a well-known state-of-the-art cat", "a well-known state-\nof-the-art cat"},
		{"wide", "猫が好きです猫が好きです", "猫が好きです猫が好\nきです"},
		{"wide and narrow", "the 猫猫猫 and 猫猫猫猫", "the 猫猫猫 and 猫猫\n猫猫"},
		{"marks", strings.Repeat("e\u0301", 19) + " x", strings.Repeat("e\u0301", 19) + "\nx"},
		{"emoji", "👩‍👩‍👧👩‍👩‍👧👩‍👩‍👧👩‍👩‍👧 aaaa bbbb cccc", "👩‍👩‍👧👩‍👩‍👧👩‍👩‍👧👩‍👩‍👧 aaaa bbbb\ncccc"},
		{"tabs", "a\tb\tccccc ddddd", "a\tb\t\nccccc ddddd"},
		{"code", "See what it is:\n```go\nfunc main() { fmt.Println(1, 2, 3) }\n```\nand more words come here",
			"See what it is:\n```go\nfunc main() { fmt.Println(1, 2, 3) }\n```\nand more words come\nhere"},
		{"code with other marks", "~~~\n``` is not the end of this here\n~~~ \naaaa bbbb cccc dddd e", "~~~\n``` is not the end of this here\n~~~ \naaaa bbbb cccc dddd\ne"},
		{"indented code", "    x := 1 + 2 + 3 + 4 + 5 + 6\nx", "    x := 1 + 2 + 3 + 4 + 5 + 6\nx"},
		{"table", "| a | b | c | d | e | f | g |\n|---|", "| a | b | c | d | e | f | g |\n|---|"},
	} {
		for _, n := range []int{1, 2, 3, 5, 1000} {
			if got := wrapped(t, 20, n, c.text); got != c.want {
				t.Errorf("%s, in pieces of %d bytes: got\n%s\nwant\n%s", c.name, n, got, c.want)
			}
		}
	}
}

// A word that is wider than the screen is shown as it comes.
func TestWrapLongWord(t *testing.T) {
	var b strings.Builder
	w := NewWrapper(&b, func() int { return 20 })
	long := strings.Repeat("abcde", 21)
	for at := range len(long) / 5 {
		w.Write([]byte(long[5*at : 5*at+5]))
		if hidden := 5*at + 5 - b.Len(); hidden >= 20 {
			t.Errorf("%d characters of %d are not shown", hidden, 5*at+5)
		}
	}
	w.Write([]byte(" aaaa bbbb cccc dddd"))
	w.Flush()
	if got, want := b.String(), long+" aaaa bbbb\ncccc dddd"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// What is too narrow to break lines for, or has no known width, shows the text as it is.
func TestWrapNot(t *testing.T) {
	const text = "aaaa bbbb cccc dddd eeee ffff gggg\nhhhh iiii  \n"
	for _, columns := range []int{0, -1, 1, narrow - 1} {
		if got := wrapped(t, columns, 3, text); got != text {
			t.Errorf("%d columns: got %q", columns, got)
		}
	}
	var b strings.Builder
	if w := Wrap(&b); w != &b {
		t.Errorf("what is no terminal is wrapped by %T", w)
	}
}

// A terminal that becomes wider or narrower counts from then on.
func TestWrapResized(t *testing.T) {
	var b strings.Builder
	columns := 80
	w := NewWrapper(&b, func() int { return columns })
	w.Write([]byte("aaaa bbbb cccc dddd "))
	columns = 20
	w.Write([]byte("eeee ffff "))
	w.Flush()
	if got, want := b.String(), "aaaa bbbb cccc dddd\neeee ffff "; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestColoursWanted(t *testing.T) {
	for _, c := range []struct {
		noColor, term string
		want          bool
	}{{"", "xterm", true}, {"", "", true}, {"", "dumb", false}, {"1", "xterm", false}, {"0", "xterm", false}} {
		env := map[string]string{"NO_COLOR": c.noColor, "TERM": c.term}
		if got := coloursWanted(func(name string) string { return env[name] }); got != c.want {
			t.Errorf("NO_COLOR=%s TERM=%s: %v", c.noColor, c.term, got)
		}
	}
	var b strings.Builder
	if got := paint(&b, NoteColour, "a\n"); got != "a\n" {
		t.Errorf("what is no terminal gets %q", got)
	}
}
