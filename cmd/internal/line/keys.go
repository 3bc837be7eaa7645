//go:build !wasm

package line

import (
	"bytes"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// A key is a key of the keyboard, whatever bytes the terminal sends for it. The control
// characters stand for themselves.
type key rune

const (
	keyHome      key = 1
	keyLeft      key = 2
	keyInterrupt key = 3
	keyEOF       key = 4
	keyEnd       key = 5
	keyRight     key = 6
	keyCancel    key = 7
	keyBackspace key = 8
	keyTab       key = 9
	keyEnter     key = 13
	keyKill      key = 11
	keyClear     key = 12
	keyNext      key = 14
	keyPrev      key = 16
	keySearch    key = 18
	keySearchFwd key = 19
	keyTranspose key = 20
	keyKillFront key = 21
	keyWordRub   key = 23
	keyYank      key = 25
	keySuspend   key = 26

	keyDelete    key = -1
	keyWordLeft  key = -2
	keyWordRight key = -3
	keyWordKill  key = -4
	keyNothing   key = -5 // a sequence without a meaning here
)

// event is what a decoder makes of bytes: a key, or text if the key is 0.
type event struct {
	key  key
	text []rune
}

const (
	escape = 0x1b

	// What a terminal puts around a pasted text, if it is asked to.
	pasteBegin, pasteEnds = "\x1b[200~", "\x1b[201~"

	// newLineMark is a new line within a pasted text, which is one line here. It is not a
	// character, so no text has it.
	newLineMark = '\uFDD1'

	// maxSequence is the length of an escape sequence that is not one.
	maxSequence = 64
)

// decoder makes events of the bytes that a terminal sends.
type decoder struct {
	rest   []byte // what has not been taken yet
	inside bool   // of a pasted text
	pasted []byte // of which this has arrived
}

// feed adds bytes that have arrived together.
func (d *decoder) feed(piece []byte) {
	// Ctrl-C alone was typed: the end of the pasted text is lost.
	if d.inside && len(bytes.Trim(piece, "\x03")) == 0 {
		d.inside, d.pasted, d.rest = false, nil, nil
	}
	d.rest = append(d.rest, piece...)
}

// next returns the next event. There is none if more bytes are needed for it.
func (d *decoder) next() (ev event, ok bool) {
	for len(d.rest) > 0 {
		if d.inside {
			text, ended := d.takePasted()
			if len(text) > 0 {
				return event{text: text}, true
			}
			if !ended {
				return event{}, false
			}
			continue
		}
		if bytes.HasPrefix(d.rest, []byte(pasteBegin)) {
			d.inside, d.rest = true, d.rest[len(pasteBegin):]
			continue
		}
		ev, n := d.take(d.rest)
		if n == 0 {
			return event{}, false
		}
		d.rest = d.rest[n:]
		if ev.key != keyNothing {
			return ev, true
		}
	}
	d.rest = nil // and its memory
	return event{}, false
}

// waiting reports whether an event has begun that only more bytes, or none for a while, end.
func (d *decoder) waiting() bool { return !d.inside && len(d.rest) > 0 }

// giveUp ends what has waited too long: an escape sequence means nothing, and a part of
// a character is not one.
func (d *decoder) giveUp() (ev event) {
	ev.key = keyNothing
	if d.rest[0] != escape {
		ev = event{text: clean(string(d.rest))}
	}
	d.rest = nil
	return ev
}

// takePasted takes what belongs to a pasted text, and returns it when it has ended.
func (d *decoder) takePasted() (text []rune, ended bool) {
	before, after, found := bytes.Cut(d.rest, []byte(pasteEnds))
	if !found {
		n := len(d.rest) - beginOf(pasteEnds, d.rest)
		d.pasted = append(d.pasted, d.rest[:n]...)
		d.rest = slices.Clone(d.rest[n:])
		return nil, false
	}
	text = oneLine(append(d.pasted, before...))
	d.inside, d.pasted, d.rest = false, nil, after
	return text, true
}

// beginOf returns the length of the beginning of mark that piece ends with.
func beginOf(mark string, piece []byte) int {
	for n := len(mark) - 1; n > 0; n-- {
		if bytes.HasSuffix(piece, []byte(mark[:n])) {
			return n
		}
	}
	return 0
}

// oneLine returns a pasted text with marks for its new lines, of which the last ones are
// left out, and without control characters but tabs.
func oneLine(pasted []byte) []rune {
	text := strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(string(pasted))
	var runes []rune
	for line := range strings.Lines(strings.TrimRight(text, "\n")) {
		line, more := strings.CutSuffix(line, "\n")
		runes = append(runes, clean(line)...)
		if more {
			runes = append(runes, newLineMark)
		}
	}
	return runes
}

// clean returns a text without control characters but tabs, and without what is no character.
func clean(text string) []rune {
	var runes []rune
	for _, r := range text {
		switch {
		case r == newLineMark:
			runes = append(runes, unicode.ReplacementChar)
		case r == '\t' || !unicode.IsControl(r):
			runes = append(runes, r)
		}
	}
	return runes
}

// take makes an event of the beginning of b, and returns how many bytes it is: 0 if that
// cannot be said yet.
func (d *decoder) take(b []byte) (ev event, n int) {
	switch c := b[0]; {
	case c == escape:
		k, n := takeEscape(b)
		return event{key: k}, n
	case isControl(c):
		return event{key: control(c)}, 1
	}
	for n < len(b) && !isControl(b[n]) && utf8.FullRune(b[n:]) {
		_, size := utf8.DecodeRune(b[n:])
		n += size
	}
	if ev.text = clean(string(b[:n])); len(ev.text) == 0 {
		ev.key = keyNothing
	}
	return ev, n
}

func isControl(c byte) bool { return c < ' ' || c == 0x7f }

// control returns the key of a control character.
func control(c byte) key {
	switch k := key(c); k {
	case '\n':
		return keyEnter
	case 0x7f:
		return keyBackspace
	case 0, 15, 17, 22, 24, 28, 29, 30, 31: // Ctrl-Space, -O, -Q, -V, -X, -\ and others
		return keyNothing
	default:
		return k
	}
}

// takeEscape makes a key of an escape sequence at the beginning of b.
func takeEscape(b []byte) (k key, n int) {
	if len(b) < 2 {
		return 0, 0
	}
	switch b[1] {
	case '[':
		return takeCSI(b)
	case 'O':
		return takeSS3(b)
	case ']', 'P':
		return takeString(b)
	case 'b':
		return keyWordLeft, 2
	case 'f':
		return keyWordRight, 2
	case 'd':
		return keyWordKill, 2
	case 0x7f, 8:
		return keyWordRub, 2
	}
	return keyNothing, 1 // the escape key alone; what follows is another key
}

// takeSS3 makes a key of ESC O and a letter.
func takeSS3(b []byte) (key, int) {
	switch {
	case len(b) < 3:
		return 0, 0
	case isControl(b[2]):
		return keyNothing, 2
	case b[2] == 'M': // Enter, among the digits
		return keyEnter, 3
	}
	return arrow(b[2], ""), 3
}

// takeCSI makes a key of ESC [, parameters, and a letter (ECMA-48, 5.4).
func takeCSI(b []byte) (key, int) {
	for i := 2; i < len(b); i++ {
		c := b[i]
		switch {
		case c == '[' && i == 2: // function keys of the Linux console: ESC [ [ A
			if len(b) == 3 {
				return 0, 0
			}
			return keyNothing, 4
		case c == 'M' && i == 2: // mouse, old: three characters follow
			return takeMouse(b)
		case c >= 0x40 && c < 0x7f:
			return csiKey(c, string(b[2:i])), i + 1
		case c < 0x20 || c >= 0x7f || i == maxSequence:
			return keyNothing, i
		}
	}
	return 0, 0
}

// takeMouse takes a report of the mouse, ESC [ M and three characters.
func takeMouse(b []byte) (key, int) {
	n := 3
	for range 3 {
		switch {
		case n == len(b) || !utf8.FullRune(b[n:]):
			return 0, 0
		case isControl(b[n]):
			return keyNothing, n
		}
		_, size := utf8.DecodeRune(b[n:])
		n += size
	}
	return keyNothing, n
}

// csiKey returns the key of a sequence with this last letter and these parameters.
func csiKey(letter byte, parameters string) key {
	if letter != '~' {
		_, modifier, _ := strings.Cut(parameters, ";")
		return arrow(letter, modifier)
	}
	number, _, _ := strings.Cut(parameters, ";")
	switch number {
	case "1", "7":
		return keyHome
	case "3":
		return keyDelete
	case "4", "8":
		return keyEnd
	}
	return keyNothing
}

// arrow returns the key that a letter stands for. With Alt (3) or Ctrl (5) the arrows go
// word by word.
func arrow(letter byte, modifier string) key {
	words := modifier == "3" || modifier == "5"
	switch {
	case letter == 'A':
		return keyPrev
	case letter == 'B':
		return keyNext
	case letter == 'C' && words:
		return keyWordRight
	case letter == 'C':
		return keyRight
	case letter == 'D' && words:
		return keyWordLeft
	case letter == 'D':
		return keyLeft
	case letter == 'H':
		return keyHome
	case letter == 'F':
		return keyEnd
	}
	return keyNothing
}

// takeString takes what a terminal answers to questions that another program asked: ESC ]
// or ESC P, a text that begins with a digit or a sign, and BEL or ESC \.
func takeString(b []byte) (key, int) {
	if len(b) < 3 {
		return 0, 0
	}
	if c := b[2]; c >= 0x80 || unicode.IsLetter(rune(c)) || c <= ' ' {
		return keyNothing, 1
	}
	for i := 2; i < len(b); i++ {
		switch c := b[i]; {
		case c == 7:
			return keyNothing, i + 1
		case c == escape && i+1 == len(b):
			return 0, 0
		case c == escape && b[i+1] == '\\':
			return keyNothing, i + 2
		case isControl(c) || i == 1<<12:
			return keyNothing, i
		}
	}
	return 0, 0
}
