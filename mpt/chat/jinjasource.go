package chat

import (
	"fmt"
	"strings"
)

// The bounds of a template: its text, of which the largest published ones take some
// ten thousand bytes, the inside of one tag without its texts, and how deep blocks
// are nested. The engine calls itself for every level of nesting.
const (
	maxTemplate = 256 << 10
	maxTag      = 4 << 10
	maxDepth    = 100
)

// source rewrites a template for the engine: white space is removed beforehand as
// Jinja does it with trim_blocks and lstrip_blocks, which is how transformers sets
// it up, and what the engine does not do as Jinja does is spelled differently.
type source struct {
	rest      string
	out       strings.Builder
	lineStart bool // rest begins on a new line
	trimLeft  bool // the tag before ended with a hyphen
	depth     int  // open blocks
}

// engineSource returns the template in the engine's notation.
func engineSource(template string) (string, error) {
	if len(template) > maxTemplate {
		return "", fmt.Errorf("it takes %d bytes: at most %d are supported", len(template), maxTemplate)
	}
	template = strings.ReplaceAll(template, "\r\n", "\n")
	s := source{rest: strings.TrimSuffix(template, "\n"), lineStart: true}
	for s.rest != "" {
		if err := s.next(); err != nil {
			return "", err
		}
	}
	return s.out.String(), nil
}

// next rewrites the text up to a tag, and the tag.
func (s *source) next() error {
	at := opening(s.rest)
	if at < 0 {
		s.text(s.trimmed(s.rest))
		s.rest = ""
		return nil
	}
	text, kind := s.rest[:at], s.rest[at+1]
	body, err := s.tag(at + 2)
	if err != nil {
		return err
	}
	s.text(s.before(text, kind, body))
	s.after(kind, body)
	inner := strings.TrimRight(strings.TrimLeft(body, "-+"), "-+")
	switch {
	case kind == '#':
		return nil
	case kind == '%' && strings.TrimSpace(inner) == "raw":
		return s.raw()
	}
	if err := s.nest(kind, inner); err != nil {
		return err
	}
	inner, err = rewrite(inner)
	s.out.WriteString("{" + string(kind) + " " + inner + " " + map[byte]string{'{': "}}", '%': "%}"}[kind])
	return err
}

// nest counts open blocks.
func (s *source) nest(kind byte, body string) error {
	body = strings.TrimSpace(body)
	name := body[:wordLen(body)]
	switch {
	case kind != '%':
	case strings.HasPrefix(name, "end"):
		s.depth--
	case name != "set" && name != "else" && name != "elif" && name != "break" && name != "continue" || name == "set" && !strings.Contains(body, "="):
		s.depth++
	}
	if s.depth > maxDepth {
		return fmt.Errorf("its blocks are nested deeper than %d", maxDepth)
	}
	return nil
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

// tag takes a tag from the rest, whose inside begins at a place.
func (s *source) tag(at int) (body string, err error) {
	kind := s.rest[at-1]
	end := closing(s.rest[at:], kind)
	if end < 0 {
		return "", fmt.Errorf("a {%c tag is not closed", kind)
	}
	body, s.rest = s.rest[at:at+end], s.rest[at+end+2:]
	return body, nil
}

// before returns the text before a tag without what the tag removes.
func (s *source) before(text string, kind byte, body string) string {
	newLine := strings.LastIndexByte(text, '\n') + 1
	switch {
	case strings.HasPrefix(body, "-"):
		text = strings.TrimRight(text, white)
	case strings.HasPrefix(body, "+") || kind == '{':
	case (newLine > 0 || s.lineStart) && strings.Trim(text[newLine:], white) == "":
		text = text[:newLine]
	}
	return s.trimmed(text)
}

// trimmed returns text without what the tag before it removes.
func (s *source) trimmed(text string) string {
	if s.trimLeft {
		return strings.TrimLeft(text, white)
	}
	return text
}

// after takes from the rest the new line that a block removes.
func (s *source) after(kind byte, body string) {
	s.trimLeft = len(body) > 0 && strings.HasSuffix(body, "-")
	s.lineStart = false
	if kind != '{' && !s.trimLeft && !strings.HasSuffix(body, "+") && strings.HasPrefix(s.rest, "\n") {
		s.rest = s.rest[1:]
		s.lineStart = true
	}
}

// text writes text that is output as it is. What might look like a tag together
// with its neighbours is written as an expression.
func (s *source) text(text string) {
	n := len(strings.TrimRight(text, "{"))
	s.out.WriteString(text[:n])
	if n < len(text) {
		s.out.WriteString("{{ '" + text[n:] + "' }}")
	}
}

// raw writes the text up to the tag endraw, with its braces as expressions.
func (s *source) raw() error {
	for at := 0; at < len(s.rest); at += 2 {
		n := strings.Index(s.rest[at:], "{%")
		if n < 0 {
			break
		}
		at += n
		end := strings.Index(s.rest[at:], "%}")
		if end < 0 {
			break
		}
		body := s.rest[at+2 : at+end]
		if strings.TrimSpace(strings.Trim(body, "-+")) != "endraw" {
			continue
		}
		text := s.before(s.rest[:at], '%', body)
		s.rest = s.rest[at+end+2:]
		s.after('%', body)
		s.out.WriteString(strings.ReplaceAll(text, "{", "{{ '{' }}"))
		return nil
	}
	return fmt.Errorf("a raw block is not closed")
}

// rewrite changes the inside of a tag: x[-1], which the engine does not find in
// lists of one element, becomes x[-1:][0]. Multiplication is refused: it makes
// texts of any length.
func rewrite(body string) (string, error) {
	var b strings.Builder
	code := 0 // bytes outside texts
	for i := 0; i < len(body); code++ {
		switch c := body[i]; {
		case code > maxTag:
			return "", fmt.Errorf("a tag takes more than %d bytes, the texts in it not counted", maxTag)
		case c == '\'' || c == '"':
			n := quoted(body[i:])
			b.WriteString(body[i : i+n])
			i += n
		case c == '*':
			return "", fmt.Errorf("it multiplies (%q), which is not supported", strings.TrimSpace(body))
		case c == '[':
			number, n := negativeIndex(body[i:])
			if n == 0 {
				number, n = "[", 1
			}
			b.WriteString(number)
			i += n
		default:
			b.WriteByte(c)
			i++
		}
	}
	return b.String(), nil
}

// quoted returns the length of the string literal that s begins with.
func quoted(s string) int {
	for i := 1; i < len(s); i++ {
		switch s[i] {
		case '\\':
			i++
		case s[0]:
			return i + 1
		}
	}
	return len(s)
}

// negativeIndex returns what replaces an index such as [-1], which s may begin
// with, and its length, or 0.
func negativeIndex(s string) (replacement string, length int) {
	end := strings.IndexByte(s, ']')
	if end < 0 {
		return "", 0
	}
	number, ok := strings.CutPrefix(strings.TrimSpace(s[1:end]), "-")
	if !ok || number == "" || strings.Trim(number, "0123456789") != "" {
		return "", 0
	}
	return "[-" + number + ":][0]", end + 1
}
