package jinja

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// kind is what a token is.
type kind byte

const (
	endOfSource kind = iota
	data             // the text between tags
	outBegin         // {{
	outEnd           // }}
	tagBegin         // {%
	tagEnd           // %}
	name
	number
	literal // a text in quotes
	operator
)

// token is a part of a template.
type token struct {
	kind kind
	s    string // its text; of a literal, what it stands for
	line int
}

// isSpace reports whether Python takes r for white space.
func isSpace(r rune) bool { return unicode.IsSpace(r) || r >= 0x1c && r <= 0x1f }

// lexer cuts a template into tokens. White space around tags goes as with trim_blocks
// and lstrip_blocks.
type lexer struct {
	rest      string
	line      int
	lineStart bool // rest begins on a new line
	trim      bool // the tag before ended with a hyphen
	plain     bool // trim_blocks and lstrip_blocks are off, and the last new line stays
	tokens    []token
}

func lex(source string, plain bool) []token {
	source = strings.ReplaceAll(strings.ReplaceAll(source, "\r\n", "\n"), "\r", "\n")
	if !plain {
		source = strings.TrimSuffix(source, "\n")
	}
	l := &lexer{rest: source, line: 1, lineStart: true, plain: plain}
	for l.rest != "" {
		l.next()
	}
	l.add(endOfSource, "the end of the template")
	return l.tokens
}

func (l *lexer) add(k kind, s string) { l.tokens = append(l.tokens, token{k, s, l.line}) }

// take removes n bytes from the rest.
func (l *lexer) take(n int) string {
	s := l.rest[:n]
	l.rest = l.rest[n:]
	l.line += strings.Count(s, "\n")
	return s
}

// next reads the text before a tag, and the tag.
func (l *lexer) next() {
	at := opening(l.rest)
	if at < 0 {
		l.text(l.take(len(l.rest)))
		return
	}
	open, sign := l.rest[at+1], byte(0)
	if at+2 < len(l.rest) && strings.IndexByte("-+", l.rest[at+2]) >= 0 {
		sign = l.rest[at+2]
	}
	l.before(l.take(at), open, sign)
	l.take(2)
	if sign != 0 {
		l.take(1)
	}
	switch {
	case open == '#':
		l.comment()
	case open == '%' && l.raw():
	case open == '%':
		l.add(tagBegin, "{%")
		l.tag("%}", tagEnd)
	default:
		l.add(outBegin, "{{")
		l.tag("}}", outEnd)
	}
}

// opening returns where the first tag of s begins, or -1.
func opening(s string) int {
	for i := 0; i+1 < len(s); i++ {
		if s[i] == '{' && strings.IndexByte("{%#", s[i+1]) >= 0 {
			return i
		}
	}
	return -1
}

// before adds the text before a tag without what the tag removes.
func (l *lexer) before(s string, open, sign byte) {
	begin := strings.LastIndexByte(s, '\n') + 1
	switch {
	case sign == '-':
		s = strings.TrimRightFunc(s, isSpace)
	case sign == '+' || open == '{' || l.plain:
	case (begin > 0 || l.lineStart) && strings.TrimFunc(s[begin:], isSpace) == "":
		s = s[:begin]
	}
	l.text(s)
}

func (l *lexer) text(s string) {
	if l.trim {
		s = strings.TrimLeftFunc(s, isSpace)
		l.trim = false
	}
	if s != "" {
		l.add(data, s)
	}
}

// end takes the end of a tag, which closes with two characters, and says how the text
// behind it begins. A tag that is not for output takes the new line with it.
func (l *lexer) end(sign byte, newLine bool) {
	l.take(2)
	l.trim, l.lineStart = sign == '-', false
	if newLine && !l.plain && sign == 0 && strings.HasPrefix(l.rest, "\n") {
		l.take(1)
		l.lineStart = true
	}
	if l.trim {
		l.lineStart = strings.HasSuffix(l.rest[:len(l.rest)-len(strings.TrimLeftFunc(l.rest, isSpace))], "\n")
	}
}

func (l *lexer) comment() {
	at := strings.Index(l.rest, "#}")
	if at < 0 {
		fail("line %d: a comment is not closed", l.line)
	}
	sign := byte(0)
	if at > 0 && strings.IndexByte("-+", l.rest[at-1]) >= 0 {
		sign = l.rest[at-1]
	}
	l.take(at)
	l.end(sign, true)
}

// raw takes a raw block, if the tag that has begun is one.
func (l *lexer) raw() bool {
	begin := strings.TrimLeftFunc(l.rest, isSpace)
	if !strings.HasPrefix(begin, "raw") {
		return false
	}
	begin = strings.TrimLeftFunc(begin[3:], isSpace)
	sign := byte(0)
	if strings.HasPrefix(begin, "-") {
		sign, begin = '-', begin[1:]
	}
	if !strings.HasPrefix(begin, "%}") {
		return false
	}
	l.take(len(l.rest) - len(begin))
	l.end(sign, false)
	for at := 0; ; at += 2 {
		n := strings.Index(l.rest[at:], "{%")
		if n < 0 {
			fail("line %d: a raw block is not closed", l.line)
		}
		at += n
		if open, close, size := endRaw(l.rest[at+2:]); size > 0 {
			l.before(l.take(at), '%', open)
			l.take(size)
			l.end(close, true)
			return true
		}
	}
}

// endRaw reads the tag that ends a raw block, behind its first two characters: its signs
// and how many bytes there are before its last two characters and with the first two.
func endRaw(s string) (open, close byte, size int) {
	rest := s
	sign := func(allowed string) (c byte) {
		if rest != "" && strings.IndexByte(allowed, rest[0]) >= 0 {
			c, rest = rest[0], rest[1:]
		}
		return c
	}
	open = sign("-+")
	rest = strings.TrimLeftFunc(rest, isSpace)
	if !strings.HasPrefix(rest, "endraw") {
		return 0, 0, 0
	}
	rest = strings.TrimLeftFunc(rest[len("endraw"):], isSpace)
	if close = sign("-+"); !strings.HasPrefix(rest, "%}") {
		return 0, 0, 0
	}
	return open, close, 2 + len(s) - len(rest)
}

// operators, the longest first.
var operators = []string{"**", "//", "==", "!=", "<=", ">=", "+", "-", "*", "/", "%", "~", "[", "]", "(", ")", "{", "}",
	"<", ">", "=", ".", ":", "|", ",", ";"}

// tag reads the inside of a tag and its end.
func (l *lexer) tag(close string, closeKind kind) {
	start := l.line
	var open []byte // brackets
	for {
		l.take(len(l.rest) - len(strings.TrimLeftFunc(l.rest, isSpace)))
		if l.rest == "" {
			fail("line %d: a {%c tag is not closed", start, map[kind]rune{tagEnd: '%', outEnd: '{'}[closeKind])
		}
		if len(open) == 0 {
			sign := byte(0)
			rest := l.rest
			if rest[0] == '-' || rest[0] == '+' && closeKind == tagEnd {
				sign, rest = rest[0], rest[1:]
			}
			if strings.HasPrefix(rest, close) {
				l.take(len(l.rest) - len(rest))
				l.add(closeKind, close)
				l.end(sign, closeKind == tagEnd)
				return
			}
		}
		open = l.word(open)
	}
}

// word reads one token inside a tag, and returns the brackets that are open after it.
func (l *lexer) word(open []byte) []byte {
	c, _ := utf8.DecodeRuneInString(l.rest)
	switch {
	case c == '\'' || c == '"':
		l.quoted()
		return open
	case c >= '0' && c <= '9':
		l.number()
		return open
	case c == '_' || unicode.IsLetter(c):
		n := strings.IndexFunc(l.rest, func(r rune) bool { return r != '_' && !unicode.IsLetter(r) && !unicode.IsDigit(r) })
		if n < 0 {
			n = len(l.rest)
		}
		l.add(name, l.take(n))
		return open
	}
	for _, op := range operators {
		if !strings.HasPrefix(l.rest, op) {
			continue
		}
		if i := strings.IndexByte("([{", op[0]); i >= 0 {
			open = append(open, ")]}"[i])
		} else if strings.IndexByte(")]}", op[0]) >= 0 {
			if len(open) == 0 || open[len(open)-1] != op[0] {
				fail("line %d: unexpected %q", l.line, op)
			}
			open = open[:len(open)-1]
		}
		l.add(operator, l.take(len(op)))
		return open
	}
	fail("line %d: unexpected character %q", l.line, c)
	return nil
}
