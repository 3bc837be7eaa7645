package grammar

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

// SyntaxError says where a grammar cannot be read.
type SyntaxError struct {
	Line, Column int // from 1; the column counts characters
	Message      string
}

func (e *SyntaxError) Error() string {
	return fmt.Sprintf("grammar: line %d, column %d: %s", e.Line, e.Column, e.Message)
}

const (
	mostText    = 1 << 20 // bytes of a grammar
	mostNesting = 256     // parentheses
	mostRepeat  = 10_000  // of {m,n}
	mostSigns   = 256     // of repetition behind one item
)

// expr is a part of a grammar: a character, a rule, a sequence, alternatives or a repetition,
// or none of these, which is the empty text.
type expr struct {
	chars []span // one character of these

	name string // a rule, mentioned at
	at   int

	seq, alt []*expr

	repeat    *expr
	min, most int // most -1: no limit
}

// gbnf reads a grammar.
type gbnf struct {
	text  string
	i     int
	depth int
	size  int // items
	rules map[string]*expr
	at    map[string]int // where rules are defined
	order []string
}

// Parse reads a grammar in GBNF, whose text begins with the rule root. It fails with a
// [*SyntaxError], or says what is wrong with the grammar as a whole: left recursion, rules
// that are missing, texts that never end.
func Parse(text string) (*Grammar, error) {
	if len(text) > mostText {
		return nil, fmt.Errorf("grammar: %d bytes: want at most %d", len(text), mostText)
	}
	if !utf8.ValidString(text) {
		return nil, errors.New("grammar: it is not UTF-8")
	}
	p := &gbnf{text: text, rules: map[string]*expr{}, at: map[string]int{}}
	for p.space(true); p.i < len(text); p.space(true) {
		if err := p.rule(); err != nil {
			return nil, err
		}
	}
	if p.rules["root"] == nil {
		return nil, errors.New("grammar: there is no rule root, which a text begins with")
	}
	return p.compile()
}

// fail returns an error at a place of the text.
func (p *gbnf) fail(at int, format string, args ...any) error {
	before := p.text[:min(at, len(p.text))]
	line := strings.Count(before, "\n") + 1
	column := utf8.RuneCountInString(before[strings.LastIndexByte(before, '\n')+1:]) + 1
	return &SyntaxError{line, column, fmt.Sprintf(format, args...)}
}

// space skips blanks and comments, and with lines the ends of lines, too.
func (p *gbnf) space(lines bool) {
	for p.i < len(p.text) {
		switch c := p.text[p.i]; {
		case c == '#':
			for p.i < len(p.text) && p.text[p.i] != '\n' && p.text[p.i] != '\r' {
				p.i++
			}
		case c == ' ' || c == '\t' || lines && (c == '\n' || c == '\r'):
			p.i++
		default:
			return
		}
	}
}

// next reports whether the text goes on with s, and skips it.
func (p *gbnf) next(s string) bool {
	if !strings.HasPrefix(p.text[p.i:], s) {
		return false
	}
	p.i += len(s)
	return true
}

func isName(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '-' || c == '_'
}

func (p *gbnf) name() string {
	from := p.i
	for p.i < len(p.text) && isName(p.text[p.i]) {
		p.i++
	}
	return p.text[from:p.i]
}

// rule reads NAME ::= ALTERNATIVES up to the end of the line.
func (p *gbnf) rule() error {
	at := p.i
	name := p.name()
	if name == "" {
		return p.fail(at, "want the name of a rule, not %s", p.here())
	}
	p.space(false)
	if !p.next("::=") {
		return p.fail(p.i, "want ::= behind the name %s, not %s", name, p.here())
	}
	if old, ok := p.at[name]; ok {
		return p.fail(at, "the rule %s was defined before: %v", name, p.fail(old, "here"))
	}
	p.space(true)
	e, err := p.alternatives()
	if err != nil {
		return err
	}
	p.space(false)
	if p.i < len(p.text) && p.text[p.i] != '\n' && p.text[p.i] != '\r' {
		return p.fail(p.i, "want the end of the line, not %s", p.here())
	}
	p.rules[name], p.at[name] = e, at
	p.order = append(p.order, name)
	return nil
}

// here names what stands at the place that is read.
func (p *gbnf) here() string {
	if p.i >= len(p.text) {
		return "the end of the grammar"
	}
	r, _ := utf8.DecodeRuneInString(p.text[p.i:])
	if r == '\n' || r == '\r' {
		return "the end of the line"
	}
	return strconv.QuoteRune(r)
}

// alternatives reads A | B | C.
func (p *gbnf) alternatives() (*expr, error) {
	e := &expr{}
	for {
		s, err := p.sequence()
		if err != nil {
			return nil, err
		}
		e.alt = append(e.alt, s)
		if p.depth > 0 {
			p.space(true)
		}
		if !p.next("|") {
			return e, nil
		}
		p.space(true)
	}
}

// sequence reads items up to something that ends them.
func (p *gbnf) sequence() (*expr, error) {
	e := &expr{}
	for {
		item, err := p.item()
		if err != nil {
			return nil, err
		}
		if item == nil {
			return e, nil
		}
		if item, err = p.repeated(item); err != nil {
			return nil, err
		}
		e.seq = append(e.seq, item)
		p.space(p.depth > 0)
	}
}

// item reads what may be repeated; nil: there is nothing more.
func (p *gbnf) item() (*expr, error) {
	if p.i >= len(p.text) {
		return nil, nil
	}
	if p.size++; p.size > mostSymbols {
		return nil, errTooLarge
	}
	at := p.i
	switch c := p.text[p.i]; {
	case c == '"':
		return p.literal()
	case c == '[':
		return p.class()
	case c == '(':
		return p.group()
	case c == '.':
		p.i++
		return &expr{chars: []span{{0, utf8.MaxRune}}}, nil
	case isName(c):
		return &expr{name: p.name(), at: at}, nil
	case strings.IndexByte("|)\n\r", c) >= 0:
		return nil, nil
	case c == '<' || c == '!':
		return nil, p.fail(at, "tokens (%s) are not supported: write their text", p.here())
	}
	return nil, p.fail(at, "want a text, a class, a rule or a group, not %s", p.here())
}

func (p *gbnf) group() (*expr, error) {
	at := p.i
	p.i++
	if p.depth++; p.depth > mostNesting {
		return nil, p.fail(at, "more than %d parentheses in each other", mostNesting)
	}
	p.space(true)
	e, err := p.alternatives()
	if err != nil {
		return nil, err
	}
	p.depth--
	if !p.next(")") {
		return nil, p.fail(p.i, "want ), not %s: the group begins at %v", p.here(), p.fail(at, "here"))
	}
	return e, nil
}

// repeated reads *, +, ?, {m}, {m,} and {m,n}.
func (p *gbnf) repeated(e *expr) (*expr, error) {
	for n := 0; ; n++ {
		p.space(p.depth > 0)
		at := p.i
		if n > mostSigns {
			return nil, p.fail(at, "more than %d repetitions of repetitions", mostSigns)
		}
		switch {
		case p.next("*"):
			e = &expr{repeat: e, most: -1}
		case p.next("+"):
			e = &expr{repeat: e, min: 1, most: -1}
		case p.next("?"):
			e = &expr{repeat: e, most: 1}
		case p.next("{"):
			from, to, err := p.bounds(at)
			if err != nil {
				return nil, err
			}
			e = &expr{repeat: e, min: from, most: to}
		default:
			return e, nil
		}
	}
}

func (p *gbnf) bounds(at int) (from, to int, err error) {
	end := strings.IndexByte(p.text[p.i:], '}')
	if end < 0 {
		return 0, 0, p.fail(at, "this { has no }")
	}
	inner := p.text[p.i : p.i+end]
	p.i += end + 1
	first, second, both := strings.Cut(inner, ",")
	if from, err = strconv.Atoi(strings.TrimSpace(first)); err != nil || from < 0 {
		return 0, 0, p.fail(at, "{%s}: want {m}, {m,} or {m,n}", inner)
	}
	if to = from; both {
		if second = strings.TrimSpace(second); second == "" {
			to = -1
		} else if to, err = strconv.Atoi(second); err != nil {
			return 0, 0, p.fail(at, "{%s}: want {m}, {m,} or {m,n}", inner)
		}
	}
	switch {
	case to >= 0 && to < from:
		return 0, 0, p.fail(at, "{%s}: the second number is smaller than the first", inner)
	case max(from, to) > mostRepeat:
		return 0, 0, p.fail(at, "{%s}: want at most %d", inner, mostRepeat)
	}
	return from, to, nil
}

// literal reads a text in quotes.
func (p *gbnf) literal() (*expr, error) {
	at, e := p.i, &expr{}
	for p.i++; ; {
		if p.i >= len(p.text) || p.text[p.i] == '\n' {
			return nil, p.fail(at, "this text has no end")
		}
		if p.next(`"`) {
			return e, nil
		}
		if p.size++; p.size > mostSymbols {
			return nil, errTooLarge
		}
		r, err := p.char(false)
		if err != nil {
			return nil, err
		}
		e.seq = append(e.seq, &expr{chars: []span{{r, r}}})
	}
}

// class reads [a-z_] or [^a-z].
func (p *gbnf) class() (*expr, error) {
	at := p.i
	p.i++
	inverse, spans := p.next("^"), []span(nil)
	for {
		if p.i >= len(p.text) || p.text[p.i] == '\n' {
			return nil, p.fail(at, "this class has no end")
		}
		if p.next("]") {
			break
		}
		from := p.i
		first, err := p.char(true)
		if err != nil {
			return nil, err
		}
		last := first
		if p.i+1 < len(p.text) && p.text[p.i] == '-' && p.text[p.i+1] != ']' {
			p.i++
			if last, err = p.char(true); err != nil {
				return nil, err
			}
		}
		if last < first {
			return nil, p.fail(from, "the range %q-%q is in the wrong order", first, last)
		}
		spans = append(spans, span{first, last})
	}
	if inverse {
		spans = complement(spans)
	}
	if len(normal(spans)) == 0 {
		return nil, p.fail(at, "no character is in this class")
	}
	return &expr{chars: spans}, nil
}

// char reads a character, which may be written as an escape; in a class it may be a surrogate,
// which no text has.
func (p *gbnf) char(class bool) (rune, error) {
	at := p.i
	r, n := utf8.DecodeRuneInString(p.text[p.i:])
	p.i += n
	if r != '\\' {
		return r, nil
	}
	if p.i >= len(p.text) {
		return 0, p.fail(at, "an escape without a character")
	}
	c := p.text[p.i]
	p.i++
	switch c {
	case 'n':
		return '\n', nil
	case 'r':
		return '\r', nil
	case 't':
		return '\t', nil
	case '\\', '"', '[', ']', '-', '^':
		return rune(c), nil
	case 'x':
		return p.hex(at, 2, class)
	case 'u':
		return p.hex(at, 4, class)
	case 'U':
		return p.hex(at, 8, class)
	}
	return 0, p.fail(at, "the escape \\%c is not known", c)
}

func (p *gbnf) hex(at, digits int, class bool) (rune, error) {
	if p.i+digits <= len(p.text) {
		if n, err := strconv.ParseUint(p.text[p.i:p.i+digits], 16, 32); err == nil {
			p.i += digits
			if r := rune(n); n <= utf8.MaxRune && (class || utf8.ValidRune(r)) {
				return r, nil
			}
			return 0, p.fail(at, "%x is no character", n)
		}
	}
	return 0, p.fail(at, "want %d hexadecimal digits", digits)
}
