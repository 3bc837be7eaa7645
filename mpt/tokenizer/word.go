package tokenizer

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// class is what the GPT-2 pattern distinguishes characters by.
type class uint8

const (
	other class = iota
	letter
	number
	space
)

var asciiClass = func() (c [utf8.RuneSelf]class) {
	for r := range rune(utf8.RuneSelf) {
		c[r] = classOf(r)
	}
	return c
}()

// classOf returns the class of r: \p{L}, \p{N} or White_Space.
func classOf(r rune) class {
	switch {
	case unicode.IsLetter(r):
		return letter
	case unicode.IsNumber(r):
		return number
	case unicode.IsSpace(r):
		return space
	}
	return other
}

// first returns the class of the first character of s, which is not empty, and
// its length in bytes.
func first(s string) (class, int) {
	if s[0] < utf8.RuneSelf {
		return asciiClass[s[0]], 1
	}
	r, n := utf8.DecodeRuneInString(s)
	return classOf(r), n
}

// word returns the length in bytes of the first word of s, which is not empty,
// as the pattern of GPT-2 splits it:
//
//	's|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+
func word(s string) int {
	if n := contraction(s); n > 0 {
		return n
	}
	start := 0
	if s[0] == ' ' && len(s) > 1 {
		start = 1
	}
	c, n := first(s[start:])
	if c == space {
		return spaces(s)
	}
	return start + n + run(s[start+n:], c)
}

// run returns the length in bytes of the characters of class c that s starts
// with.
func run(s string, c class) int {
	i := 0
	for i < len(s) {
		next, n := first(s[i:])
		if next != c {
			break
		}
		i += n
	}
	return i
}

// spaces returns the length of the first word of s, which starts with white
// space: up to the end of the text all of it, else all but its last character,
// which is left for the next word; a single character is a word by itself.
func spaces(s string) int {
	end := run(s, space)
	if end == len(s) {
		return end
	}
	_, n := utf8.DecodeLastRuneInString(s[:end])
	if end > n {
		return end - n
	}
	return end
}

// contraction returns the length of the English contraction that s starts
// with, or 0. Only lower case counts.
func contraction(s string) int {
	if s[0] != '\'' || len(s) < 2 {
		return 0
	}
	switch s[1] {
	case 's', 't', 'm', 'd':
		return 2
	}
	if tail := s[1:]; strings.HasPrefix(tail, "re") || strings.HasPrefix(tail, "ve") || strings.HasPrefix(tail, "ll") {
		return 3
	}
	return 0
}
