package chat

import (
	"fmt"
	"strings"
)

// node is a part of a Jinja template in normal form: two templates with the
// same nodes render the same text from messages that are strings. Notation that
// makes no difference is gone: spaces inside tags, kinds of quotes, x.y for
// x['y'], text outside or inside an expression, and how an output is divided.
type node struct {
	kind nodeKind
	text string
}

type nodeKind uint8

const (
	outputText nodeKind = iota // text that is output as it is
	outputExpr                 // the tokens of an expression
	statement                  // the tokens of a {% tag %}
)

// quote surrounds string literals among tokens, sep follows every token.
const (
	quote = "\x01"
	sep   = "\x02"
)

// normalForm reads a template as transformers does, that is with Jinja's
// trim_blocks and lstrip_blocks.
func normalForm(template string) ([]node, error) {
	if strings.ContainsAny(template, quote+sep) {
		return nil, fmt.Errorf("it contains control characters")
	}
	template = strings.ReplaceAll(template, "\r\n", "\n")
	s := scanner{rest: strings.TrimSuffix(template, "\n"), lineStart: true}
	for s.rest != "" {
		if err := s.next(); err != nil {
			return nil, err
		}
	}
	return withoutDefaults(s.nodes), nil
}

// scanner cuts a template into nodes.
type scanner struct {
	rest      string
	lineStart bool // rest begins on a new line
	trimLeft  bool // the tag before ended with a hyphen
	nodes     []node
}

// next reads text up to a tag, and the tag.
func (s *scanner) next() error {
	at := strings.Index(s.rest, "{")
	for at >= 0 && !(at+1 < len(s.rest) && strings.IndexByte("{%#", s.rest[at+1]) >= 0) {
		if i := strings.Index(s.rest[at+1:], "{"); i >= 0 {
			at += 1 + i
		} else {
			at = -1
		}
	}
	if at < 0 {
		s.output(s.trimmed(s.rest))
		s.rest = ""
		return nil
	}
	text, kind := s.rest[:at], s.rest[at+1]
	s.rest = s.rest[at+2:]
	sign, body, err := s.tag(kind)
	if err != nil {
		return err
	}
	s.output(s.before(text, kind, sign))
	s.after(body, kind)
	if kind == '#' {
		return nil
	}
	return s.emit(kind, strings.TrimSuffix(strings.TrimPrefix(body, "-"), "-"))
}

// tag takes the inside of a tag and its closing marker from the rest. Sign is
// the hyphen or plus after the opening marker.
func (s *scanner) tag(kind byte) (sign byte, body string, err error) {
	end := closing(s.rest, kind)
	if end < 0 {
		return 0, "", fmt.Errorf("a {%c tag is not closed", kind)
	}
	body, s.rest = s.rest[:end], s.rest[end+2:]
	if body != "" && (body[0] == '-' || body[0] == '+') {
		sign = body[0]
	}
	if sign == '+' || strings.HasSuffix(body, "+") {
		return 0, "", fmt.Errorf("its tags use the + sign")
	}
	return sign, body, nil
}

// closing returns where the tag that s is inside of ends, or -1. A closing
// marker in a string does not count.
func closing(s string, kind byte) int {
	if kind == '#' {
		return strings.Index(s, "#}")
	}
	marker := "%}"
	if kind == '{' {
		marker = "}}"
	}
	quoted := byte(0)
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case quoted != 0 && c == '\\':
			i++
		case quoted != 0 && c == quoted:
			quoted = 0
		case quoted != 0:
		case c == '\'' || c == '"':
			quoted = c
		case strings.HasPrefix(s[i:], marker):
			return i
		}
	}
	return -1
}

const white = " \t\n\r\v\f"

// before returns the text before a tag without what its kind and sign remove.
func (s *scanner) before(text string, kind, sign byte) string {
	newLine := strings.LastIndexByte(text, '\n') + 1
	switch {
	case sign == '-':
		text = strings.TrimRight(text, white)
	case kind != '{' && (newLine > 0 || s.lineStart) && strings.Trim(text[newLine:], white) == "":
		text = text[:newLine]
	}
	return s.trimmed(text)
}

// trimmed returns text without what the tag before it removes.
func (s *scanner) trimmed(text string) string {
	if s.trimLeft {
		return strings.TrimLeft(text, white)
	}
	return text
}

// after takes from the rest the new line that follows a block.
func (s *scanner) after(body string, kind byte) {
	s.trimLeft = strings.HasSuffix(body, "-")
	s.lineStart = false
	if kind != '{' && !s.trimLeft && strings.HasPrefix(s.rest, "\n") {
		s.rest = s.rest[1:]
		s.lineStart = true
	}
}

// output adds text to the nodes.
func (s *scanner) output(text string) {
	if text == "" {
		return
	}
	if last := len(s.nodes) - 1; last >= 0 && s.nodes[last].kind == outputText {
		s.nodes[last].text += text
		return
	}
	s.nodes = append(s.nodes, node{outputText, text})
}

// emit adds the inside of a tag to the nodes.
func (s *scanner) emit(kind byte, body string) error {
	tokens, err := tokenise(body)
	if err != nil {
		return err
	}
	if kind == '%' {
		s.nodes = append(s.nodes, node{statement, strings.Join(tokens, "")})
		return nil
	}
	for _, term := range terms(tokens) {
		if len(term) == 1 && strings.HasPrefix(term[0], quote) {
			s.output(strings.Trim(term[0], quote+sep))
			continue
		}
		s.nodes = append(s.nodes, node{outputExpr, strings.Join(term, "")})
	}
	return nil
}

// withoutDefaults removes the statements with which a template provides for
// add_generation_prompt not being set: it always is.
func withoutDefaults(nodes []node) []node {
	for _, condition := range []string{"not add_generation_prompt is defined", "add_generation_prompt is not defined"} {
		guard := []string{"if " + condition, "set add_generation_prompt = false", "endif"}
		for i := 0; i+len(guard) <= len(nodes); i++ {
			same := true
			for j, words := range guard {
				want := strings.ReplaceAll(words, " ", sep) + sep
				same = same && nodes[i+j] == node{statement, want}
			}
			if same {
				nodes = append(nodes[:i:i], nodes[i+len(guard):]...)
			}
		}
	}
	return nodes
}
