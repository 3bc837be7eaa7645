package cli

import (
	"bytes"
	"io"
	"slices"
	"strings"
	"sync"
	"unicode/utf8"
)

// paste stands between the terminal and readline, which draws the whole line anew
// for every character: a pasted text of 100 KB would take it minutes. Text that
// arrives in one piece goes to readline as one character, pasteMark, and OnChange puts
// the text in its place.
//
// A terminal that is asked to tells where a pasted text begins and ends. Such a text
// may have several lines: they are one input, with newLineMark between them.
type paste struct {
	r    io.Reader
	rest []byte // of a character or a mark of the terminal that has not arrived as a whole
	out  []byte // for readline
	err  error  // comes after out
	esc  bool   // the last byte of out, or before it, begins an escape sequence

	inside bool   // of a pasted text
	pasted []byte // of which this has arrived

	mu   sync.Mutex
	held []string // the texts of the marks that are on their way
}

const (
	pasteMark   = '\uFDD0' // no text has these: they are not characters
	newLineMark = '\uFDD1'
	pasteMin    = 16 // shorter pieces may be typed, and are drawn fast enough

	// What a terminal is asked, and what it then puts around a pasted text.
	pasteOn, pasteOff     = "\x1b[?2004h", "\x1b[?2004l"
	pasteBegin, pasteEnds = "\x1b[200~", "\x1b[201~"
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
	for p.rest = nil; len(piece) > 0; {
		if p.inside {
			piece = p.takePasted(piece)
			continue
		}
		before, after, found := bytes.Cut(piece, []byte(pasteBegin))
		if p.inside = found; found {
			p.takeTyped(before)
			piece = after
			continue
		}
		n := len(piece) - beginOf(pasteBegin, piece)
		p.takeTyped(piece[:n])
		p.rest = append(p.rest, piece[n:]...)
		return
	}
}

// takePasted takes what belongs to a pasted text, and returns what follows it.
func (p *paste) takePasted(piece []byte) []byte {
	before, after, found := bytes.Cut(piece, []byte(pasteEnds))
	if !found && p.err == nil {
		n := len(piece) - beginOf(pasteEnds, piece)
		p.pasted = append(p.pasted, piece[:n]...)
		p.rest = bytes.Clone(piece[n:])
		return nil
	}
	text := oneLine(append(p.pasted, before...))
	p.inside, p.pasted = false, nil
	if text != "" {
		p.hold(text)
	}
	return after
}

// beginOf returns the length of the beginning of mark that piece ends with. To hold
// back an escape alone harms nobody: readline waits for what follows it, too.
func beginOf(mark string, piece []byte) int {
	for n := len(mark) - 1; n > 0; n-- {
		if bytes.HasSuffix(piece, []byte(mark[:n])) {
			return n
		}
	}
	return 0
}

// oneLine returns a pasted text with marks for its new lines and without control
// characters.
func oneLine(pasted []byte) string {
	text := strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(unmarked(strings.ToValidUTF8(string(pasted), string(utf8.RuneError))))
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\n':
			return newLineMark
		case isControl(r) && r != '\t':
			return -1
		}
		return r
	}, strings.TrimRight(text, "\n"))
}

// unmarked returns a text without the characters that stand for something else here.
func unmarked(s string) string {
	return strings.NewReplacer(string(pasteMark), string(utf8.RuneError), string(newLineMark), string(utf8.RuneError)).Replace(s)
}

// takeTyped takes what is no pasted text, as far as the terminal says.
func (p *paste) takeTyped(piece []byte) {
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
	s = unmarked(s)
	if p.esc || utf8.RuneCountInString(s) < pasteMin {
		p.out = append(p.out, s...)
		return
	}
	p.hold(s)
}

// hold keeps a text for OnChange.
func (p *paste) hold(s string) {
	p.mu.Lock()
	p.held = append(p.held, s)
	p.mu.Unlock()
	p.out = utf8.AppendRune(p.out, pasteMark)
}

// Paint implements readline.Painter: it shows where a new line is.
func (*paste) Paint(line []rune, _ int) []rune {
	shown := slices.Clone(line)
	for i, r := range shown {
		switch r {
		case newLineMark:
			shown[i] = '↵'
		case pasteMark: // for a moment, before OnChange
			shown[i] = ' '
		}
	}
	return shown
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
