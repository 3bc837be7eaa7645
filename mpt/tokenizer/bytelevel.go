package tokenizer

import "unicode/utf8"

// GPT-2 writes the bytes of its tokens as printable characters, so that a
// vocabulary is a list of ordinary strings: bytes that are printable Latin-1
// characters stand for themselves, the other 68, in increasing order, are
// written U+0100, U+0101, ... The space is Ġ, the newline Ċ.

// symbols holds the character that stands for each byte.
var symbols = func() (s [256]rune) {
	next := rune(0x100)
	for b := range rune(256) {
		if '!' <= b && b <= '~' || 0xA1 <= b && b <= 0xAC || 0xAE <= b {
			s[b] = b
			continue
		}
		s[b] = next
		next++
	}
	return s
}()

// lastSymbol is the greatest character that stands for a byte.
const lastSymbol = 0x100 + 67

// symbolBytes is the inverse of symbols: the byte plus one, or 0 if a
// character stands for none.
var symbolBytes = func() (b [lastSymbol + 1]uint16) {
	for i, r := range symbols {
		b[r] = uint16(i) + 1
	}
	return b
}()

// appendBytes appends the bytes that the token text s in byte-level form stands
// for. A text with a character that stands for no byte is taken literally.
func appendBytes(dst []byte, s string) []byte {
	start := len(dst)
	for _, r := range s {
		if r > lastSymbol || symbolBytes[r] == 0 {
			return append(dst[:start], s...)
		}
		dst = append(dst, byte(symbolBytes[r]-1))
	}
	return dst
}

// appendValid appends s with every ill-formed sequence of UTF-8 replaced by
// U+FFFD: one for each maximal subpart, as Unicode recommends and as browsers
// and HuggingFace do.
func appendValid(dst []byte, s []byte) []byte {
	for len(s) > 0 {
		r, n := utf8.DecodeRune(s)
		if r == utf8.RuneError && n == 1 {
			n = truncated(s)
		}
		dst = utf8.AppendRune(dst, r)
		s = s[n:]
	}
	return dst
}

// truncated returns the length of the longest start of s that well-formed
// UTF-8 could start with, or 1; s starts with an ill-formed sequence.
func truncated(s []byte) int {
	for n := min(3, len(s)); n > 1; n-- {
		if !utf8.FullRune(s[:n]) {
			return n
		}
	}
	return 1
}

// incomplete returns the length of the unfinished character that s ends with,
// or 0.
func incomplete(s []byte) int {
	for n := 1; n <= min(3, len(s)); n++ {
		tail := s[len(s)-n:]
		if utf8.RuneStart(tail[0]) {
			if utf8.FullRune(tail) {
				return 0
			}
			return n
		}
	}
	return 0
}
