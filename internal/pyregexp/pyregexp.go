// Package pyregexp runs regular expressions of Python's re on texts. They are translated
// to those of Go; what the two read in different ways is refused.
package pyregexp

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// Regexp is an expression.
type Regexp struct {
	re     *regexp.Regexp
	word   bool // it has \b or \B, which Go takes for those of ASCII
	dollar bool // it has $, which in Python also stands before a new line at the end
}

// ErrText says that Python may find something else in a text.
var ErrText = errors.New("Python may find something else in this text")

// classes are the characters of \d, \w and \s, which in Python are those of Unicode.
var classes = map[byte]string{
	'd': `\p{Nd}`,
	'w': `\p{L}\p{N}_`,
	's': `\t-\r\x1c-\x20\x{85}\x{a0}\x{1680}\x{2000}-\x{200a}\x{2028}\x{2029}\x{202f}\x{205f}\x{3000}`,
}

// Compile reads an expression. Go has no lookaround and no backreferences.
func Compile(pattern string) (*Regexp, error) {
	r := &Regexp{}
	var b strings.Builder
	class := false
	for i := 0; i < len(pattern); i++ {
		c := pattern[i]
		switch {
		case c == '\\' && i+1 < len(pattern):
			i++
			s, err := r.escape(pattern[i], class)
			if err != nil {
				return nil, fmt.Errorf("the regular expression %q: %w", pattern, err)
			}
			b.WriteString(s)
			continue
		case c == '[' && !class:
			class = true
			b.WriteByte(c)
			if strings.HasPrefix(pattern[i+1:], "^") {
				i++
				b.WriteByte('^')
			}
			if strings.HasPrefix(pattern[i+1:], "]") { // stands for itself there
				i++
				b.WriteString(`\]`)
			}
			continue
		case c == '[': // has a meaning of its own for Go, in [[:alpha:]]
			b.WriteString(`\[`)
			continue
		case c == ']':
			class = false
		case c == '$' && !class:
			r.dollar = true
		}
		b.WriteByte(c)
	}
	var err error
	if r.re, err = regexp.Compile(b.String()); err != nil {
		return nil, fmt.Errorf("the regular expression %q is not supported: %w", pattern, err)
	}
	return r, nil
}

// escape translates what follows a backslash.
func (r *Regexp) escape(c byte, class bool) (string, error) {
	set, lower := classes[c|0x20], c|0x20 == c
	switch {
	case set != "" && lower && class:
		return set, nil
	case set != "" && lower:
		return "[" + set + "]", nil
	case set != "" && class:
		return "", fmt.Errorf("\\%c in brackets is not supported", c)
	case set != "":
		return "[^" + set + "]", nil
	case c == 'b' && class:
		return `\x08`, nil
	case c == 'b', c == 'B':
		r.word = true
	case c == 'Z':
		return `\z`, nil
	case c >= '1' && c <= '9':
		return "", errors.New("backreferences are not supported")
	case strings.IndexByte("pPQEzC", c) >= 0:
		return "", fmt.Errorf("Python knows no \\%c", c)
	case c == '\'', c == '"', c == ' ', c == '#', c == '-' && !class, c == '/', c == ',', c == ':', c == '=', c == '!', c == '<', c == '>', c == '@', c == '%', c == '&', c == '~', c == '`', c == ';', c == '_':
		return string(c), nil
	}
	return `\` + string(c), nil
}

// check refuses texts in which Python may find something else.
func (r *Regexp) check(text string) error {
	if r.dollar && strings.HasSuffix(text, "\n") {
		return fmt.Errorf("%w: \"$\", and it ends with a new line", ErrText)
	}
	if r.word {
		for _, c := range []byte(text) {
			if c >= 0x80 {
				return fmt.Errorf("%w: \"\\b\", and it has characters beyond ASCII", ErrText)
			}
		}
	}
	return nil
}

// Find returns where the first match begins and ends, or nil.
func (r *Regexp) Find(text string) ([]int, error) { return r.re.FindStringIndex(text), r.check(text) }

// FindAll returns what Python's findall does: for each match the groups, or without any
// the match itself.
func (r *Regexp) FindAll(text string) (all [][]string, err error) {
	for _, m := range r.re.FindAllStringSubmatch(text, -1) {
		if len(m) > 1 {
			m = m[1:]
		}
		all = append(all, m)
	}
	return all, r.check(text)
}

// Replace is Python's sub: with a count of 0 it replaces all matches.
func (r *Regexp) Replace(text, repl string, count int) (string, error) {
	if count == 0 {
		count = -1
	}
	var b strings.Builder
	done := 0
	for _, m := range r.re.FindAllStringSubmatchIndex(text, count) {
		b.WriteString(text[done:m[0]])
		if err := r.expand(&b, text, repl, m); err != nil {
			return "", err
		}
		done = m[1]
	}
	b.WriteString(text[done:])
	return b.String(), r.check(text)
}

// expand writes a replacement, in which \1 and \g<name> stand for groups.
func (r *Regexp) expand(b *strings.Builder, text, repl string, m []int) error {
	for i := 0; i < len(repl); i++ {
		if repl[i] != '\\' || i+1 == len(repl) {
			b.WriteByte(repl[i])
			continue
		}
		i++
		name := repl[i : i+1]
		switch {
		case strings.HasPrefix(repl[i:], "g<"):
			end := strings.IndexByte(repl[i:], '>')
			if end < 0 {
				return fmt.Errorf("the replacement %q: a group's name is not closed", repl)
			}
			name = repl[i+2 : i+end]
			i += end
		case name == "n":
			b.WriteByte('\n')
			continue
		case name == "\\":
			b.WriteByte('\\')
			continue
		case name < "1" || name > "9":
			return fmt.Errorf("the replacement %q: \\%s is not supported", repl, name)
		}
		n, err := strconv.Atoi(name)
		if err != nil {
			n = r.re.SubexpIndex(name)
		}
		if n < 0 || 2*n+1 >= len(m) {
			return fmt.Errorf("the replacement %q: there is no group %s", repl, name)
		}
		if m[2*n] >= 0 {
			b.WriteString(text[m[2*n]:m[2*n+1]])
		}
	}
	return nil
}
