package data

import (
	"bytes"
	"strconv"
	"unicode/utf16"
)

// loneSurrogate reports whether JSON has half of a character in it: one of the two escapes, such as \ud83d,
// that stand for a character together, without the other. encoding/json reads it as U+FFFD; Python keeps it,
// and its tokenizers then fail.
func loneSurrogate(text []byte) bool {
	for {
		i := bytes.IndexByte(text, '\\')
		if i < 0 || i+1 >= len(text) {
			return false
		}
		r := escaped(text[i:])
		switch {
		case r < 0:
			text = text[i+2:] // another escape: what it escapes may be a backslash
			continue
		case !utf16.IsSurrogate(r):
		case utf16.DecodeRune(r, escaped(text[i+escapeLength:])) == '\uFFFD':
			return true
		default:
			i += escapeLength
		}
		text = text[i+escapeLength:]
	}
}

const escapeLength = len(`\u0000`)

// escaped returns what an escape with four digits at the beginning of text stands for, or -1.
func escaped(text []byte) rune {
	if len(text) < escapeLength || text[0] != '\\' || text[1] != 'u' {
		return -1
	}
	n, err := strconv.ParseUint(string(text[2:escapeLength]), 16, 16)
	if err != nil {
		return -1
	}
	return rune(n)
}
