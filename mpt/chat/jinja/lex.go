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
	text             // between tags
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

// white are the characters that Python's strip removes and that occur in templates.
const white = " \t\n\r\v\f"

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
		l.add(text, s)
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
	begin := strings.TrimLeft(l.rest, white)
	if !strings.HasPrefix(begin, "raw") {
		return false
	}
	begin = strings.TrimLeft(begin[3:], white)
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
		if body, _, ok := strings.Cut(l.rest[at+2:], "%}"); ok && strings.Trim(body, "-+"+white) == "endraw" {
			l.endRaw(at, body)
			return true
		}
	}
}

// endRaw takes the text of a raw block and the tag behind it.
func (l *lexer) endRaw(at int, body string) {
	sign := func(c byte) byte {
		if c == '-' || c == '+' {
			return c
		}
		return 0
	}
	l.before(l.take(at), '%', sign(body[0]))
	l.take(2 + len(body))
	l.end(sign(body[len(body)-1]), true)
}

// operators, the longest first.
var operators = []string{"**", "//", "==", "!=", "<=", ">=", "+", "-", "*", "/", "%", "~", "[", "]", "(", ")", "{", "}", "<", ">", "=", ".", ":", "|", ",", ";"}

// tag reads the inside of a tag and its end.
func (l *lexer) tag(close string, closeKind kind) {
	start := l.line
	var open []byte // brackets
	for {
		l.take(len(l.rest) - len(strings.TrimLeft(l.rest, white)))
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

// number reads an integer or a float; the parser tells which.
func (l *lexer) number() {
	digits := func(i int) int {
		for i < len(l.rest) && (l.rest[i] >= '0' && l.rest[i] <= '9' || l.rest[i] == '_') {
			i++
		}
		return i
	}
	n := digits(0)
	if n+1 < len(l.rest) && l.rest[n] == '.' && digits(n+1) > n+1 {
		n = digits(n + 1)
	}
	if n < len(l.rest) && (l.rest[n] == 'e' || l.rest[n] == 'E') {
		i := n + 1
		if i < len(l.rest) && (l.rest[i] == '+' || l.rest[i] == '-') {
			i++
		}
		if end := digits(i); end > i {
			n = end
		}
	}
	l.add(number, l.take(n))
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
var escapes = map[byte]string{'n': "\n", 't': "\t", 'r': "\r", '\\': "\\", '\'': "'", '"': `"`, 'a': "\a", 'b': "\b", 'f': "\f", 'v': "\v", '\n': "", '0': "\x00"}

// unescape returns what a text in quotes stands for.
func unescape(s string, line int) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] != '\\' {
			b.WriteByte(s[i])
			continue
		}
		i++
		digits := map[byte]int{'x': 2, 'u': 4, 'U': 8}[s[i]]
		switch plain, ok := escapes[s[i]]; {
		case ok:
			b.WriteString(plain)
		case digits > 0:
			r, ok := hex(s[i+1:], digits)
			if !ok {
				fail("line %d: the escape \\%c needs %d hexadecimal digits", line, s[i], digits)
			}
			b.WriteRune(r)
			i += digits
		default: // as in Python, it stays
			b.WriteByte('\\')
			i--
			i++
			b.WriteByte(s[i])
		}
	}
	return b.String()
}

// hex returns the number that the first n characters of s spell.
func hex(s string, n int) (r rune, ok bool) {
	if len(s) < n {
		return 0, false
	}
	for _, c := range []byte(s[:n]) {
		d := strings.IndexByte("0123456789abcdef", c|0x20)
		if d < 0 || r > utf8.MaxRune {
			return 0, false
		}
		r = r<<4 | rune(d)
	}
	return r, r <= utf8.MaxRune && !(r >= 0xD800 && r < 0xE000)
}
