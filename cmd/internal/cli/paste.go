package cli

import (
	"bytes"
	"io"
	"strings"
	"sync"
	"unicode/utf8"
)

// paste stands between the terminal and readline, which draws the whole line anew
// for every character: a pasted text of 100 KB would take it minutes. Text that
// arrives in one piece goes to readline as one character, pasteMark, and OnChange puts
// the text in its place.
type paste struct {
	r    io.Reader
	rest []byte // of a character that has not arrived as a whole
	out  []byte // for readline
	err  error  // comes after out
	esc  bool   // the last byte of out, or before it, begins an escape sequence

	mu   sync.Mutex
	held []string // the texts of the marks that are on their way
}

const (
	pasteMark = '\uFDD0' // no text has it: it is not a character
	pasteMin  = 16       // shorter pieces may be typed, and are drawn fast enough
)

func newPaste(r io.Reader) *paste { return &paste{r: r} }

// Read implements io.Reader.
func (p *paste) Read(b []byte) (int, error) {
	for len(p.out) == 0 {
		if p.err != nil {
			return 0, p.err
		}
		var piece [1 << 12]byte
		n, err := p.r.Read(piece[:])
		p.err = err
		p.take(append(p.rest, piece[:n]...))
	}
	n := copy(b, p.out)
	p.out = p.out[n:]
	return n, nil
}

// take makes out of what has arrived.
func (p *paste) take(piece []byte) {
	p.rest = nil
	if tail := incompleteTail(piece); tail > 0 && p.err == nil {
		p.rest = bytes.Clone(piece[len(piece)-tail:])
		piece = piece[:len(piece)-tail]
	}
	for len(piece) > 0 {
		n := bytes.IndexFunc(piece, isControl)
		if n < 0 {
			n = len(piece)
		}
		if n > 0 {
			p.text(string(piece[:n]))
			piece, p.esc = piece[n:], false
			continue
		}
		p.esc = piece[0] == 0x1b
		p.out, piece = append(p.out, piece[0]), piece[1:]
	}
}

// text passes on a text without control characters.
func (p *paste) text(s string) {
	s = strings.ReplaceAll(s, string(pasteMark), string(utf8.RuneError))
	if p.esc || utf8.RuneCountInString(s) < pasteMin {
		p.out = append(p.out, s...)
		return
	}
	p.mu.Lock()
	p.held = append(p.held, s)
	p.mu.Unlock()
	p.out = utf8.AppendRune(p.out, pasteMark)
}

// OnChange implements readline.Listener.
func (p *paste) OnChange(line []rune, pos int, key rune) (newLine []rune, newPos int, ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if key != pasteMark || len(p.held) == 0 {
		return nil, 0, false
	}
	text := []rune(p.held[0])
	p.held = p.held[1:]
	at := pos - 1
	if at < 0 || at >= len(line) || line[at] != pasteMark {
		return nil, 0, false // it went elsewhere, into the search of the history for instance
	}
	newLine = append(append(append(newLine, line[:at]...), text...), line[at+1:]...)
	return newLine, at + len(text), true
}

func isControl(r rune) bool { return r < ' ' || r == 0x7f }

// incompleteTail returns the length of the character that b ends within.
func incompleteTail(b []byte) int {
	for n := 1; n < utf8.UTFMax && n <= len(b); n++ {
		if c := b[len(b)-n]; utf8.RuneStart(c) {
			if utf8.FullRune(b[len(b)-n:]) {
				return 0
			}
			return n
		}
	}
	return 0
}
