package eval

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode"

	"mptgo/internal/jinja"
)

// field is what a task makes of a row: a column, a template, or what is in the task's file.
type field struct {
	name     string // of a column
	template *jinja.Template
	fixed    any
}

// newField reads doc_to_text and its like.
func newField(v any, columns map[string]any) (*field, error) {
	switch x := v.(type) {
	case string:
		if _, ok := columns[x]; ok {
			return &field{name: x}, nil
		}
		t, err := jinja.ParseStrict(x)
		if err != nil {
			return nil, fmt.Errorf("the template %q: %w", x, err)
		}
		return &field{template: t}, nil
	case uint64:
		return &field{fixed: int64(x)}, nil
	case int64, []any:
		return &field{fixed: x}, nil
	}
	return nil, fmt.Errorf("%v is neither a text, a number nor a list", v)
}

// of returns the field of a row: what the column holds, or the text of the template.
func (f *field) of(r *row) (v any, templated bool, err error) {
	switch {
	case f.template != nil:
		text, err := f.template.Render(r.vars(), jinja.Limits{Steps: 1 << 20, Bytes: 64<<20 + 64*len(r.text)})
		if err != nil {
			return nil, true, r.fail("the template reports: %w", err)
		}
		return text, true, nil
	case f.name != "":
		v, ok := r.fields[f.name]
		if !ok {
			return nil, false, r.fail("key %q is missing", f.name)
		}
		return v, false, nil
	}
	return f.fixed, false, nil
}

// vars returns the row as variables of a template.
func (r *row) vars() map[string]any {
	vars := make(map[string]any, len(r.fields))
	for k, v := range r.fields {
		vars[k] = v
	}
	return vars
}

// isDigits is Python's str.isdigit, for the digits that an integer can be read from.
func isDigits(s string) bool {
	return s != "" && strings.IndexFunc(s, func(r rune) bool { return !unicode.IsDigit(r) }) < 0
}

// target returns doc_to_target, or doc_to_text, of a row: a string, an int64 or, of the
// first, a list.
func (t *lmTask) value(f *field, r *row, what string) (any, error) {
	v, templated, err := f.of(r)
	if err != nil {
		return nil, err
	}
	s, ok := v.(string)
	switch {
	case ok && templated && t.choice != nil && isDigits(s):
		n, err := strconv.ParseInt(s, 10, 64)
		if err != nil {
			return nil, r.fail("%s: %q is not a number", what, s)
		}
		return n, nil
	case ok && templated && what == "doc_to_target" && len(s) >= 2 && s[0] == '[' && s[len(s)-1] == ']':
		if list, err := literalList(s); err == nil {
			return list, nil
		}
		return s, nil
	}
	switch v.(type) {
	case string, int64:
		return v, nil
	case []any:
		if what == "doc_to_target" {
			return v, nil
		}
	}
	return nil, r.fail("%s is %s", what, describe(v))
}

// choices returns doc_to_choice of a row.
func (t *lmTask) choices(r *row) ([]string, error) {
	v, templated, err := t.choice.of(r)
	if err != nil {
		return nil, err
	}
	if s, ok := v.(string); ok && templated {
		if v, err = literalList(s); err != nil {
			return nil, r.fail("doc_to_choice is %q, which is not a list of texts: %w", s, err)
		}
	}
	list, ok := v.([]any)
	if !ok || len(list) == 0 {
		return nil, r.fail("doc_to_choice is %s, not a list of texts", describe(v))
	}
	all := make([]string, len(list))
	for i, x := range list {
		if all[i], ok = x.(string); !ok {
			return nil, r.fail("doc_to_choice: item %d is %s, not a text", i, describe(x))
		}
	}
	return all, nil
}

// literalList reads a list of texts and integers as Python spells it.
func literalList(s string) (list []any, err error) {
	p := &literal{rest: strings.TrimFunc(s, isSpace)}
	if !p.skip("[") {
		return nil, errors.New("it does not begin with a bracket")
	}
	for !p.skip("]") {
		if len(list) > 0 && !p.skip(",") {
			return nil, errors.New("a comma is missing")
		}
		if p.skip("]") {
			break
		}
		v, err := p.item()
		if err != nil {
			return nil, err
		}
		list = append(list, v)
	}
	if p.space(); p.rest != "" {
		return nil, errors.New("more text follows the list")
	}
	return list, nil
}

type literal struct{ rest string }

func (p *literal) space() { p.rest = strings.TrimLeftFunc(p.rest, isSpace) }

func (p *literal) skip(mark string) bool {
	p.space()
	rest, ok := strings.CutPrefix(p.rest, mark)
	if ok {
		p.rest = rest
	}
	return ok
}

// item reads an integer, or texts in quotes, which Python joins.
func (p *literal) item() (any, error) {
	p.space()
	if p.rest == "" {
		return nil, errors.New("the list is not closed")
	}
	if q := p.rest[0]; q != '\'' && q != '"' {
		n := strings.IndexAny(p.rest, ",] \n\t")
		if n < 0 {
			n = len(p.rest)
		}
		v, err := strconv.ParseInt(p.rest[:n], 10, 64)
		p.rest = p.rest[n:]
		return v, err
	}
	text := ""
	for p.space(); p.rest != "" && (p.rest[0] == '\'' || p.rest[0] == '"'); p.space() {
		s, err := p.quoted()
		if err != nil {
			return nil, err
		}
		text += s
	}
	return text, nil
}

// quoted reads a text in quotes.
func (p *literal) quoted() (string, error) {
	q := p.rest[0]
	var b strings.Builder
	for i := 1; i < len(p.rest); i++ {
		switch c := p.rest[i]; c {
		case q:
			p.rest = p.rest[i+1:]
			return b.String(), nil
		case '\n':
			return "", errors.New("a text in quotes goes over the end of a line")
		case '\\':
			r, _, tail, err := strconv.UnquoteChar(p.rest[i:], q)
			if err != nil {
				return "", fmt.Errorf("an escape that is not supported: %.4q", p.rest[i:])
			}
			b.WriteRune(r)
			i = len(p.rest) - len(tail) - 1
		default:
			b.WriteByte(c)
		}
	}
	return "", errors.New("a text in quotes is not closed")
}
