package jinja

import (
	"fmt"
	"math/big"
	"slices"
)

// str returns a value as it is printed.
func (s *state) str(v any) text {
	switch x := v.(type) {
	case text:
		return x
	case markup:
		return x.t
	case *undefined:
		s.defined(v)
		return text{}
	}
	return s.reprOf(v)
}

// reprOf returns a value as Python's repr does.
func (s *state) reprOf(v any) text {
	var b builder
	s.repr(&b, v, 0)
	s.made(b.len())
	return b.text()
}

func (s *state) repr(b *builder, v any, depth int) {
	if s.spend(1 + b.len()>>20); depth > maxDepth {
		fail("a value is nested deeper than %d", maxDepth)
	}
	switch x := v.(type) {
	case nil:
		b.str("None")
	case bool:
		b.str(map[bool]string{true: "True", false: "False"}[x])
	case int64, *big.Int:
		b.str(intText(x))
	case float64:
		b.str(floatText(x))
	case text:
		s.made(len(x.s))
		quote(b, x)
	case *undefined:
		b.str("Undefined")
	case *list:
		s.reprItems(b, "[", x.items, "]", depth)
	case *tuple:
		end := ")"
		if len(x.items) == 1 {
			end = ",)"
		}
		s.reprItems(b, "(", x.items, end, depth)
	case *group:
		s.reprItems(b, "(", []any{x.key, x.items}, ")", depth)
	case *dict:
		s.reprDict(b, x, depth)
	default:
		s.reprOther(b, v, depth)
	}
}

func (s *state) reprDict(b *builder, x *dict, depth int) {
	if slices.Contains(s.printed, x) { // of a namespace that has itself
		b.str("{...}")
		return
	}
	s.printed = append(s.printed, x)
	defer func() { s.printed = s.printed[:len(s.printed)-1] }()
	b.str("{")
	for i, k := range x.keys {
		if i > 0 {
			b.str(", ")
		}
		s.repr(b, k, depth+1)
		b.str(": ")
		s.repr(b, x.values[i], depth+1)
	}
	b.str("}")
}

// reprOther writes what templates rarely print.
func (s *state) reprOther(b *builder, v any, depth int) {
	switch x := v.(type) {
	case *view:
		b.str(x.name)
		s.reprItems(b, "([", x.items, "])", depth)
	case *ranged:
		b.str(x.String())
	case *namespace:
		b.str("<Namespace ")
		s.reprDict(b, x.vars, depth)
		b.str(">")
	case *macro:
		b.str("<Macro ")
		if x.def.name == "" {
			b.str("anonymous>")
			return
		}
		quote(b, plain(x.def.name))
		b.str(">")
	case *loop:
		b.str(fmt.Sprintf("<LoopContext %d/%d>", x.index+1, x.length))
	default:
		fail("%s cannot be printed", typeName(v))
	}
}

func (s *state) reprItems(b *builder, open string, items []any, end string, depth int) {
	b.str(open)
	for i, x := range items {
		if i > 0 {
			b.str(", ")
		}
		s.repr(b, x, depth+1)
	}
	b.str(end)
}

func (r *ranged) String() string {
	if r.step == 1 {
		return fmt.Sprintf("range(%d, %d)", r.start, r.stop)
	}
	return fmt.Sprintf("range(%d, %d, %d)", r.start, r.stop, r.step)
}

// quote writes a text in quotes as Python's repr does.
func quote(b *builder, t text) {
	q := '\''
	single, double := false, false
	for i := range len(t.s) {
		single, double = single || t.s[i] == '\'', double || t.s[i] == '"'
	}
	if single && !double {
		q = '"'
	}
	b.str(string(q))
	b.escaped(t, func(r rune) string { return escaped(r, q) })
	b.str(string(q))
}

// escaped returns what stands for a character within quotes, or "" if it stands for itself.
func escaped(r, q rune) string {
	switch {
	case r >= ' ' && r < 0x7f && r != q && r != '\\':
		return ""
	case r == q || r == '\\':
		return `\` + string(r)
	case r == '\n':
		return `\n`
	case r == '\r':
		return `\r`
	case r == '\t':
		return `\t`
	case printable(r):
		return ""
	}
	return asASCII(r)
}
