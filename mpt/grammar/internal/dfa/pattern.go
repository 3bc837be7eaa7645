package dfa

import (
	"errors"
	"fmt"
	"regexp/syntax"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Pattern returns an automaton of the texts in which a regular expression of ECMAScript is
// found somewhere, as JSON schema means it. It fails with [ErrTooLarge], and for what is not
// regular (look-around, back references) or not known.
func Pattern(b *Budget, pattern string) (*DFA, error) {
	re, err := translate(pattern)
	if err != nil {
		return nil, err
	}
	return compile(b, `(?s:.*)(?:`+re+`)(?s:.*)`)
}

// Whole returns an automaton of the texts that a regular expression of ECMAScript matches from
// their beginning to their end.
func Whole(b *Budget, pattern string) (*DFA, error) {
	re, err := translate(pattern)
	if err != nil {
		return nil, err
	}
	return compile(b, `(?:`+re+`)`)
}

// spaces are what \s stands for, without the brackets.
const spaces = `\t\n\v\f\r \x{a0}\x{1680}\x{2000}-\x{200a}\x{2028}\x{2029}\x{202f}\x{205f}\x{3000}\x{feff}`

// noSpaces are all other characters.
const noSpaces = `\x00-\x08\x0e-\x1f!-\x{9f}\x{a1}-\x{167f}\x{1681}-\x{1fff}\x{200b}-\x{2027}\x{202a}-\x{202e}` +
	`\x{2030}-\x{205e}\x{2060}-\x{2fff}\x{3001}-\x{fefe}\x{ff00}-\x{10ffff}`

// mostPattern is how long a pattern may be.
const mostPattern = 10_000

// translation writes a pattern in Go's syntax.
type translation struct {
	text  string
	i     int
	out   strings.Builder
	class int // where the class begins that is read; -1: in none
	set   int // where the last set of characters in it ends, such as \d; a range cannot begin there
}

// translate returns a pattern of ECMAScript in Go's syntax.
func translate(pattern string) (string, error) {
	if !utf8.ValidString(pattern) {
		return "", errors.New("it is not UTF-8")
	}
	if len(pattern) > mostPattern {
		return "", fmt.Errorf("it has %d bytes: want at most %d", len(pattern), mostPattern)
	}
	t := &translation{text: pattern, class: -1}
	for t.i < len(pattern) {
		if err := t.item(); err != nil {
			return "", err
		}
	}
	if t.class >= 0 {
		return "", errors.New("a class has no end: want ]")
	}
	// Go's parser says what else is wrong, in words of the pattern.
	if _, err := syntax.Parse(t.out.String(), syntax.Perl); err != nil {
		return "", explain(err)
	}
	return t.out.String(), nil
}

// explain says what Go's parser says.
func explain(err error) error {
	var e *syntax.Error
	if !errors.As(err, &e) {
		return err
	}
	if e.Code == syntax.ErrInvalidRepeatSize {
		return fmt.Errorf("%s repeats more than 1000 times: use maxLength or minLength", e.Expr)
	}
	return fmt.Errorf("%v: %s", e.Code, e.Expr)
}

// item reads what stands at the place that is read.
func (t *translation) item() error {
	r, n := utf8.DecodeRuneInString(t.text[t.i:])
	rest := t.text[t.i:]
	switch {
	case r == '\\':
		return t.escape()
	case t.class >= 0:
		return t.member(r, n)
	case strings.HasPrefix(rest, "[^]"):
		t.write(3, `(?s:.)`)
	case strings.HasPrefix(rest, "[]"):
		t.write(2, `[^\x00-\x{10ffff}]`)
	case strings.HasPrefix(rest, "[^"):
		t.class = t.i
		t.write(2, "[^")
	case r == '[':
		t.class = t.i
		t.write(1, "[")
	case strings.HasPrefix(rest, "(?"):
		return t.group()
	case r == '.':
		t.write(1, `[^\n\r\x{2028}\x{2029}]`)
	case r == '{' || r == '}' || r == ']':
		return t.brace(r)
	case strings.IndexRune("*+?", r) >= 0 && strings.HasPrefix(rest[1:], "+"):
		return fmt.Errorf("%q: nothing to repeat", rest[:2])
	default:
		t.write(n, string(r))
	}
	return nil
}

// write writes s for the next n bytes.
func (t *translation) write(n int, s string) {
	t.out.WriteString(s)
	t.i += n
}

// member reads a character of a class.
func (t *translation) member(r rune, n int) error {
	switch r {
	case ']':
		t.class = -1
		t.write(1, "]")
	case '[': // [: would begin a class of Go's
		t.write(1, `\[`)
	case '&', '~': // && is nothing in either, but may become so
		t.write(1, `\`+string(r))
	case '-':
		return t.dash()
	default:
		t.write(n, string(r))
	}
	return nil
}

// dash reads one in a class. Beside a set of characters it makes no range, and readers differ in
// what it is then.
func (t *translation) dash() error {
	rest := t.text[t.i+1:]
	edge := t.i == t.class+1 || strings.HasPrefix(t.text[t.class:t.i], "[^") && t.i == t.class+2 ||
		strings.HasPrefix(rest, "]")
	if !edge && (t.set == t.i || len(rest) > 1 && rest[0] == '\\' && strings.IndexByte("dDwWsSpP", rest[1]) >= 0) {
		return errors.New(`a dash beside \d, \w, \s or \p in a class: write \- or put it at the edge`)
	}
	t.write(1, "-")
	return nil
}

// group reads the beginning of a group that has a kind.
func (t *translation) group() error {
	rest := t.text[t.i:]
	for kind, name := range map[string]string{"(?=": "look-ahead", "(?!": "look-ahead", "(?<=": "look-behind",
		"(?<!": "look-behind"} {
		if strings.HasPrefix(rest, kind) {
			return fmt.Errorf("%s is not supported: %s", name, kind)
		}
	}
	switch {
	case strings.HasPrefix(rest, "(?:"):
		t.write(3, "(?:")
	case strings.HasPrefix(rest, "(?<"):
		end := strings.IndexByte(rest, '>')
		if end < 0 {
			return errors.New("the name of a group has no end: want >")
		}
		t.write(end+1, "(")
	default:
		return fmt.Errorf("the group %.4s is not known", rest)
	}
	return nil
}

// brace reads a repetition; braces and brackets alone stand for themselves.
func (t *translation) brace(r rune) error {
	rest := t.text[t.i:]
	end := strings.IndexByte(rest, '}')
	if r != '{' || end < 0 || !isCount(rest[1:end]) {
		t.write(1, `\`+string(r))
		return nil
	}
	t.write(end+1, rest[:end+1])
	if strings.HasPrefix(t.text[t.i:], "+") {
		return fmt.Errorf("%s+: nothing to repeat", rest[:end+1])
	}
	return nil
}

// isCount reports whether it is m, m, or m,n.
func isCount(s string) bool {
	from, to, both := strings.Cut(s, ",")
	digits := func(s string) bool { return s != "" && strings.Trim(s, "0123456789") == "" }
	return digits(from) && (!both || to == "" || digits(to))
}

// escape reads what begins with a backslash.
func (t *translation) escape() error {
	rest := t.text[t.i:]
	if len(rest) < 2 {
		return errors.New("a backslash at the end")
	}
	c, n := utf8.DecodeRuneInString(rest[1:])
	if strings.ContainsRune("dDwWsSpP", c) {
		defer func() { t.set = t.i }()
	}
	switch c {
	case 'd', 'D', 'w', 'W', 't', 'n', 'v', 'f', 'r':
		t.write(2, rest[:2])
	case 's', 'S':
		t.space(c == 's')
	case 'b', 'B':
		return t.border(c)
	case 'x', 'u', 'c', '0':
		return t.code(c)
	case 'p', 'P':
		return t.property()
	default:
		switch {
		case c >= '1' && c <= '9' || c == 'k':
			return fmt.Errorf("back references (\\%c) are not supported", c)
		case c < utf8.RuneSelf && (c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'):
			return fmt.Errorf("the escape \\%c is not known", c)
		}
		t.write(1+n, literal(c))
	}
	return nil
}

// literal writes a character so that it stands for itself, in classes too.
func literal(r rune) string { return `\x{` + strconv.FormatInt(int64(r), 16) + `}` }

// space writes \s and \S.
func (t *translation) space(is bool) {
	set := spaces
	if !is {
		set = noSpaces
	}
	if t.class < 0 {
		set = "[" + set + "]"
	}
	t.write(2, set)
}

// border writes \b and \B; in a class \b is a backspace.
func (t *translation) border(c rune) error {
	switch {
	case t.class < 0:
		t.write(2, `\`+string(c))
	case c == 'b':
		t.write(2, literal('\b'))
	default:
		return errors.New(`the escape \B is not known in a class`)
	}
	return nil
}

// code reads \xHH, \uHHHH, \u{H...}, \cX and \0.
func (t *translation) code(c rune) error {
	rest := t.text[t.i+2:]
	switch {
	case c == '0':
		if rest != "" && rest[0] >= '0' && rest[0] <= '9' {
			return errors.New("octal escapes are not supported")
		}
		t.write(2, literal(0))
		return nil
	case c == 'c':
		if rest == "" || !(rest[0] >= 'a' && rest[0] <= 'z' || rest[0] >= 'A' && rest[0] <= 'Z') {
			return errors.New(`want a letter behind \c`)
		}
		t.write(3, literal(rune(rest[0]&31)))
		return nil
	case c == 'u' && strings.HasPrefix(rest, "{"):
		end := strings.IndexByte(rest, '}')
		if end < 0 {
			return errors.New(`\u{ has no }`)
		}
		return t.number(rest[1:end], end+3)
	}
	digits := 2
	if c == 'u' {
		digits = 4
	}
	if len(rest) < digits {
		return fmt.Errorf(`want %d hexadecimal digits behind \%c`, digits, c)
	}
	if high, err := strconv.ParseUint(rest[:digits], 16, 32); err == nil && high >= surrogateFirst && high <= surrogateLast {
		return t.pair(rune(high), rest[digits:])
	}
	return t.number(rest[:digits], 2+digits)
}

// pair reads the second half of a character that is written as a pair of surrogates.
func (t *translation) pair(high rune, rest string) error {
	if len(rest) >= 6 && rest[:2] == `\u` && high < 0xdc00 {
		if low, err := strconv.ParseUint(rest[2:6], 16, 32); err == nil && low >= 0xdc00 && low <= surrogateLast {
			t.write(12, literal(0x10000+(high-0xd800)<<10+(rune(low)-0xdc00)))
			return nil
		}
	}
	return fmt.Errorf(`\u%x is half a character`, high)
}

// number writes the character of a hexadecimal number.
func (t *translation) number(digits string, n int) error {
	code, err := strconv.ParseUint(digits, 16, 32)
	if err != nil || code > utf8.MaxRune || code >= surrogateFirst && code <= surrogateLast {
		return fmt.Errorf("%q is not the number of a character", digits)
	}
	t.write(n, literal(rune(code)))
	return nil
}

// property reads \p{NAME} and \P{NAME}: a general category, or Script=NAME.
func (t *translation) property() error {
	rest := t.text[t.i:]
	end := strings.IndexByte(rest, '}')
	if len(rest) < 4 || rest[2] != '{' || end < 0 {
		return fmt.Errorf(`want \%c{NAME}`, rest[1])
	}
	name := rest[3:end]
	if strings.HasPrefix(name, "^") {
		return fmt.Errorf("the property %s is not known", name)
	}
	kind, value, two := strings.Cut(name, "=")
	switch {
	case !two:
		value = name
		if long, ok := categories[name]; ok {
			value = long
		}
	case kind == "Script" || kind == "sc":
	case kind == "General_Category" || kind == "gc":
		if long, ok := categories[value]; ok {
			value = long
		}
	default:
		return fmt.Errorf("the property %s is not known", name)
	}
	t.write(end+1, rest[:2]+"{"+value+"}")
	return nil
}

// categories are the long names of some general categories.
var categories = map[string]string{
	"Letter": "L", "Lowercase_Letter": "Ll", "Uppercase_Letter": "Lu", "Titlecase_Letter": "Lt", "Modifier_Letter": "Lm",
	"Other_Letter": "Lo", "Mark": "M", "Number": "N", "Decimal_Number": "Nd", "Letter_Number": "Nl", "Other_Number": "No",
	"Punctuation": "P", "Symbol": "S", "Math_Symbol": "Sm", "Currency_Symbol": "Sc", "Separator": "Z", "Space_Separator": "Zs",
}
