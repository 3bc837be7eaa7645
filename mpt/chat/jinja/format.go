package jinja

import (
	"fmt"
	"strconv"
	"strings"
)

// printf fills the places of a text, such as %s and %05.2f, with v or its items.
func (s *state) printf(t string, v any) string {
	values := []any{v}
	if x, ok := v.(*tuple); ok {
		values = x.items
	}
	var b strings.Builder
	for t != "" {
		before, after, found := strings.Cut(t, "%")
		b.WriteString(before)
		if !found {
			break
		}
		n := strings.IndexFunc(after, func(r rune) bool { return !strings.ContainsRune("-+ 0123456789.", r) })
		if n < 0 || n > 6 {
			fail("the format %q is not supported", "%"+after[:min(len(after), 8)])
		}
		spec, verb := after[:n], after[n]
		t = after[n+1:]
		if verb == '%' && spec == "" {
			b.WriteByte('%')
			continue
		}
		if len(values) == 0 {
			fail("a format has more places than values")
		}
		b.WriteString(s.place(spec, verb, values[0]))
		values = values[1:]
	}
	if _, isDict := v.(*dict); len(values) > 0 && !isDict {
		fail("a format has fewer places than values")
	}
	s.made(b.Len())
	return b.String()
}

// place writes a value in a place of a format.
func (s *state) place(spec string, verb byte, v any) string {
	if width, _, _ := strings.Cut(strings.Trim(spec, "-+ 0"), "."); len(width) > 3 {
		fail("the format %%%s%c is not supported", spec, verb)
	}
	i, x, whole, ok := numeric(v)
	switch {
	case verb == 's':
		return fmt.Sprintf("%"+spec+"s", s.str(v))
	case verb == 'r' && spec == "":
		var b strings.Builder
		s.repr(&b, v, 0)
		return b.String()
	case (verb == 'd' || verb == 'i') && ok && !strings.Contains(spec, "."):
		if !whole {
			i = int64(x)
		}
		return fmt.Sprintf("%"+spec+"d", i)
	case (verb == 'f' || verb == 'F') && ok:
		return fmt.Sprintf("%"+spec+"f", x)
	}
	fail("the format %%%s%c of %s is not supported", spec, verb, typeName(v))
	return ""
}

// formatted is the method format, for places without a format of their own.
func (s *state) formatted(t string, a *args) string {
	var b strings.Builder
	next := 0
	value := func(place string) any {
		switch n, err := strconv.Atoi(place); {
		case place == "" && next < len(a.list):
			next++
			return a.list[next-1]
		case err == nil && n >= 0 && n < len(a.list):
			return a.list[n]
		}
		for i, name := range a.names {
			if name == place {
				return a.named[i]
			}
		}
		fail("format: the place {%s} is not supported, or has no value", place)
		return nil
	}
	for t != "" {
		i := strings.IndexAny(t, "{}")
		if i < 0 {
			b.WriteString(t)
			break
		}
		b.WriteString(t[:i])
		if strings.HasPrefix(t[i:], "{{") || strings.HasPrefix(t[i:], "}}") {
			b.WriteByte(t[i])
			t = t[i+2:]
			continue
		}
		end := strings.IndexByte(t[i:], '}')
		if t[i] == '}' || end < 0 {
			fail("format: a brace without its pair")
		}
		b.WriteString(s.str(value(t[i+1 : i+end])))
		s.made(b.Len() / 8)
		t = t[i+end+1:]
	}
	a.next, a.names, a.named = len(a.list), nil, nil
	return b.String()
}
