package jinja

import (
	"maps"
	"math"
	"slices"
	"strings"
	"unicode/utf8"
)

// filterFunc is a filter: it takes a value and its arguments.
type filterFunc func(s *state, v any, a *args) any

// newFilters returns all filters, of which this file has those of single values.
func newFilters() map[string]filterFunc {
	filters := map[string]filterFunc{
		"abs": func(s *state, v any, _ *args) any {
			switch x, ok := v.(float64); {
			case ok:
				return math.Abs(x)
			default:
				if n, ok := numeric(v); ok && n.sign() >= 0 {
					return s.arithmetic("+", int64(0), v)
				}
				return s.arithmetic("-", int64(0), v)
			}
		},
		"attr": func(s *state, v any, a *args) any {
			name := a.text("name").s
			if _, ok := v.(*dict); ok && s.methods["dict"][name] == nil {
				return &undefined{"the attribute '" + name + "' of a dict"}
			}
			return s.attribute(v, name)
		},
		"capitalize": onText(func(t text) any { return capitalized(t) }),
		"center":     func(s *state, v any, a *args) any { return s.centred(s.str(v), a.integer("width", 80), plain(" ")) },
		"d":          filterDefault,
		"default":    filterDefault,
		"float":      filterFloat,
		"format":     filterFormat,
		"indent":     filterIndent,
		"int":        filterInt,
		"length":     filterLength,
		"count":      filterLength,
		"lower":      onText(func(t text) any { return lower(t) }),
		"replace":    filterReplace,
		"round":      filterRound,
		"safe":       func(s *state, v any, _ *args) any { return markup{s.str(v)} },
		"string":     func(s *state, v any, _ *args) any { return s.str(v) },
		"title":      onText(func(t text) any { return titledWords(t) }),
		"tojson":     filterJSON,
		"trim":       func(s *state, v any, a *args) any { return s.strip(s.str(v), a, true, true) },
		"upper":      onText(func(t text) any { return upper(t) }),
		"wordcount":  onText(func(t text) any { return int64(len(wordsOf(t.s))) }),
	}
	maps.Copy(filters, listFilters)
	return filters
}

// onText makes a filter of a function of texts.
func onText(f func(t text) any) filterFunc {
	return func(s *state, v any, _ *args) any {
		t := s.str(v)
		s.mapping(t)
		return f(t)
	}
}

// mapping counts what it takes to map all characters of a text.
func (s *state) mapping(t text) {
	if s.made(len(t.s)); !t.ascii() {
		s.made(2 * len(t.s))
	}
}

// wordsOf cuts a text where Python's \w ends.
func wordsOf(t string) []string {
	return strings.FieldsFunc(t, func(r rune) bool { return r != '_' && !isAlnum(r) })
}

// filterFormat fills a format with the arguments, or with those that have names.
func filterFormat(s *state, v any, a *args) any {
	if len(a.list) > 0 && len(a.names) > 0 {
		fail("format takes arguments with names or without, not both")
	}
	var values any = &tuple{a.list}
	if len(a.names) > 0 {
		d := newDict()
		for i, name := range a.names {
			d.set(s, plain(name), a.named[i])
		}
		values, a.names, a.named = d, nil, nil
	}
	a.next = len(a.list)
	return s.printf(s.str(v), values)
}

func filterDefault(_ *state, v any, a *args) any {
	absent := a.or("default_value", text{})
	if falsy := truth(a.or("boolean", false)); isUndefined(v) || falsy && !truth(v) {
		return absent
	}
	return v
}

func filterLength(s *state, v any, _ *args) any {
	switch x := v.(type) {
	case text:
		s.spend(1 + len(x.s)/64)
		return int64(utf8.RuneCountInString(x.s))
	case *undefined:
		return int64(0)
	case *ranged:
		return int64(x.n)
	case *loop:
		return int64(x.length)
	case *stream:
		fail("%s has no length", typeName(v))
	}
	return int64(len(s.each(v)))
}

func filterReplace(s *state, v any, a *args) any {
	old, with := s.str(a.take("old")), s.str(a.take("new"))
	most := -1
	if n := a.or("count", nil); n != nil {
		most = sized(n, "replace: the count")
	}
	return s.replaced(s.str(v), old, with, most)
}

// filterIndent puts spaces before lines that are not empty.
func filterIndent(s *state, v any, a *args) any {
	width := a.or("width", int64(4))
	with, ok := width.(text)
	if !ok {
		with = s.padding(plain(" "), sized(width, "indent: the width"), text{})
	}
	first, blank := truth(a.or("first", false)), truth(a.or("blank", false))
	t, ok := v.(text)
	if !ok {
		fail("indent: %s is no text", typeName(v))
	}
	lines := joined(t, plain("\n")).lines(false)
	s.made(len(lines)*(16+len(with.s)) + 2*len(t.s))
	var b builder
	for i, line := range lines {
		if i > 0 {
			b.str("\n")
		}
		if i == 0 && first || i > 0 && (blank || line.s != "") {
			b.add(with)
		}
		b.add(line)
	}
	return b.text()
}

// folded returns what values are compared by: texts without their case.
func (s *state) folded(v any, caseSensitive bool) any {
	if t, ok := v.(text); ok && !caseSensitive {
		s.mapping(t)
		return lower(t)
	}
	return v
}

// sorted returns items in the order of their keys.
func (s *state) sorted(items []any, reverse bool, key func(any) any) []any {
	type keyed struct{ key, item any }
	all := make([]keyed, len(items))
	for i, v := range items {
		all[i] = keyed{key(v), v}
	}
	s.made(32 * len(items))
	slices.SortStableFunc(all, func(a, b keyed) int {
		c, _ := s.order(a.key, b.key, 0)
		if reverse {
			return -c
		}
		return c
	})
	out := make([]any, len(all))
	for i, k := range all {
		out[i] = k.item
	}
	return out
}
