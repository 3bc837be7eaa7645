package jinja

import (
	"fmt"
	"math/big"
	"strconv"
	"strings"
	"unicode/utf8"
)

// number reads an integer or a float; the parser tells which.
func (l *lexer) number() {
	n := len(l.tokens)
	if attribute := n > 0 && l.tokens[n-1].kind == operator && l.tokens[n-1].s == "."; !attribute {
		if n := floatSize(l.rest); n > 0 {
			l.add(number, l.take(n))
			return
		}
	}
	l.add(number, l.take(intSize(l.rest)))
}

// digits returns where the digits of s that begin at i end; there may be one of _ between two.
func digits(s string, i int, are string) int {
	end := i
	for i < len(s) {
		if strings.IndexByte(are, lowerByte(s[i])) >= 0 {
			i++
			end = i
		} else if s[i] == '_' && end == i && end > 0 {
			i++
		} else {
			break
		}
	}
	return end
}

func lowerByte(c byte) byte {
	if c >= 'A' && c <= 'Z' {
		return c | 0x20
	}
	return c
}

const decimal = "0123456789"

// floatSize returns the length of the float at the beginning of s, or 0.
func floatSize(s string) int {
	n, is := digits(s, 0, decimal), false
	if n < len(s) && s[n] == '.' && n+1 < len(s) && s[n+1] >= '0' && s[n+1] <= '9' {
		n, is = digits(s, n+1, decimal), true
	}
	if n < len(s) && lowerByte(s[n]) == 'e' {
		i := n + 1
		if i < len(s) && (s[i] == '+' || s[i] == '-') {
			i++
		}
		if i < len(s) && s[i] >= '0' && s[i] <= '9' {
			n, is = digits(s, i, decimal), true
		}
	}
	if !is {
		return 0
	}
	return n
}

// intSize returns the length of the int at the beginning of s.
func intSize(s string) int {
	if s[0] != '0' {
		return digits(s, 0, decimal)
	}
	if len(s) > 2 {
		are := map[byte]string{'b': "01", 'o': "01234567", 'x': "0123456789abcdef"}[lowerByte(s[1])]
		if n := digits(s, 2, are); n > 2 {
			return n
		}
	}
	return digits(s, 0, "0")
}

func (p *parser) number(s string) expr {
	plain := strings.ReplaceAll(s, "_", "")
	if floatSize(s) == len(s) {
		x, err := strconv.ParseFloat(plain, 64)
		if err != nil {
			p.fail("the number %.40s is not supported", s)
		}
		return constant{x}
	}
	base := 10
	if len(s) > 1 && lowerByte(s[1]) >= 'a' {
		base = 0
	}
	x, ok := new(big.Int).SetString(plain, base)
	if !ok || base == 10 && len(plain) > maxDigits || x.BitLen() > maxBits {
		p.fail("the number %.40s is not supported", s)
	}
	return constant{shrunk(x)}
}

// quoted reads a text in quotes.
func (l *lexer) quoted() {
	for i := 1; i < len(l.rest); i++ {
		switch l.rest[i] {
		case '\\':
			i++
		case l.rest[0]:
			line := l.line
			s := l.take(i + 1)
			l.tokens = append(l.tokens, token{literal, unescape(s[1:i], line), line})
			return
		}
	}
	fail("line %d: a text in quotes is not closed", l.line)
}

// escapes are those of one character.
var escapes = map[byte]string{
	'n': "\n", 't': "\t", 'r': "\r", '\\': "\\", '\'': "'", '"': `"`, 'a': "\a", 'b': "\b", 'f': "\f", 'v': "\v", '\n': "",
}

// unescape returns what a text in quotes stands for.
func unescape(s string, line int) string {
	var b strings.Builder
	for {
		before, after, found := strings.Cut(s, `\`)
		b.WriteString(before)
		if !found {
			return b.String()
		}
		plain, n := escape(after, line)
		b.WriteString(plain)
		s = after[n:]
	}
}

// escape returns what the escape behind a backslash stands for, and its length.
func escape(s string, line int) (plain string, n int) {
	if plain, ok := escapes[s[0]]; ok {
		return plain, 1
	}
	switch digits := map[byte]int{'x': 2, 'u': 4, 'U': 8}[s[0]]; {
	case digits > 0:
		r, ok := hex(s[1:], digits)
		if !ok {
			fail("line %d: the escape \\%c needs %d hexadecimal digits of a character", line, s[0], digits)
		}
		return string(r), 1 + digits
	case s[0] >= '0' && s[0] <= '7':
		r := rune(0)
		for n < len(s) && n < 3 && s[n] >= '0' && s[n] <= '7' {
			r = r<<3 | rune(s[n]-'0')
			n++
		}
		return string(r), n
	case s[0] == 'N':
		fail("line %d: the escape \\N is not supported", line)
	case s[0] >= utf8.RuneSelf: // Jinja escapes it first
		r, n := utf8.DecodeRuneInString(s)
		return asASCII(r), n
	}
	return `\` + s[:1], 1 // as in Python, it stays
}

// asASCII is what Python's backslashreplace writes for a character.
func asASCII(r rune) string {
	switch {
	case r < 0x100:
		return fmt.Sprintf(`\x%02x`, r)
	case r < 0x10000:
		return fmt.Sprintf(`\u%04x`, r)
	}
	return fmt.Sprintf(`\U%08x`, r)
}

// hex returns the number that the first n characters of s spell.
func hex(s string, n int) (r rune, ok bool) {
	if len(s) < n {
		return 0, false
	}
	for _, c := range []byte(s[:n]) {
		d := strings.IndexByte("0123456789abcdef", lowerByte(c))
		if d < 0 || r > utf8.MaxRune {
			return 0, false
		}
		r = r<<4 | rune(d)
	}
	return r, r <= utf8.MaxRune && !(r >= 0xD800 && r < 0xE000)
}
